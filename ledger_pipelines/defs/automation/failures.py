"""Incidents of failing sensors, schedules and runs: recorded on failure, closed by the next success."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg
from sqlalchemy import exc

from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind

#: Subject of incidents of the run that applies changes. Without a new change there is no next run to close them, so the
#: incident review closes them.
REALTIME_RUN = "real-time run"


@contextmanager
def record_failures(databases: PipelineDatabases, subject: str) -> Iterator[None]:
    """Record an error of the block as an incident and raise it again; close the incident when the block succeeds.

    An unavailable warehouse cannot store the incident; every display of incidents reports that state itself.

    Args:
        databases: Of the code location.
        subject: Name of the block in the incident, such as `polling of prices`.
    """
    try:
        yield
    except Exception as error:
        reason = error.description if isinstance(error, dg.Failure) else f"{type(error).__name__}: {error}"
        cause = IncidentCause(
            IncidentKind.POLL_FAILED,
            subject,
            f"The {subject} fails: {reason}",
            "Fix the cause; the next attempt follows automatically. For details, see LEDGER_HOME/logs.",
        )
        with suppress(exc.SQLAlchemyError), databases.warehouse.begin() as connection:
            incidents.record(connection, cause)
        raise
    with suppress(exc.SQLAlchemyError), databases.warehouse.begin() as connection:
        incidents.close(connection, [IncidentKind.POLL_FAILED], [subject])
