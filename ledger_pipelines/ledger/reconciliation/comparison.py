"""Latest balance of each customer compared with the application's own totals → `balance_comparison`.

The rule: docs/rules.md, "Balance comparison". `difference_reasons` sums up the causes of a difference.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import array

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ledger.reconciliation.difference_reasons import (
    CENT,
    READING_REASONS,
    billed_totals,
    listed_deposits,
    rejected_bills,
    rejected_deposits,
)
from ledger_pipelines.warehouse.merge import UNPARTITIONED, TargetTable, merge_rows, qualified_name
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded, require_loaded
from ledger_pipelines.warehouse.queries.customers.latest_balances import latest_balances
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import (
    DIFFERENCE_REASONS,
    balance_comparison,
    customers,
    monthly_customer_balances,
)
from ledger_pipelines.warehouse.transaction_setup import avoid_nested_loops, lock_tables

TARGET = TargetTable(
    balance_comparison, stamps={"compared_at": sa.func.now()}, stamps_on_change={"compared_at": sa.func.now()}
)
_balance = monthly_customer_balances.c
_OF_ROWS = (*READING_REASONS, "rejected_readings", "rejected_deposits")


def compare_balances(connection: sa.Connection, run_id: str) -> TableReport:
    """Compare the balances of all customers, in the caller's transaction; unchanged rows keep their ``compared_at``.

    One statement reads the ledger's tables on one snapshot and locks none of them.

    Raises:
        InputNotLoadedError: customers have never been loaded.
    """
    lock_tables(connection, balance_comparison)
    avoid_nested_loops(connection, Scope(()))
    require_loaded(connection, customers, [UNPARTITIONED], balance_comparison.name)
    counts = merge_rows(connection, TARGET, compared_balances(), sa.true())
    mark_loaded(connection, balance_comparison, [UNPARTITIONED], run_id)
    return TableReport(qualified_name(balance_comparison), counts)


def compared_balances() -> sa.Select[Any]:
    """One row: a customer of the application, the content of the table."""
    sums = _explained().subquery("explained").c
    known = [name for name in DIFFERENCE_REASONS if name != "unexplained"]
    rest: sa.ColumnElement[Any] = sums.difference
    for name in known:
        rest -= sums[name]
    amounts = {**{name: sums[name] for name in known}, "unexplained": rest}
    matches = sa.func.abs(sums.difference) < CENT
    named: list[sa.ColumnElement[Any]] = [
        sa.case((sa.and_(~matches, amount != 0), sa.cast(name, sa.Text))) for name, amount in amounts.items()
    ]
    reasons = sa.func.array_remove(array(named), None)
    return sa.select(
        sums.customer_id,
        sums.last_month,
        sums.ledger_balance,
        sums.application_balance,
        sums.difference,
        matches.label("matches"),
        reasons.label("reasons"),
        *(amount.label(name) for name, amount in amounts.items()),
        sums.reason_rows,
    )


def _explained() -> sa.Select[Any]:
    """One row: a customer, both balances, and the amount that each known reason adds to their difference."""
    sums = _sums().subquery("sums").c
    is_rounding = sa.func.abs(sums.total_off) <= sums.total_cents
    without_repeated = sa.func.abs(sums.total_off + sums.repeated) <= sums.total_cents
    left_out = sa.case((is_rounding, 0), (without_repeated, -sums.repeated), else_=0)
    rest = sums.total_off - left_out
    total_cents = sa.case((sa.func.abs(rest) <= sums.total_cents, rest), else_=0)
    # If the bills together are right, only the application's total can be out of date.
    is_stale = sa.and_(sa.func.abs(rest) > sums.total_cents, sa.func.abs(sums.bills_off) <= sums.total_cents)
    list_cents = sa.case((sa.func.abs(sums.list_off) <= sums.list_cents, sums.list_off), else_=0)
    amounts = {
        "rounding": sums.rounding + total_cents + list_cents,
        "readings_without_price": sums.readings_without_price,
        "rejected_readings": sums.rejected_readings,
        "duplicate_readings": sums.duplicate_readings + left_out,
        "billed_otherwise": sums.billed_otherwise,
        "rejected_deposits": -sums.rejected_deposits,
        "deposits_outside_list": sums.list_off - list_cents,
        "application_total_stale": sa.case((is_stale, rest), else_=0),
    }
    return sa.select(
        sums.customer_id,
        sums.last_month,
        sums.ledger_balance,
        sums.application_balance,
        (sums.ledger_balance - sums.application_balance).label("difference"),
        *(amount.label(name) for name, amount in amounts.items()),
        sums.reason_rows,
    )


def _sums() -> sa.Select[Any]:
    """One row: a customer, and the differences between the application's totals and the sums of its single rows.

    ``total_off``: total_purchases less all bills; ``bills_off``: all bills less the ledger's purchases; ``list_off``:
    all deposit entries less total_deposit; ``…_cents``: the largest part of the difference that counts as rounding;
    ``repeated``: the bills of readings with the same start as a reading with a smaller id.
    """
    last_month = _balance.year_month.label("last_month")
    latest = latest_balances(_balance.customer_id, last_month, _balance.closing_balance).subquery("latest")
    billed = billed_totals().subquery("bills")
    refused, listed = rejected_bills().subquery("refused_bills"), listed_deposits().subquery("listed")
    unlisted = rejected_deposits().subquery("refused_deposits")
    total_deposit, total_purchases = _or_zero(customers.c.total_deposit), _or_zero(customers.c.total_purchases)
    all_bills = _or_zero(billed.c.billed) + _or_zero(refused.c.amount)
    amounts = {name: _or_zero(billed.c[name]) for name in READING_REASONS}
    amounts |= {"rejected_readings": _or_zero(refused.c.amount), "rejected_deposits": _or_zero(unlisted.c.amount)}
    rows = {name: billed.c[f"{name}_rows"] for name in READING_REASONS}
    rows |= {"rejected_readings": refused.c.rows, "rejected_deposits": unlisted.c.rows}
    counted = [part for name in _OF_ROWS for part in (name, sa.func.nullif(rows[name], 0))]
    statement = sa.select(
        customers.c.customer_id,
        latest.c.last_month,
        _or_zero(latest.c.closing_balance).label("ledger_balance"),
        (total_deposit - total_purchases).label("application_balance"),
        *(amount.label(name) for name, amount in amounts.items()),
        _or_zero(billed.c.repeated).label("repeated"),
        (total_purchases - all_bills).label("total_off"),
        (all_bills - _or_zero(billed.c.purchases)).label("bills_off"),
        (CENT * (_or_zero(billed.c.readings) + _or_zero(refused.c.readings))).label("total_cents"),
        (_or_zero(listed.c.amount) + amounts["rejected_deposits"] - total_deposit).label("list_off"),
        (CENT * _or_zero(listed.c.rounded)).label("list_cents"),
        sa.func.jsonb_strip_nulls(sa.func.jsonb_build_object(*counted)).label("reason_rows"),
    ).select_from(customers)
    for part in (latest, billed, refused, listed, unlisted):
        statement = statement.outerjoin(part, part.c.customer_id == customers.c.customer_id)
    return statement


def _or_zero(amount: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(amount, 0)
