"""Comparing rows of the source with what the warehouse has of them, and noting what differs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.changes import Change, account_changes, reading_changes
from ledger_pipelines.realtime import facts
from ledger_pipelines.realtime.facts import Part
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import digest_of
from ledger_pipelines.sources.billing_rows import stamp
from ledger_pipelines.warehouse import pending
from ledger_pipelines.warehouse.pending import Noticed

Row = Mapping[str, Any]


class Kind(Enum):
    """What is watched; each kind of change has its own sensor."""

    READINGS = "readings"
    PRICES = "prices"
    DEPOSITS = "deposits"

    @property
    def table(self) -> str:
        """The table of the billing application that holds it."""
        return "data_pencatatan" if self is Kind.READINGS else "users"

    @property
    def parts(self) -> frozenset[Part]:
        """The parts of an account that it is."""
        return frozenset({Part.DEPOSITS} if self is Kind.DEPOSITS else {Part.CUSTOMER, Part.PRICES})


@dataclass(frozen=True)
class Compared:
    """Rows of one table of the source, as they are now, to be compared with the warehouse.

    Attributes:
        table: The table.
        rows: Its rows.
        gone: Ids of rows that the source has no more.
        parts: Of users, the parts of their accounts that are compared.
        dated: True if a row that differs changed when its `updated_at` says.
    """

    table: str
    rows: Sequence[Row]
    gone: Collection[int] = ()
    parts: Collection[Part] = facts.WHOLE
    dated: bool = True


def note_differences(connection: sa.Connection, app: BillingApp, what: Compared) -> int:
    """Note what differs between rows of the source and the warehouse; return how much of it is news.

    Changes that were put aside while a customer's automatic recalculation was off are released if it is on again.
    """
    horizon = app.horizon
    found = (
        _reading_changes(connection, what, horizon)
        if what.table == "data_pencatatan"
        else _account_changes(connection, what, horizon)
    )
    by_id = {row["id"]: row for row in what.rows}
    news = pending.note(connection, (_noticed(what, change, by_id.get(change.row_id), horizon) for change in found))
    if what.table == "users":
        on = [row["id"] for row in what.rows if row["use_realtime_calculation"] in (None, True, 1)]
        news += pending.release(connection, on)
    return news


def _reading_changes(connection: sa.Connection, what: Compared, horizon: Horizon) -> list[Change]:
    looked_at = [*(row["id"] for row in what.rows), *what.gone]
    before = facts.warehouse_readings(connection, looked_at)
    return reading_changes(before, facts.source_readings(what.rows, horizon), horizon)


def _account_changes(connection: sa.Connection, what: Compared, horizon: Horizon) -> list[Change]:
    looked_at = [*(row["id"] for row in what.rows), *what.gone]
    before = facts.warehouse_accounts(connection, looked_at, horizon, what.parts)
    after = facts.source_accounts(what.rows, horizon, what.parts)
    return account_changes(before, after, facts.first_readings(connection, looked_at), horizon)


def _noticed(what: Compared, change: Change, row: Row | None, horizon: Horizon) -> Noticed:
    return Noticed(
        source_table=what.table,
        source_id=change.row_id,
        customer_id=change.customer_id if ids.fits(change.customer_id) else ids.NOBODY,
        first_month=change.first_month,
        digest="" if row is None else digest_of(row),
        changed_at=stamp(row["updated_at"], horizon) if row is not None and what.dated else None,
    )
