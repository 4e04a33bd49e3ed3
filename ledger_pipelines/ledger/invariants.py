"""What must always hold in the ledger, one query each: a row of it is a violation.

Every query takes the customers to look at (None: all) and yields rows that name what is wrong and where.
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
    """One thing that must hold.

    Attributes:
        name: As it is called in the UI.
        table: The table it is about.
        description: What must hold, in one sentence.
        violations: The query; its rows are violations.
        scans: True if it reads every transaction of the customers it looks at.
    """

    name: str
    table: sa.Table
    description: str
    violations: Callable[[Horizon, Customers], Violations]
    scans: bool = False


def _of(column: sa.ColumnElement[Any], customers: Customers) -> sa.ColumnElement[bool]:
    return sa.true() if customers is None else column.in_(customers)


def _balance_does_not_add_up(_: Horizon, customers: Customers) -> Violations:
    """One row: a month whose closing balance is not opening + deposits - purchases."""
    expected = _balance.opening_balance + _balance.total_deposits - _balance.total_purchases
    return sa.select(
        _balance.customer_id, _balance.year_month, _balance.closing_balance, expected.label("expected")
    ).where(_of(_balance.customer_id, customers), _balance.closing_balance != expected)


def _chain_is_broken(_: Horizon, customers: Customers) -> Violations:
    """One row: a month that does not open with the closing balance of the month before, or follows a gap."""
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
        .where(_of(_balance.customer_id, customers))
        .subquery("chained")
    )
    month = chained.c.year_month.concat("-01").cast(sa.Date)
    expected_before = sa.func.to_char(month - sa.literal_column("interval '1 month'"), "YYYY-MM")
    return sa.select(chained).where(
        sa.or_(chained.c.opening_balance != chained.c.expected, chained.c.month_before != expected_before)
    )


def _ends_early(_: Horizon, customers: Customers) -> Violations:
    """One row: a customer whose months end before the last month that has balances."""
    newest = sa.select(sa.func.max(_balance.year_month)).scalar_subquery()
    last = sa.func.max(_balance.year_month)
    return (
        sa.select(_balance.customer_id, last.label("last_month"), newest.label("expected"))
        .where(_of(_balance.customer_id, customers))
        .group_by(_balance.customer_id)
        .having(last != newest)
    )


def _sums_differ(horizon: Horizon, customers: Customers) -> Violations:
    """One row: a month whose deposits, purchases or volume are not the sums of the rows they stand for."""
    sums = monthly_totals(Scope(horizon.months, customers)).subquery("sums")
    stored = sa.select(monthly_customer_balances).where(_of(_balance.customer_id, customers)).subquery("stored")
    same = sa.and_(stored.c.customer_id == sums.c.customer_id, stored.c.year_month == sums.c.year_month)
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
        .select_from(sa.join(stored, sums, same, full=True))
        .where(sa.or_(*differs))
    )


def _reading_unaccounted(_: Horizon, customers: Customers) -> Violations:
    """One row: a reading that has neither a transaction of its volume nor a reason why not."""
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
        _of(_reading.customer_id, customers), ~calculated, ~rejected
    )


def _transaction_without_reading(_: Horizon, customers: Customers) -> Violations:
    """One row: a transaction of a reading that is not there, not in that month, or not that customer's."""
    read = sa.exists().where(
        _reading.reading_id == _transaction.data_pencatatan_id,
        _reading.year_month == _transaction.year_month,
        _reading.customer_id == _transaction.customer_id,
    )
    return sa.select(_transaction.data_pencatatan_id, _transaction.customer_id, _transaction.year_month).where(
        _of(_transaction.customer_id, customers), ~read
    )


def _amount_is_wrong(_: Horizon, customers: Customers) -> Violations:
    """One row: a transaction whose volume or amount is not what its own factors give."""
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
        _of(_transaction.customer_id, customers),
        sa.or_(_transaction.volume_sm3 != volume, _transaction.total_harga != amount),
    )


def _in_the_wrong_month(horizon: Horizon, customers: Customers) -> Violations:
    """One row: a transaction or deposit whose moment does not lie in its month."""
    parts = []
    for table, moment in ((transaction_calculations, "transaction_date"), (deposits, "deposited_at")):
        local = sa.func.to_char(sa.func.timezone(horizon.zone.key, table.c[moment]), "YYYY-MM")
        parts.append(
            sa.select(table.c.customer_id, table.c.year_month, table.c[moment].label("moment")).where(
                _of(table.c.customer_id, customers), local != table.c.year_month
            )
        )
    return sa.select(sa.union_all(*parts).subquery())


def _waits_for_recalculation(_: Horizon, customers: Customers) -> Violations:
    """One row: a month whose inputs changed since it was calculated."""
    note = stale_months.c
    return sa.select(note.table_name, note.year_month, note.customer_id, note.noted_at).where(
        sa.or_(_of(note.customer_id, customers), note.customer_id.is_(None))
    )


INVARIANTS = (
    Invariant(
        "balances_add_up",
        monthly_customer_balances,
        "closing_balance = opening_balance + total_deposits - total_purchases in every month.",
        _balance_does_not_add_up,
    ),
    Invariant(
        "months_chain",
        monthly_customer_balances,
        "Every month opens with the closing balance of the month before, and no month is skipped.",
        _chain_is_broken,
    ),
    Invariant(
        "months_reach_the_last",
        monthly_customer_balances,
        "Every customer has a row for the last month that has balances.",
        _ends_early,
    ),
    Invariant(
        "sums_match_rows",
        monthly_customer_balances,
        "Deposits, purchases and volume of every month are the sums of its deposits and transactions.",
        _sums_differ,
        scans=True,
    ),
    Invariant(
        "nothing_stale",
        monthly_customer_balances,
        "No month waits for recalculation because its inputs changed.",
        _waits_for_recalculation,
    ),
    Invariant(
        "every_reading_accounted_for",
        transaction_calculations,
        "Every reading has a transaction, or a rejected row that says why it has none.",
        _reading_unaccounted,
        scans=True,
    ),
    Invariant(
        "no_transaction_without_reading",
        transaction_calculations,
        "Every transaction has its reading, in the same month and of the same customer.",
        _transaction_without_reading,
        scans=True,
    ),
    Invariant(
        "amounts_follow_factors",
        transaction_calculations,
        "Volume and amount of every transaction are the rounded products of its factors.",
        _amount_is_wrong,
        scans=True,
    ),
    Invariant(
        "months_match_moments",
        transaction_calculations,
        "Every transaction and deposit lies in the month of its moment.",
        _in_the_wrong_month,
        scans=True,
    ),
)
