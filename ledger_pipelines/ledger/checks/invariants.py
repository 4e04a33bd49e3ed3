"""Invariants of the ledger: queries that must find nothing. A finding is an error."""

from functools import partial
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ledger.balances import monthly_totals
from ledger_pipelines.ledger.checks.check import Check, CheckScope, Severity, declared_in
from ledger_pipelines.warehouse.tables import (
    deposits,
    meter_readings,
    monthly_customer_balances,
    rejected_rows,
    stale_months,
    transaction_calculations,
)

INVARIANTS: list[Check] = []
_invariant = partial(declared_in, INVARIANTS, Severity.ERROR)
_balance = monthly_customer_balances.c
_transaction = transaction_calculations.c
_reading = meter_readings.c


@_invariant(monthly_customer_balances)
def balances_add_up(scope: CheckScope) -> sa.Select[Any]:
    """closing_balance = opening_balance + total_deposits - total_purchases in every month."""
    expected = _balance.opening_balance + _balance.total_deposits - _balance.total_purchases
    return sa.select(
        _balance.customer_id, _balance.year_month, _balance.closing_balance, expected.label("expected")
    ).where(scope.includes(_balance.customer_id), _balance.closing_balance != expected)


@_invariant(monthly_customer_balances)
def months_chain(scope: CheckScope) -> sa.Select[Any]:
    """Every month opens with the closing balance of the month before, and no month is skipped."""
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
        .where(scope.includes(_balance.customer_id))
        .subquery("chained")
    )
    month = chained.c.year_month.concat("-01").cast(sa.Date)
    expected_before = sa.func.to_char(month - sa.literal_column("interval '1 month'"), "YYYY-MM")
    return sa.select(chained).where(
        sa.or_(chained.c.opening_balance != chained.c.expected, chained.c.month_before != expected_before)
    )


@_invariant(monthly_customer_balances)
def months_reach_the_last(scope: CheckScope) -> sa.Select[Any]:
    """Every customer has a row for the last month that has balances."""
    newest = sa.select(sa.func.max(_balance.year_month)).scalar_subquery()
    last = sa.func.max(_balance.year_month)
    return (
        sa.select(_balance.customer_id, last.label("last_month"), newest.label("expected"))
        .where(scope.includes(_balance.customer_id))
        .group_by(_balance.customer_id)
        .having(last != newest)
    )


@_invariant(monthly_customer_balances)
def sums_match_rows(scope: CheckScope) -> sa.Select[Any]:
    """Deposits, purchases and volume of every month are the sums of its deposits and transactions."""
    sums = monthly_totals(Scope(scope.horizon.months, scope.customers)).subquery("sums")
    stored = sa.select(monthly_customer_balances).where(scope.includes(_balance.customer_id)).subquery("stored")
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


@_invariant(monthly_customer_balances)
def nothing_stale(scope: CheckScope) -> sa.Select[Any]:
    """No month is waiting for recalculation after a change of its inputs."""
    stale = stale_months.c
    return sa.select(stale.table_name, stale.year_month, stale.customer_id, stale.noted_at).where(
        sa.or_(scope.includes(stale.customer_id), stale.customer_id.is_(None))
    )


@_invariant(transaction_calculations)
def every_reading_accounted_for(scope: CheckScope) -> sa.Select[Any]:
    """Every reading has a transaction, or a rejected row with the reason."""
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
        scope.includes(_reading.customer_id), ~calculated, ~rejected
    )


@_invariant(transaction_calculations)
def no_transaction_without_reading(scope: CheckScope) -> sa.Select[Any]:
    """Every transaction has a reading in the same month and of the same customer."""
    has_reading = sa.exists().where(
        _reading.reading_id == _transaction.data_pencatatan_id,
        _reading.year_month == _transaction.year_month,
        _reading.customer_id == _transaction.customer_id,
    )
    return sa.select(_transaction.data_pencatatan_id, _transaction.customer_id, _transaction.year_month).where(
        scope.includes(_transaction.customer_id), ~has_reading
    )


@_invariant(transaction_calculations)
def amounts_follow_factors(scope: CheckScope) -> sa.Select[Any]:
    """Volume and amount of every transaction are the rounded products of its factors."""
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
        scope.includes(_transaction.customer_id),
        sa.or_(_transaction.volume_sm3 != volume, _transaction.total_harga != amount),
    )


@_invariant(transaction_calculations)
def months_match_moments(scope: CheckScope) -> sa.Select[Any]:
    """The month of every transaction and deposit is the month of its date."""
    queries = []
    for table, moment in ((transaction_calculations, "transaction_date"), (deposits, "deposited_at")):
        local = sa.func.to_char(sa.func.timezone(scope.horizon.zone.key, table.c[moment]), "YYYY-MM")
        queries.append(
            sa.select(table.c.customer_id, table.c.year_month, table.c[moment].label("moment")).where(
                scope.includes(table.c.customer_id), local != table.c.year_month
            )
        )
    return sa.select(sa.union_all(*queries).subquery())
