"""What a price would change: the change is made, the ledger recalculated, the difference noted, and all of it undone.

So the preview is by construction what happens when the application gets the change. What "the price is changed from a
month on" means there: docs/rules.md, "A price that is changed".
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, months_between
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.ledger.price_change import Entry, PriceChange, apply
from ledger_pipelines.warehouse.loaded import months_loaded, require_loaded
from ledger_pipelines.warehouse.months import rows_of
from ledger_pipelines.warehouse.tables import (
    monthly_customer_balances,
    rejected_rows,
    transaction_calculations,
)

_RUN = "price preview"
_transaction, _balance = transaction_calculations.c, monthly_customer_balances.c


@dataclass(frozen=True)
class Priced:
    """What a reading comes to: the rule that applies, factor, price of one Sm³, Sm³, and rupiah."""

    rule: str
    factor: Decimal
    price: Decimal
    volume_sm3: Decimal
    amount: Decimal


@dataclass(frozen=True)
class TransactionChange:
    """A reading of the months of a change, before and after it; None: it has no transaction, for want of a price.

    Attributes:
        reading_id: data_pencatatan.id.
        year_month: Its month.
        at: Its moment.
        volume: The volume as given.
        before: As it is.
        after: As it would be.
    """

    reading_id: int
    year_month: str
    at: datetime
    volume: Decimal
    before: Priced | None
    after: Priced | None

    @property
    def changes(self) -> bool:
        """Whether anything about it would be another."""
        return self.before != self.after

    @property
    def difference(self) -> Decimal:
        """What the customer would pay more, in rupiah."""
        before, after = (Decimal(0) if one is None else one.amount for one in (self.before, self.after))
        return after - before


@dataclass(frozen=True)
class Balance:
    """A customer's month, in rupiah and Sm³."""

    opening: Decimal
    deposits: Decimal
    purchases: Decimal
    closing: Decimal
    volume_sm3: Decimal


@dataclass(frozen=True)
class MonthChange:
    """A month that would change, before and after; None: the customer has no balance in it."""

    year_month: str
    before: Balance | None
    after: Balance | None


@dataclass(frozen=True)
class Preview:
    """What a price would change.

    Attributes:
        change: The price.
        months: The months of it that have been computed; the others will have the price when they are.
        entries: What the application would hold.
        transactions: Every reading of those months that has a transaction, before or after, by moment.
        balances: The months that would change, these and later ones.
        unpriced: How many readings of those months would have no transaction still.
    """

    change: PriceChange
    months: tuple[str, ...]
    entries: tuple[Entry, ...]
    transactions: tuple[TransactionChange, ...]
    balances: tuple[MonthChange, ...]
    unpriced: int

    @property
    def changed(self) -> tuple[TransactionChange, ...]:
        """The transactions that would change."""
        return tuple(one for one in self.transactions if one.changes)

    @property
    def kept(self) -> tuple[TransactionChange, ...]:
        """The transactions that would stay: a custom period prices them, or the price is what they have."""
        return tuple(one for one in self.transactions if not one.changes)

    @property
    def difference(self) -> Decimal:
        """What the customer would pay more, in rupiah."""
        return sum((one.difference for one in self.transactions), Decimal(0))


def preview(connection: sa.Connection, change: PriceChange, horizon: Horizon) -> Preview:
    """What a price would change; when it returns, nothing is changed.

    What waits to be recalculated is so first, on both sides: what is told is the price's doing alone.

    Args:
        connection: Within a transaction, best one with a single snapshot (REPEATABLE READ). The right to write
            transactions and balances is waited for, and held until it ends.
        change: The price.
        horizon: The months that count.

    Raises:
        MonthsMissingError: none of the months has been computed.
    """
    computed = months_loaded(connection, transaction_calculations) & months_loaded(
        connection, monthly_customer_balances
    )
    asked = months_between(change.first, change.last)
    months = tuple(month for month in asked if month in computed)
    if not months:
        require_loaded(connection, transaction_calculations, asked, "The preview")
        require_loaded(connection, monthly_customer_balances, asked, "The preview")
    scope = Scope(months, (change.customer_id,))
    with _undone(connection):
        before = _recalculated(connection, scope, horizon)
        entries = tuple(apply(connection, change, asked, horizon))
        after = _recalculated(connection, scope, horizon)
        unpriced = connection.scalar(_unpriced(scope)) or 0
    return Preview(
        change, months, entries, _transaction_changes(before, after), _month_changes(before, after), unpriced
    )


@contextmanager
def _undone(connection: sa.Connection) -> Iterator[None]:
    """Undo what is done meanwhile, whatever becomes of the transaction around it."""
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


@dataclass(frozen=True)
class _Ledger:
    """A customer's transactions by reading, and balances by month."""

    transactions: Mapping[int, sa.Row[Any]]
    balances: Mapping[str, Balance]


def _recalculated(connection: sa.Connection, scope: Scope, horizon: Horizon) -> _Ledger:
    """The customer's ledger once everything that its inputs ask for has been recalculated."""
    transactions.recalculate(connection, scope, horizon, _RUN)
    balances.recalculate(connection, scope, horizon, _RUN)
    return _Ledger(
        {row.data_pencatatan_id: row for row in connection.execute(_transactions_of(scope))},
        {row[0]: Balance(*row[1:]) for row in connection.execute(_balances_of(scope))},
    )


def _transactions_of(scope: Scope) -> sa.Select[Any]:
    """One row: a transaction of the scope with what `Priced` says of it."""
    return (
        sa.select(
            _transaction.data_pencatatan_id,
            _transaction.year_month,
            _transaction.transaction_date,
            _transaction.volume_flow_meter,
            _transaction.pricing_used["rule"].astext.label("rule"),
            _transaction.koreksi_meter,
            _transaction.harga_per_m3,
            _transaction.volume_sm3,
            _transaction.total_harga,
        )
        .where(rows_of(transaction_calculations, scope))
        .order_by(_transaction.transaction_date, _transaction.data_pencatatan_id)
    )


def _balances_of(scope: Scope) -> sa.Select[Any]:
    """One row: a month from the scope's first on, with the customer's balance."""
    return (
        sa.select(
            _balance.year_month,
            _balance.opening_balance,
            _balance.total_deposits,
            _balance.total_purchases,
            _balance.closing_balance,
            _balance.total_volume_sm3,
        )
        .where(_balance.customer_id.in_(scope.customers or ()), _balance.year_month >= scope.months[0])
        .order_by(_balance.year_month)
    )


def _unpriced(scope: Scope) -> sa.Select[Any]:
    """How many readings of the scope have no transaction for want of a price or a factor."""
    return sa.select(sa.func.count()).where(rejected_rows.c.asset == transactions.ASSET, rows_of(rejected_rows, scope))


def _transaction_changes(before: _Ledger, after: _Ledger) -> tuple[TransactionChange, ...]:
    both = {**before.transactions, **after.transactions}
    changes = (
        TransactionChange(
            key,
            row.year_month,
            row.transaction_date,
            row.volume_flow_meter,
            _priced(before.transactions.get(key)),
            _priced(after.transactions.get(key)),
        )
        for key, row in both.items()
    )
    return tuple(sorted(changes, key=lambda change: (change.at, change.reading_id)))


def _priced(row: sa.Row[Any] | None) -> Priced | None:
    if row is None:
        return None
    return Priced(row.rule, row.koreksi_meter, row.harga_per_m3, row.volume_sm3, row.total_harga)


def _month_changes(before: _Ledger, after: _Ledger) -> tuple[MonthChange, ...]:
    months = sorted(before.balances.keys() | after.balances.keys())
    changes = (MonthChange(month, before.balances.get(month), after.balances.get(month)) for month in months)
    return tuple(change for change in changes if change.before != change.after)
