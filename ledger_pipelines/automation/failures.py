"""Failures of sensors, schedules and runs as incidents: recorded where they happen, closed by the next success."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg
from sqlalchemy import exc

from ledger_pipelines.resources import Databases
from ledger_pipelines.warehouse import incidents
from ledger_pipelines.warehouse.incidents import Cause, Kind

#: The subject of failures of the run that applies changes. Without another change there is no other run, so that
#: the review closes them.
REALTIME_RUN = "real-time run"


@contextmanager
def failures_recorded(databases: Databases, subject: str) -> Iterator[None]:
    """Record the failure of what is done inside as an incident, and close the incident when it succeeds.

    A warehouse that is away keeps no incident; every display of incidents reports that itself.

    Args:
        databases: Of the code location.
        subject: What fails or succeeds, such as `polling of prices`.
    """
    try:
        yield
    except Exception as error:
        reason = error.description if isinstance(error, dg.Failure) else f"{type(error).__name__}: {error}"
        cause = Cause(
            Kind.POLL_FAILED,
            subject,
            f"The {subject} fails: {reason}",
            "It is tried again by itself every few seconds. If the reason is not yours to mend, see LEDGER_HOME/logs.",
        )
        with suppress(exc.SQLAlchemyError), databases.warehouse.begin() as connection:
            incidents.record(connection, cause)
        raise
    with suppress(exc.SQLAlchemyError), databases.warehouse.begin() as connection:
        incidents.close(connection, [Kind.POLL_FAILED], [subject])
