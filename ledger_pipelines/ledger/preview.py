"""Preview of a price change: make the change, recalculate the ledger, record the differences, roll everything back.

The preview therefore equals what happens once the application has the change. The meaning of a price change from a
given month on: docs/rules.md, "A price that is changed".
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
from ledger_pipelines.ledger.price_change import MonthlyPriceEntry, PriceChange, apply_price_change
from ledger_pipelines.warehouse.merge import is_in_scope
from ledger_pipelines.warehouse.ops.loaded_months import months_loaded, require_loaded
from ledger_pipelines.warehouse.tables import monthly_customer_balances, rejected_rows, transaction_calculations

_RUN = "price preview"
_transaction, _balance = transaction_calculations.c, monthly_customer_balances.c


@dataclass(frozen=True)
class Pricing:
    """Pricing of a reading: the rule that applies, factor, price of one Sm³, volume in Sm³, and amount in rupiah."""

    rule: str
    factor: Decimal
    price: Decimal
    volume_sm3: Decimal
    amount: Decimal


@dataclass(frozen=True)
class TransactionChange:
    """Reading in the months of a price change, with its pricing before and after.

    Attributes:
        reading_id: data_pencatatan.id.
        year_month: Month of the reading.
        at: Moment of the reading.
        volume: Volume as given.
        before: Pricing before the change; None: no transaction, because no price or factor is known.
        after: Pricing after the change; None as in ``before``.
    """

    reading_id: int
    year_month: str
    at: datetime
    volume: Decimal
    before: Pricing | None
    after: Pricing | None

    @property
    def is_changed(self) -> bool:
        """True if the pricing changes in any respect."""
        return self.before != self.after

    @property
    def difference(self) -> Decimal:
        """Additional amount for the customer, in rupiah; negative: the customer would pay less."""
        before, after = (Decimal(0) if pricing is None else pricing.amount for pricing in (self.before, self.after))
        return after - before


@dataclass(frozen=True)
class PreviewBalance:
    """Monthly balance of a customer; amounts in rupiah, volume in Sm³."""

    opening: Decimal
    deposits: Decimal
    purchases: Decimal
    closing: Decimal
    volume_sm3: Decimal


@dataclass(frozen=True)
class MonthChange:
    """Month whose balance would change, before and after; None: the customer has no balance in the month."""

    year_month: str
    before: PreviewBalance | None
    after: PreviewBalance | None


@dataclass(frozen=True)
class Preview:
    """Effect of a price change.

    Attributes:
        change: The price change.
        months: The months of the change that have been computed; the others get the price when they are computed.
        entries: The price entries that the application would hold.
        transactions: Every reading of those months that has a transaction before or after the change, by moment.
        balances: The months whose balance would change, including months after the change.
        unpriced: Number of readings of those months that would still have no transaction.
    """

    change: PriceChange
    months: tuple[str, ...]
    entries: tuple[MonthlyPriceEntry, ...]
    transactions: tuple[TransactionChange, ...]
    balances: tuple[MonthChange, ...]
    unpriced: int

    @property
    def changed(self) -> tuple[TransactionChange, ...]:
        """Transactions that would change."""
        return tuple(change for change in self.transactions if change.is_changed)

    @property
    def unchanged(self) -> tuple[TransactionChange, ...]:
        """Transactions that would stay the same: a custom period prices them, or they already have the price."""
        return tuple(change for change in self.transactions if not change.is_changed)

    @property
    def difference(self) -> Decimal:
        """Additional amount for the customer over all transactions, in rupiah."""
        return sum((change.difference for change in self.transactions), Decimal(0))


def preview_price_change(connection: sa.Connection, change: PriceChange, horizon: Horizon) -> Preview:
    """Return the effect of a price change, leaving the data unchanged.

    Pending recalculations are made first, both before and after the change, so the preview shows the effect of the
    price alone.

    Args:
        connection: Within a transaction, preferably with a single snapshot (REPEATABLE READ). The preview waits for
            the write locks of transactions and balances, and the transaction holds them until it ends.
        change: The price change.
        horizon: The months that count.

    Raises:
        InputNotLoadedError: none of the months has been computed.
    """
    computed = months_loaded(connection, transaction_calculations) & months_loaded(
        connection, monthly_customer_balances
    )
    requested = months_between(change.first, change.last)
    months = tuple(month for month in requested if month in computed)
    if not months:
        require_loaded(connection, transaction_calculations, requested, "The preview")
        require_loaded(connection, monthly_customer_balances, requested, "The preview")
    scope = Scope(months, (change.customer_id,))
    with _rolled_back(connection):
        before = _recalculate(connection, scope, horizon)
        entries = tuple(apply_price_change(connection, change, requested, horizon))
        after = _recalculate(connection, scope, horizon)
        unpriced = connection.scalar(_unpriced_count(scope)) or 0
    return Preview(
        change, months, entries, _transaction_changes(before, after), _month_changes(before, after), unpriced
    )


@contextmanager
def _rolled_back(connection: sa.Connection) -> Iterator[None]:
    """Roll back everything done in the block, whether the surrounding transaction commits or not."""
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


@dataclass(frozen=True)
class _Ledger:
    """Transactions of a customer by reading id, and balances by month."""

    transactions: Mapping[int, sa.Row[Any]]
    balances: Mapping[str, PreviewBalance]


def _recalculate(connection: sa.Connection, scope: Scope, horizon: Horizon) -> _Ledger:
    """Recalculate the customer's transactions and balances and return them."""
    transactions.recalculate_transactions(connection, scope, horizon, _RUN)
    balances.recalculate_balances(connection, scope, horizon, _RUN)
    return _Ledger(
        {row.data_pencatatan_id: row for row in connection.execute(_transactions_of(scope))},
        {row[0]: PreviewBalance(*row[1:]) for row in connection.execute(_balances_of(scope))},
    )


def _transactions_of(scope: Scope) -> sa.Select[Any]:
    """One row: a transaction of the scope with the columns of `Pricing`."""
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
        .where(is_in_scope(transaction_calculations, scope))
        .order_by(_transaction.transaction_date, _transaction.data_pencatatan_id)
    )


def _balances_of(scope: Scope) -> sa.Select[Any]:
    """One row: a month from the first month of the scope on, with the customer's balance."""
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


def _unpriced_count(scope: Scope) -> sa.Select[Any]:
    """One row: the number of readings of the scope without a transaction, because no price or factor is known."""
    return sa.select(sa.func.count()).where(
        rejected_rows.c.asset == transactions.ASSET, is_in_scope(rejected_rows, scope)
    )


def _transaction_changes(before: _Ledger, after: _Ledger) -> tuple[TransactionChange, ...]:
    both = {**before.transactions, **after.transactions}
    changes = (
        TransactionChange(
            key,
            row.year_month,
            row.transaction_date,
            row.volume_flow_meter,
            _to_priced(before.transactions.get(key)),
            _to_priced(after.transactions.get(key)),
        )
        for key, row in both.items()
    )
    return tuple(sorted(changes, key=lambda change: (change.at, change.reading_id)))


def _to_priced(row: sa.Row[Any] | None) -> Pricing | None:
    if row is None:
        return None
    return Pricing(row.rule, row.koreksi_meter, row.harga_per_m3, row.volume_sm3, row.total_harga)


def _month_changes(before: _Ledger, after: _Ledger) -> tuple[MonthChange, ...]:
    months = sorted(before.balances.keys() | after.balances.keys())
    changes = (MonthChange(month, before.balances.get(month), after.balances.get(month)) for month in months)
    return tuple(change for change in changes if change.before != change.after)
