"""Invariants of the ledger, one query each: every row of a query is a violation.

Every query takes the customers to check (None: all) and returns rows that show the violation and its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger.balances import monthly_totals
from ledger_pipelines.warehouse.tables import (
    deposits,
    meter_readings,
    monthly_customer_balances,
    rejected_rows,
    stale_months,
    transaction_calculations,
)

Customers = tuple[int, ...] | None
Violations = sa.Select[Any]
_balance = monthly_customer_balances.c
_transaction = transaction_calculations.c
_reading = meter_readings.c


@dataclass(frozen=True)
class Invariant:
    """Condition that must always hold.

    Attributes:
        name: Name of the check in the UI.
        table: The table that is checked.
        description: The condition, in one sentence.
        violations: The query; its rows are violations.
        reads_all_transactions: True if the query reads every transaction of the customers it checks.
    """

    name: str
    table: sa.Table
    description: str
    violations: Callable[[Horizon, Customers], Violations]
    reads_all_transactions: bool = False


def _for_customers(column: sa.ColumnElement[Any], customers: Customers) -> sa.ColumnElement[bool]:
    return sa.true() if customers is None else column.in_(customers)


def _wrong_closing_balance(_: Horizon, customers: Customers) -> Violations:
    """One row: a month whose closing balance is not opening + deposits - purchases."""
    expected = _balance.opening_balance + _balance.total_deposits - _balance.total_purchases
    return sa.select(
        _balance.customer_id, _balance.year_month, _balance.closing_balance, expected.label("expected")
    ).where(_for_customers(_balance.customer_id, customers), _balance.closing_balance != expected)


def _broken_chain(_: Horizon, customers: Customers) -> Violations:
    """One row: a month that does not open with the closing balance of the month before, or that follows a gap."""
    before, month_before = (
        sa.func.lag(column).over(partition_by=_balance.customer_id, order_by=_balance.year_month)
        for column in (_balance.closing_balance, _balance.year_month)
    )
    chained = (
        sa.select(
            _balance.customer_id,
            _balance.year_month,
            _balance.opening_balance,
            sa.func.coalesce(before, 0).label("expected"),
            month_before.label("month_before"),
        )
        .where(_for_customers(_balance.customer_id, customers))
        .subquery("chained")
    )
    month = chained.c.year_month.concat("-01").cast(sa.Date)
    expected_before = sa.func.to_char(month - sa.literal_column("interval '1 month'"), "YYYY-MM")
    return sa.select(chained).where(
        sa.or_(chained.c.opening_balance != chained.c.expected, chained.c.month_before != expected_before)
    )


def _months_end_early(_: Horizon, customers: Customers) -> Violations:
    """One row: a customer whose months end before the last month that has balances."""
    newest = sa.select(sa.func.max(_balance.year_month)).scalar_subquery()
    last = sa.func.max(_balance.year_month)
    return (
        sa.select(_balance.customer_id, last.label("last_month"), newest.label("expected"))
        .where(_for_customers(_balance.customer_id, customers))
        .group_by(_balance.customer_id)
        .having(last != newest)
    )


def _sums_differ(horizon: Horizon, customers: Customers) -> Violations:
    """One row: a month whose deposits, purchases or volume are not the sums of its deposit and transaction rows."""
    sums = monthly_totals(Scope(horizon.months, customers)).subquery("sums")
    stored = (
        sa.select(monthly_customer_balances).where(_for_customers(_balance.customer_id, customers)).subquery("stored")
    )
    same_month = sa.and_(stored.c.customer_id == sums.c.customer_id, stored.c.year_month == sums.c.year_month)
    differs = [
        sa.func.coalesce(stored.c[name], 0) != sa.func.coalesce(sums.c[name], 0)
        for name in ("total_deposits", "total_purchases", "total_volume_sm3")
    ]
    return (
        sa.select(
            sa.func.coalesce(stored.c.customer_id, sums.c.customer_id).label("customer_id"),
            sa.func.coalesce(stored.c.year_month, sums.c.year_month).label("year_month"),
            stored.c.total_purchases,
            sums.c.total_purchases.label("expected_purchases"),
            stored.c.total_deposits,
            sums.c.total_deposits.label("expected_deposits"),
        )
        .select_from(sa.join(stored, sums, same_month, full=True))
        .where(sa.or_(*differs))
    )


def _unaccounted_readings(_: Horizon, customers: Customers) -> Violations:
    """One row: a reading that has neither a transaction with its volume nor a rejected row."""
    calculated = sa.exists().where(
        _transaction.data_pencatatan_id == _reading.reading_id,
        _transaction.year_month == _reading.year_month,
        _transaction.customer_id == _reading.customer_id,
        _transaction.volume_flow_meter == _reading.volume,
    )
    rejected = sa.exists().where(
        rejected_rows.c.asset == transaction_calculations.name,
        rejected_rows.c.source_id == sa.cast(_reading.reading_id, sa.Text),
    )
    return sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month).where(
        _for_customers(_reading.customer_id, customers), ~calculated, ~rejected
    )


def _transactions_without_reading(_: Horizon, customers: Customers) -> Violations:
    """One row: a transaction whose reading does not exist, or has another month or another customer."""
    has_reading = sa.exists().where(
        _reading.reading_id == _transaction.data_pencatatan_id,
        _reading.year_month == _transaction.year_month,
        _reading.customer_id == _transaction.customer_id,
    )
    return sa.select(_transaction.data_pencatatan_id, _transaction.customer_id, _transaction.year_month).where(
        _for_customers(_transaction.customer_id, customers), ~has_reading
    )


def _wrong_amount(_: Horizon, customers: Customers) -> Violations:
    """One row: a transaction whose volume or amount is not the rounded product of its own factors."""
    product = _transaction.volume_flow_meter * _transaction.koreksi_meter
    volume, amount = sa.func.round(product, 4), sa.func.round(product * _transaction.harga_per_m3, 2)
    return sa.select(
        _transaction.data_pencatatan_id,
        _transaction.year_month,
        _transaction.total_harga,
        amount.label("expected_harga"),
        _transaction.volume_sm3,
        volume.label("expected_volume"),
    ).where(
        _for_customers(_transaction.customer_id, customers),
        sa.or_(_transaction.volume_sm3 != volume, _transaction.total_harga != amount),
    )


def _wrong_month(horizon: Horizon, customers: Customers) -> Violations:
    """One row: a transaction or deposit whose moment is not in its month."""
    queries = []
    for table, moment in ((transaction_calculations, "transaction_date"), (deposits, "deposited_at")):
        local = sa.func.to_char(sa.func.timezone(horizon.zone.key, table.c[moment]), "YYYY-MM")
        queries.append(
            sa.select(table.c.customer_id, table.c.year_month, table.c[moment].label("moment")).where(
                _for_customers(table.c.customer_id, customers), local != table.c.year_month
            )
        )
    return sa.select(sa.union_all(*queries).subquery())


def _stale_months(_: Horizon, customers: Customers) -> Violations:
    """One row: a month whose inputs changed since it was calculated."""
    stale = stale_months.c
    return sa.select(stale.table_name, stale.year_month, stale.customer_id, stale.noted_at).where(
        sa.or_(_for_customers(stale.customer_id, customers), stale.customer_id.is_(None))
    )


INVARIANTS = (
    Invariant(
        "balances_add_up",
        monthly_customer_balances,
        "closing_balance = opening_balance + total_deposits - total_purchases in every month.",
        _wrong_closing_balance,
    ),
    Invariant(
        "months_chain",
        monthly_customer_balances,
        "Every month opens with the closing balance of the month before, and no month is skipped.",
        _broken_chain,
    ),
    Invariant(
        "months_reach_the_last",
        monthly_customer_balances,
        "Every customer has a row for the last month that has balances.",
        _months_end_early,
    ),
    Invariant(
        "sums_match_rows",
        monthly_customer_balances,
        "Deposits, purchases and volume of every month are the sums of its deposits and transactions.",
        _sums_differ,
        reads_all_transactions=True,
    ),
    Invariant(
        "nothing_stale",
        monthly_customer_balances,
        "No month is waiting for recalculation after a change of its inputs.",
        _stale_months,
    ),
    Invariant(
        "every_reading_accounted_for",
        transaction_calculations,
        "Every reading has a transaction, or a rejected row with the reason.",
        _unaccounted_readings,
        reads_all_transactions=True,
    ),
    Invariant(
        "no_transaction_without_reading",
        transaction_calculations,
        "Every transaction has a reading in the same month and of the same customer.",
        _transactions_without_reading,
        reads_all_transactions=True,
    ),
    Invariant(
        "amounts_follow_factors",
        transaction_calculations,
        "Volume and amount of every transaction are the rounded products of its factors.",
        _wrong_amount,
        reads_all_transactions=True,
    ),
    Invariant(
        "months_match_moments",
        transaction_calculations,
        "The month of every transaction and deposit is the month of its moment.",
        _wrong_month,
        reads_all_transactions=True,
    ),
)
