"""`ops.deletion_confirmations`: deletions that the guard refused and that a person confirmed for a limited time."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.warehouse.ops import change_queue
from ledger_pipelines.warehouse.ops.incidents import Incident, IncidentKind
from ledger_pipelines.warehouse.tables import deletion_confirmations

VALID_HOURS = 24
_confirmation = deletion_confirmations.c
_IS_VALID = _confirmation.expires_at > sa.func.clock_timestamp()


class NothingToConfirmError(LedgerError):
    """An incident has no deletion to confirm; the message says why."""

    http_status = 409


def confirm_refused_deletion(connection: sa.Connection, incident: Incident, by: str) -> datetime:
    """Allow the deletion that an incident names, and let the changes of its customers be applied immediately.

    Args:
        connection: Within a transaction.
        incident: The incident as it was shown to the person: its row counts are the maximum that may be deleted.
        by: Name of the person who confirms.

    Returns:
        When the confirmation expires.

    Raises:
        NothingToConfirmError: the incident is closed, or is not a refused deletion of single customers' rows.
    """
    of_customers: Mapping[str, Mapping[str, int]] = incident.details.get("rows", {})
    if incident.kind != IncidentKind.DELETION_REFUSED or not of_customers:
        raise NothingToConfirmError(
            f"Incident {incident.id} ({incident.subject}) is not a deletion of a customer's rows, so there is nothing "
            f"to confirm. {incident.what_to_do}"
        )
    if incident.state != "open":
        raise NothingToConfirmError(f"Incident {incident.id} ({incident.subject}) is closed: its cause is gone.")
    expires: datetime = connection.execute(
        sa.select(sa.func.clock_timestamp() + sa.literal_column(f"interval '{VALID_HOURS} hours'"))
    ).scalar_one()
    addition = insert(deletion_confirmations)
    confirmed = [
        {
            "customer_id": int(customer),
            "table_name": table,
            "rows": rows,
            "confirmed_by": by,
            "expires_at": expires,
        }
        for customer, tables in of_customers.items()
        for table, rows in tables.items()
    ]
    updated: dict[str, Any] = {name: addition.excluded[name] for name in ("rows", "confirmed_by", "expires_at")}
    updated["confirmed_at"] = sa.func.clock_timestamp()
    statement = addition.on_conflict_do_update(constraint=deletion_confirmations.primary_key, set_=updated)
    connection.execute(statement, confirmed)
    change_queue.retry_now(connection, [int(customer) for customer in of_customers])
    return expires


def confirmed_row_counts(connection: sa.Connection, table_name: str) -> dict[int, int]:
    """Return how many rows of a table may be deleted by valid confirmations, by customer."""
    valid = sa.select(_confirmation.customer_id, _confirmation.rows).where(
        _confirmation.table_name == table_name, _IS_VALID
    )
    return dict(connection.execute(valid).all())


def delete_confirmations(connection: sa.Connection, table_name: str, customers: Collection[int]) -> None:
    """Delete the used confirmations of customers for a table."""
    if customers:
        used = sa.delete(deletion_confirmations).where(_confirmation.table_name == table_name)
        connection.execute(used.where(_confirmation.customer_id.in_(customers)))
