"""Compare rows of the source with the warehouse, and queue the differences."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.changes import AffectedCustomer, diff_customers, diff_readings
from ledger_pipelines.realtime import comparison_state
from ledger_pipelines.realtime.comparison_state import AccountPart
from ledger_pipelines.sources.billing.changes import row_digest
from ledger_pipelines.sources.billing.parsing import parse_timestamp
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse.ops import change_queue
from ledger_pipelines.warehouse.ops.change_queue import QueuedChange

Row = Mapping[str, Any]


class ChangeKind(Enum):
    """Kind of change in the billing application; each kind has its own sensor."""

    READINGS = "readings"
    PRICES = "prices"
    DEPOSITS = "deposits"

    @property
    def table(self) -> str:
        """Table of the billing application with this kind of change."""
        return "data_pencatatan" if self is ChangeKind.READINGS else "users"

    @property
    def parts(self) -> frozenset[AccountPart]:
        """Parts of an account with this kind of change."""
        return frozenset(
            {AccountPart.DEPOSITS} if self is ChangeKind.DEPOSITS else {AccountPart.CUSTOMER, AccountPart.PRICES}
        )


@dataclass(frozen=True)
class ComparedRows:
    """Present rows of one source table, to compare with the warehouse.

    Attributes:
        table: The table.
        rows: Its rows.
        deleted: Ids of deleted rows.
        parts: For users, the parts of their accounts to compare.
        dated: Whether `updated_at` is the time at which a differing row changed.
    """

    table: str
    rows: Sequence[Row]
    deleted: Collection[int] = ()
    parts: Collection[AccountPart] = comparison_state.ALL_PARTS
    dated: bool = True


def enqueue_differences(connection: sa.Connection, app: BillingSource, compared: ComparedRows) -> int:
    """Queue the differences between rows of the source and the warehouse; return the number of new changes.

    Changes that were held while a customer's automatic recalculation was off are released when it is on again.
    """
    horizon = app.horizon
    found = (
        _reading_changes(connection, compared, horizon)
        if compared.table == "data_pencatatan"
        else _account_changes(connection, compared, horizon)
    )
    by_id = {row["id"]: row for row in compared.rows}
    news = change_queue.enqueue(
        connection, (_queued_change(compared, change, by_id.get(change.row_id), horizon) for change in found)
    )
    if compared.table == "users":
        recalculated = [row["id"] for row in compared.rows if row["use_realtime_calculation"] in (None, True, 1)]
        news += change_queue.release(connection, recalculated)
    return news


def _reading_changes(connection: sa.Connection, compared: ComparedRows, horizon: Horizon) -> list[AffectedCustomer]:
    compared_ids = [*(row["id"] for row in compared.rows), *compared.deleted]
    before = comparison_state.warehouse_readings(connection, compared_ids)
    return diff_readings(before, comparison_state.source_readings(compared.rows, horizon), horizon)


def _account_changes(connection: sa.Connection, compared: ComparedRows, horizon: Horizon) -> list[AffectedCustomer]:
    compared_ids = [*(row["id"] for row in compared.rows), *compared.deleted]
    before = comparison_state.warehouse_accounts(connection, compared_ids, horizon, compared.parts)
    after = comparison_state.source_accounts(compared.rows, horizon, compared.parts)
    changes = diff_customers(before, after, comparison_state.first_reading_months(connection, compared_ids), horizon)
    if AccountPart.CUSTOMER in compared.parts:
        months = comparison_state.stale_orphan_months(connection, compared.rows)
        changes += [
            # A reading without a month may be in any month, so all are reloaded.
            AffectedCustomer(user_id, user_id, month or horizon.first)
            for user_id, month in months.items()
        ]
    return changes


def _queued_change(compared: ComparedRows, change: AffectedCustomer, row: Row | None, horizon: Horizon) -> QueuedChange:
    return QueuedChange(
        source_table=compared.table,
        source_id=change.row_id,
        customer_id=change.customer_id if ids.fits_bigint(change.customer_id) else ids.UNSTORABLE_ID,
        first_month=change.first_month,
        digest="" if row is None else row_digest(row),
        changed_at=parse_timestamp(row["updated_at"], horizon) if row is not None and compared.dated else None,
    )
