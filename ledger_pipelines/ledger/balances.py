"""Deposits, transactions and the month before → `monthly_customer_balances`.

The rule: docs/rules.md, "monthly_customer_balances". A recalculation of some months also carries the balance forward
through every later month of the customers whose balance changed, so no later month is left stale.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, months_between, shift_month
from ledger_pipelines.ledger import alerts
from ledger_pipelines.ledger.input_versions import (
    SAMPLE_MONTH,
    complete_counts,
    formula_version,
    months_to_skip,
    record_months,
)
from ledger_pipelines.warehouse.invalidations import consume_invalidations
from ledger_pipelines.warehouse.merge import (
    Counts,
    CountsByMonth,
    TargetTable,
    add_counts,
    delete_rows,
    is_in_scope,
    merge_rows,
    qualified_name,
)
from ledger_pipelines.warehouse.ops.loaded_months import months_loaded, record_current_month, require_loaded
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import (
    MonthKey,
    Rupiah,
    StandardVolume,
    deposits,
    monthly_customer_balances,
    transaction_calculations,
)
from ledger_pipelines.warehouse.transaction_setup import avoid_nested_loops, lock_tables

TARGET = TargetTable(
    monthly_customer_balances,
    stamps={"last_calculated_at": sa.func.now()},
    stamps_on_change={"last_calculated_at": sa.func.now()},
)
_balance = monthly_customer_balances.c
_SUMS = ("total_deposits", "total_purchases", "total_volume_sm3", "transactions", "deposit_entries")


def recalculate_balances(
    connection: sa.Connection,
    scope: Scope,
    horizon: Horizon,
    run_id: str,
    *,
    force: bool = False,
    every_month: bool = False,
    limits: alerts.LowBalanceLimits = alerts.DEFAULT_LIMITS,
    month_turn: bool = False,
) -> TableReport:
    """Recalculate the balances of a scope by the rules, in the caller's transaction.

    The scope's months are a range. The range is extended to the invalidated months and, for customers whose closing
    balance changed, to the last month that has balances. For all customers, the range is shortened by the months at
    its ends whose inputs are unchanged, unless ``every_month`` or ``force`` is set; with ``force`` the rows are deleted
    and inserted. Low balance alerts are evaluated by the limits in ``limits``.
    For months that have just begun (``month_turn``), deposits and transactions need not be loaded for all customers.

    Returns:
        A report of the months of the range and the later months that were carried forward.

    Raises:
        InputNotLoadedError: a month before the range has never been computed, so its closing balance is unknown; or
            deposits or transactions of the range have never been loaded.
    """
    lock_tables(connection, monthly_customer_balances)
    avoid_nested_loops(connection, scope)
    loaded = months_loaded(connection, monthly_customer_balances)
    until = max(scope.months[-1], *loaded)
    consumed = consume_invalidations(connection, monthly_customer_balances, scope, until)
    scope, formula = consumed.scope, _formula()
    first, last = scope.months[0], scope.months[-1]
    earlier = months_between(horizon.first, shift_month(first, -1))
    require_loaded(connection, monthly_customer_balances, earlier, f"The opening balance of {first}")
    if scope.covers_all_customers and not month_turn:
        for table in (deposits, transaction_calculations):
            require_loaded(connection, table, scope.months, monthly_customer_balances.name)
    stored = connection.scalar(sa.select(sa.func.max(_balance.year_month)))
    newest = max(last, *loaded, stored or last)
    scope = Scope(months_between(first, newest if force else last), scope.customers)
    skipped = months_to_skip(
        connection, monthly_customer_balances, scope, consumed, formula, every_month=every_month or force
    )
    counts = {month: Counts() for month in scope.months}
    if due := [month for month in scope.months if month not in skipped]:
        part = Scope(months_between(due[0], due[-1]), scope.customers)
        skipped = {month: rows for month, rows in skipped.items() if month not in part.months}
        counts |= _write(connection, part, months_between(shift_month(due[-1], 1), newest), loaded, force=force)
    counts = complete_counts(counts, skipped)
    record_months(connection, monthly_customer_balances, scope, counts, formula, run_id)
    if scope.covers_all_customers and scope.months[-1] == horizon.current:
        record_current_month(connection, horizon.current)
    alerts.evaluate_alerts(connection, scope.customers, horizon, limits, run_id)
    unchanged = frozenset(month for month in skipped if not counts[month].changed)
    return TableReport(qualified_name(monthly_customer_balances), counts, skipped=unchanged)


@cache
def _formula() -> str:
    """Return the formula version of balances, computed or carried forward."""
    balances_of_all, _ = target_balances(Scope((SAMPLE_MONTH,)), [shift_month(SAMPLE_MONTH, 1)], complete=())
    return formula_version(balances_of_all)


def _write(
    connection: sa.Connection, scope: Scope, later: Sequence[str], complete: Collection[str], *, force: bool
) -> CountsByMonth:
    """Write the balances of a scope, and carry changed ones forward (`target_balances`); count the rows by month."""
    in_scope = is_in_scope(monthly_customer_balances, scope)
    cleared = delete_rows(connection, monthly_customer_balances, in_scope) if force else {}
    target, within = target_balances(scope, later, complete)
    return add_counts(cleared, merge_rows(connection, TARGET, target, sa.or_(in_scope, within), replaces=force))


def target_balances(
    scope: Scope, later: Sequence[str], complete: Collection[str]
) -> tuple[sa.Select[Any], sa.ColumnElement[bool]]:
    """Return the balances of the scope, and of later months for customers whose balance at its end changed.

    Later months that are not ``complete`` have rows of some customers only; no other customer gets a row in them.

    Returns:
        Two parts. A query with one row per customer and month (the content of `monthly_customer_balances`): all rows
        of the scope and, for customers whose balance at the scope's end changed, those of the months ``later``. And a
        condition: the stored rows of ``later`` that the query replaces.
    """
    within_scope = running_balances(opening_balances(scope), monthly_totals(scope), scope.months).cte("within_scope")
    if not later:
        return sa.select(*(within_scope.c[name] for name in TARGET.content)), sa.false()
    end = scope.months[-1]
    changed = _changed_customers(within_scope, scope, end).cte("changed_customers")
    rows_of_changed = sa.and_(
        _balance.year_month.in_(later), _balance.customer_id.in_(sa.select(changed.c.customer_id))
    )
    openings = sa.select(within_scope.c.customer_id, within_scope.c.closing_balance).where(
        within_scope.c.year_month == end, within_scope.c.customer_id.in_(sa.select(changed.c.customer_id))
    )
    carried = running_balances(openings, _stored_totals(rows_of_changed), later).cte("carried")
    has_row = sa.exists().where(
        _balance.customer_id == carried.c.customer_id, _balance.year_month == carried.c.year_month
    )
    combined = [sa.select(*(part.c[name] for name in TARGET.content)) for part in (within_scope, carried)]
    combined[1] = combined[1].where(sa.or_(carried.c.year_month.in_(complete), has_row))
    return sa.select(sa.union_all(*combined).subquery()), rows_of_changed


def monthly_totals(scope: Scope) -> sa.Select[Any]:
    """One row: a customer and month with a transaction or a deposit, with their sums and counts."""
    no_rupiah, no_volume = sa.literal(0, Rupiah), sa.literal(0, StandardVolume)
    purchase, deposit = transaction_calculations.c, deposits.c
    purchases = (
        sa.select(
            purchase.customer_id,
            purchase.year_month,
            no_rupiah.label("total_deposits"),
            sa.func.sum(purchase.total_harga).label("total_purchases"),
            sa.func.sum(purchase.volume_sm3).label("total_volume_sm3"),
            sa.func.count().label("transactions"),
            sa.literal(0).label("deposit_entries"),
        )
        .where(is_in_scope(transaction_calculations, scope))
        .group_by(purchase.customer_id, purchase.year_month)
    )
    deposited = (
        sa.select(
            deposit.customer_id,
            deposit.year_month,
            sa.func.sum(deposit.amount),
            no_rupiah,
            no_volume,
            sa.literal(0),
            sa.func.count(),
        )
        .where(is_in_scope(deposits, scope))
        .group_by(deposit.customer_id, deposit.year_month)
    )
    combined = sa.union_all(purchases, deposited).subquery("combined")
    return sa.select(
        combined.c.customer_id, combined.c.year_month, *(sa.func.sum(combined.c[name]).label(name) for name in _SUMS)
    ).group_by(combined.c.customer_id, combined.c.year_month)


def opening_balances(scope: Scope) -> sa.Select[Any]:
    """One row: a customer who was active before the scope, with the closing balance of the month before it."""
    before = shift_month(scope.months[0], -1)
    return sa.select(_balance.customer_id, _balance.closing_balance).where(
        is_in_scope(monthly_customer_balances, Scope((before,), scope.customers))
    )


def running_balances(openings: sa.Select[Any], totals: sa.Select[Any], months: Sequence[str]) -> sa.Select[Any]:
    """One row: a customer and month with opening and closing balance.

    Args:
        openings: customer_id and closing_balance of the month before, for customers active before ``months``.
        totals: Columns as `monthly_totals`, within ``months``.
        months: Contiguous months. A customer with an opening balance has a row for each of them; any other customer
            has rows from the first month with a transaction or deposit on.
    """
    opening, sums = openings.subquery("opening"), totals.cte()
    calendar = sa.select(sa.func.unnest(sa.literal(list(months), sa.ARRAY(MonthKey))).label("year_month")).subquery()
    starts = sa.union_all(
        sa.select(opening.c.customer_id, sa.literal(months[0], MonthKey).label("first"), opening.c.closing_balance),
        sa.select(sums.c.customer_id, sums.c.year_month, sa.literal(0, Rupiah)),
    ).subquery("starts")
    active = (
        sa.select(
            starts.c.customer_id,
            sa.func.min(starts.c.first).label("first"),
            sa.func.sum(starts.c.closing_balance).label("carried_in"),
        )
        .group_by(starts.c.customer_id)
        .subquery("active")
    )
    carried_in = sa.case((calendar.c.year_month == active.c.first, active.c.carried_in), else_=0).label("carried_in")
    zeros = [sa.literal(0).label(name) for name in _SUMS]
    every_month = sa.select(active.c.customer_id, calendar.c.year_month, carried_in, *zeros).join_from(
        active, calendar, calendar.c.year_month >= active.c.first
    )
    # A sum rather than a join, because the planner cannot estimate the number of customers and months.
    parts = sa.union_all(
        every_month, sa.select(sums.c.customer_id, sums.c.year_month, sa.literal(0), *(sums.c[name] for name in _SUMS))
    ).subquery("parts")
    month = (
        sa.select(
            parts.c.customer_id,
            parts.c.year_month,
            *(sa.func.sum(parts.c[name]).label(name) for name in ("carried_in", *_SUMS)),
        )
        .group_by(parts.c.customer_id, parts.c.year_month)
        .subquery("month")
    )
    change = month.c.total_deposits - month.c.total_purchases
    closing = sa.func.sum(month.c.carried_in + change).over(
        partition_by=month.c.customer_id, order_by=month.c.year_month
    )
    return sa.select(
        month.c.customer_id,
        month.c.year_month,
        (closing - change).label("opening_balance"),
        month.c.total_deposits,
        month.c.total_purchases,
        closing.label("closing_balance"),
        month.c.total_volume_sm3,
        sa.func.jsonb_build_object(
            "transactions", month.c.transactions, "deposit_entries", month.c.deposit_entries
        ).label("calculation_details"),
    )


def _changed_customers(within_scope: sa.CTE, scope: Scope, end: str) -> sa.Select[Any]:
    """One row: a customer whose closing balance at the scope's end differs from the stored one, is new or is gone."""
    ends = (
        sa.select(within_scope.c.customer_id, within_scope.c.closing_balance)
        .where(within_scope.c.year_month == end)
        .subquery("ends")
    )
    stored = (
        sa.select(_balance.customer_id, _balance.closing_balance)
        .where(is_in_scope(monthly_customer_balances, Scope((end,), scope.customers)))
        .subquery("stored")
    )
    return (
        sa.select(sa.func.coalesce(ends.c.customer_id, stored.c.customer_id).label("customer_id"))
        .select_from(sa.join(ends, stored, ends.c.customer_id == stored.c.customer_id, full=True))
        .where(ends.c.closing_balance.is_distinct_from(stored.c.closing_balance))
    )


def _stored_totals(rows_of_changed: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """One row: a stored month with a transaction or deposit; columns as `monthly_totals`."""
    counted = [
        sa.cast(_balance.calculation_details[name].astext, sa.BigInteger).label(name)
        for name in ("transactions", "deposit_entries")
    ]
    sums = [_balance[name] for name in ("total_deposits", "total_purchases", "total_volume_sm3")]
    return sa.select(_balance.customer_id, _balance.year_month, *sums, *counted).where(
        rows_of_changed, counted[0] + counted[1] > 0
    )
