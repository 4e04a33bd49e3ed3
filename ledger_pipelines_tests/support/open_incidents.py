"""Temporarily open incidents, for tests of the displays of incidents."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.incidents import Incident, IncidentCause, IncidentKind, open_incidents, record
from ledger_pipelines.warehouse.tables import deletion_confirmations, incidents

READINGS = "billing.meter_readings"
REFUSED = IncidentCause(
    IncidentKind.DELETION_REFUSED,
    "customer 11",
    "850 of <1,780> readings of customer 11 are gone.",
    "Confirm it: ledger incidents confirm",
    customers=(11,),
    details={"rows": {"11": {READINGS: 850, "billing.deposits": 4}}},
)
FAILED = IncidentCause(IncidentKind.SYNC_FAILED, "stockbywh", "The ERP does not answer.", "Start it.")


@contextmanager
def temporary_incidents(warehouse: sa.Engine | sa.Connection, *causes: IncidentCause) -> Iterator[list[Incident]]:
    """Open incidents; afterwards delete all incidents and confirmations of deletions."""
    engine = warehouse.engine
    with engine.begin() as connection:
        for cause in causes:
            record(connection, cause)
        found = open_incidents(connection)
    try:
        yield found
    finally:
        with engine.begin() as connection:
            connection.execute(sa.delete(incidents))
            connection.execute(sa.delete(deletion_confirmations))
