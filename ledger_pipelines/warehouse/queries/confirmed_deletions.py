"""Valid confirmations of refused deletions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.incidents import Incident
from ledger_pipelines.warehouse.tables import deletion_confirmations

_confirmation = deletion_confirmations.c


@dataclass(frozen=True)
class DeletionConfirmation:
    """A valid confirmation of a deletion.

    Attributes:
        by: Name of the person who confirmed it.
        until: When it expires.
    """

    by: str
    until: datetime


def valid_confirmations(connection: sa.Connection, incidents: Collection[Incident]) -> dict[int, DeletionConfirmation]:
    """Return the valid confirmations by incident id; one that covers fewer rows than the incident is left out."""
    wanted = {incident.id: incident.details["rows"] for incident in incidents if incident.rows_to_confirm}
    if not wanted:
        return {}
    customers = {int(customer) for rows in wanted.values() for customer in rows}
    statement = sa.select(deletion_confirmations).where(
        _confirmation.customer_id.in_(customers), _confirmation.expires_at > sa.func.clock_timestamp()
    )
    valid = {(row.customer_id, row.table_name): row for row in connection.execute(statement)}
    found = {}
    for number, rows in wanted.items():
        needed = {(int(customer), table): rows[customer][table] for customer in rows for table in rows[customer]}
        if all(key in valid and valid[key].rows >= count for key, count in needed.items()):
            first_to_expire = min((valid[key] for key in needed), key=lambda row: row.expires_at)
            found[number] = DeletionConfirmation(first_to_expire.confirmed_by, first_to_expire.expires_at)
    return found
