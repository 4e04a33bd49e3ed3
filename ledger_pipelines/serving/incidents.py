"""Confirmation of refused deletions, per customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.warehouse.ops.confirmations import confirm_refused_deletion
from ledger_pipelines.warehouse.ops.incidents import IncidentKind, customer_subject, open_incidents


@dataclass(frozen=True)
class ConfirmedDeletion:
    """Deletion that a user has confirmed.

    Attributes:
        customer_id: The customer.
        rows: Number of rows that may be deleted, by table.
        until: When the confirmation expires.
    """

    customer_id: int
    rows: Mapping[str, int]
    until: datetime


def confirm_deletions(databases: Databases, customer_id: int, by: str, rows: int | None = None) -> ConfirmedDeletion:
    """Confirm the deletion of a customer's rows that the deletion guard has refused.

    Args:
        databases: The installation's databases.
        customer_id: The customer.
        by: The user who confirms.
        rows: Number of rows that the user was shown; None to accept the number that is refused now.

    Raises:
        ServingError: no deletion of this customer waits for confirmation, or the number of rows has changed.
        NothingToConfirmError: the refused deletion is not of single customers' rows.
        WarehouseError: the warehouse cannot be used.
    """
    with databases.warehouse_transaction() as connection:
        subject = customer_subject(customer_id)
        refused = [each for each in open_incidents(connection) if each.kind == IncidentKind.DELETION_REFUSED]
        incident = next((each for each in refused if each.subject == subject), None)
        if incident is None:
            others = ", ".join(each.subject for each in refused) or "none"
            raise ServingError(
                f"No deletion of customer {customer_id} waits for confirmation. Refused deletions: {others}. "
                "To list them: ledger incidents list"
            )
        if rows not in (None, incident.rows_to_confirm):
            raise ServingError(
                f"The number of rows in the refused deletion of customer {customer_id} is "
                f"{incident.rows_to_confirm:,}, not {rows:,}. Check it again: ledger incidents list"
            )
        until = confirm_refused_deletion(connection, incident, by)
    return ConfirmedDeletion(
        customer_id, incident.details["rows"][str(customer_id)], until.astimezone(databases.settings.zone)
    )
