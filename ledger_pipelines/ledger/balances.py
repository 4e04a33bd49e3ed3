"""Deposits, transactions and the month before → `monthly_customer_balances`.

The rule: docs/rules.md, "monthly_customer_balances". A recalculation of some months carries every later month of the
customers whose balance changed forward, so that no later month is ever stale.
"""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, months_between, shift
from ledger_pipelines.ledger import alerts
from ledger_pipelines.warehouse.loaded import mark_loaded, months_loaded, note_reached, require_loaded
from ledger_pipelines.warehouse.months import Counts, Written, add, clear, merge, qualified, rows_of
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.session import lock, plan_for
from ledger_pipelines.warehouse.stale import take_stale
from ledger_pipelines.warehouse.tables import (
    MonthKey,
    Rupiah,
    StandardVolume,
    deposits,
    monthly_customer_balances,
    transaction_calculations,
)

WRITTEN = Written(
    monthly_customer_balances,
    stamps={"last_calculated_at": sa.func.now()},
    stamps_on_change={"last_calculated_at": sa.func.now()},
)
_balance = monthly_customer_balances.c
_SUMS = ("total_deposits", "total_purchases", "total_volume_sm3", "transactions", "deposit_entries")


def recalculate(
    connection: sa.Connection,
    scope: Scope,
    horizon: Horizon,
    run_id: str,
    *,
    force: bool = False,
    low: alerts.LowBalance = alerts.USUAL,
    turning: bool = False,
) -> Report:
    """Make the balances of a scope what the rules say, in the caller's transaction.

    The scope's months are taken as a range. It is extended to the months noted as stale, and for customers whose
    closing balance changed, up to the last month that has balances. Of customers whose current balance has become
    ``low`` an alert is recorded. Of months that have just begun (``turning``) deposits and transactions need not have
    been loaded of everybody.

    Returns:
        A report whose months are those of the range, and later ones that were carried forward.

    Raises:
        MonthsMissingError: a month before the range has never been computed, so its closing balance is unknown; or
            deposits or transactions of the range have never been loaded.
    """
    lock(connection, monthly_customer_balances)
    plan_for(connection, scope)
    loaded = months_loaded(connection, monthly_customer_balances)
    scope = take_stale(connection, monthly_customer_balances, scope, until=max(scope.months[-1], *loaded))
    first, last = scope.months[0], scope.months[-1]
    earlier = months_between(horizon.first, shift(first, -1))
    require_loaded(connection, monthly_customer_balances, earlier, f"The opening balance of {first}")
    if scope.whole and not turning:
        for table in (deposits, transaction_calculations):
            require_loaded(connection, table, scope.months, monthly_customer_balances.name)
    stored = connection.scalar(sa.select(sa.func.max(_balance.year_month)))
    newest = max(last, *loaded, stored or last)
    scope = Scope(months_between(first, newest if force else last), scope.customers)
    in_scope = rows_of(monthly_customer_balances, scope)
    cleared = clear(connection, monthly_customer_balances, in_scope) if force else {}
    later = months_between(shift(scope.months[-1], 1), newest)
    target, within = target_balances(scope, later, complete=loaded)
    counts = add(cleared, merge(connection, WRITTEN, target, sa.or_(in_scope, within), changes=force))
    if scope.whole:
        mark_loaded(connection, monthly_customer_balances, scope.months, run_id)
        if scope.months[-1] == horizon.current:
            note_reached(connection, horizon.current)
    alerts.evaluate(connection, scope.customers, horizon, low, run_id)
    return Report(qualified(monthly_customer_balances), {month: Counts() for month in scope.months} | counts)


def target_balances(
    scope: Scope, later: Sequence[str], complete: Collection[str]
) -> tuple[sa.Select[Any], sa.ColumnElement[bool]]:
    """The balances as they should be: of the scope, and of later months where the scope's end moved.

    Of the later months, those that are not ``complete`` have rows of some customers only; no others get one.

    Returns:
        One row: a customer and month (the content of `monthly_customer_balances`), for all rows of the scope and, for
        customers whose balance at the scope's end changed, of the months ``later``; and which stored rows of those
        later months the first speaks for.
    """
    own = running_balances(opening_balances(scope), monthly_totals(scope), scope.months).cte("own")
    if not later:
        return sa.select(*(own.c[name] for name in WRITTEN.content)), sa.false()
    end = scope.months[-1]
    moved = _moved_customers(own, scope, end).cte("moved")
    of_moved = sa.and_(_balance.year_month.in_(later), _balance.customer_id.in_(sa.select(moved.c.customer_id)))
    openings = sa.select(own.c.customer_id, own.c.closing_balance).where(
        own.c.year_month == end, own.c.customer_id.in_(sa.select(moved.c.customer_id))
    )
    carried = running_balances(openings, _stored_totals(of_moved), later).cte("carried")
    has_row = sa.exists().where(
        _balance.customer_id == carried.c.customer_id, _balance.year_month == carried.c.year_month
    )
    both = [sa.select(*(part.c[name] for name in WRITTEN.content)) for part in (own, carried)]
    both[1] = both[1].where(sa.or_(carried.c.year_month.in_(complete), has_row))
    return sa.select(sa.union_all(*both).subquery()), of_moved


def monthly_totals(scope: Scope) -> sa.Select[Any]:
    """One row: a customer and month in which there is a transaction or a deposit, with their sums and counts."""
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
        .where(rows_of(transaction_calculations, scope))
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
        .where(rows_of(deposits, scope))
        .group_by(deposit.customer_id, deposit.year_month)
    )
    both = sa.union_all(purchases, deposited).subquery("both")
    return sa.select(
        both.c.customer_id, both.c.year_month, *(sa.func.sum(both.c[name]).label(name) for name in _SUMS)
    ).group_by(both.c.customer_id, both.c.year_month)


def opening_balances(scope: Scope) -> sa.Select[Any]:
    """One row: a customer who was active before the scope, with the closing balance of the month before it."""
    before = shift(scope.months[0], -1)
    return sa.select(_balance.customer_id, _balance.closing_balance).where(
        rows_of(monthly_customer_balances, Scope((before,), scope.customers))
    )


def running_balances(openings: sa.Select[Any], totals: sa.Select[Any], months: Sequence[str]) -> sa.Select[Any]:
    """One row: a customer and month with opening and closing balance.

    Args:
        openings: customer_id and closing_balance of the month before, of customers active before ``months``.
        totals: as `monthly_totals`, within ``months``.
        months: the months, contiguous. A customer has a row for each: from the first on with an opening balance,
            else from the first month with a transaction or deposit on.
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
    nothing = [sa.literal(0).label(name) for name in _SUMS]
    every_month = sa.select(active.c.customer_id, calendar.c.year_month, carried_in, *nothing).join_from(
        active, calendar, calendar.c.year_month >= active.c.first
    )
    # Added up rather than joined: how many customers and months there are is nothing the planner could know.
    lines = sa.union_all(
        every_month, sa.select(sums.c.customer_id, sums.c.year_month, sa.literal(0), *(sums.c[name] for name in _SUMS))
    ).subquery("lines")
    month = (
        sa.select(
            lines.c.customer_id,
            lines.c.year_month,
            *(sa.func.sum(lines.c[name]).label(name) for name in ("carried_in", *_SUMS)),
        )
        .group_by(lines.c.customer_id, lines.c.year_month)
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


def _moved_customers(own: sa.CTE, scope: Scope, end: str) -> sa.Select[Any]:
    """One row: a customer whose closing balance at the scope's end is not what is stored, or is new, or is gone."""
    ends = sa.select(own.c.customer_id, own.c.closing_balance).where(own.c.year_month == end).subquery("ends")
    stored = (
        sa.select(_balance.customer_id, _balance.closing_balance)
        .where(rows_of(monthly_customer_balances, Scope((end,), scope.customers)))
        .subquery("stored")
    )
    return (
        sa.select(sa.func.coalesce(ends.c.customer_id, stored.c.customer_id).label("customer_id"))
        .select_from(sa.join(ends, stored, ends.c.customer_id == stored.c.customer_id, full=True))
        .where(ends.c.closing_balance.is_distinct_from(stored.c.closing_balance))
    )


def _stored_totals(of_moved: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """As `monthly_totals`, from the rows that are stored."""
    counted = [
        sa.cast(_balance.calculation_details[name].astext, sa.BigInteger).label(name)
        for name in ("transactions", "deposit_entries")
    ]
    sums = [_balance[name] for name in ("total_deposits", "total_purchases", "total_volume_sm3")]
    return sa.select(_balance.customer_id, _balance.year_month, *sums, *counted).where(
        of_moved, counted[0] + counted[1] > 0
    )
