"""Summary of a year: its sums, its months, and the customers with the largest volumes.

The queries add up every balance of the year, which takes half a second for a hundred thousand customers. Frequent
callers cache the result and show its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.queries.customers.latest_balances import latest_balances
from ledger_pipelines.warehouse.queries.exact_sums import exact_total
from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal, YearMonthKey

_TOP = 10
_balance = monthly_customer_balances.c


@dataclass(frozen=True)
class YearSummary:
    """Sums of a year."""

    total_customers: int
    total_deposits: ExactDecimal
    total_purchases: ExactDecimal
    total_closing_balance: ExactDecimal
    """Sum of each customer's last closing balance of the year"""
    total_volume: ExactDecimal


@dataclass(frozen=True)
class MonthlyTrend:
    """Sums of a month over all customers."""

    year_month: YearMonthKey
    monthly_deposits: ExactDecimal
    monthly_purchases: ExactDecimal
    monthly_balance: ExactDecimal
    monthly_volume: ExactDecimal


@dataclass(frozen=True)
class MonthOfYear(MonthlyTrend):
    """Sums of a month over all customers, with the number of customers that have a balance."""

    customers: int


@dataclass(frozen=True)
class TopCustomer:
    """Customer with a large volume."""

    id: int
    name: str | None
    total_volume: ExactDecimal
    total_purchases: ExactDecimal
    avg_balance: ExactDecimal
    """Mean of the customer's closing balances of the year, to 2 decimals"""


@dataclass(frozen=True)
class YearReport:
    """Figures of a year."""

    year: int
    summary: YearSummary
    monthly_trend: Sequence[MonthOfYear]
    top_customers: Sequence[TopCustomer]
    generated_at: datetime


def year_report(connection: sa.Connection, year: int) -> YearReport:
    """Return the summary of a year; without balances the sums are 0, and months and customers are empty.

    The connection must be in a REPEATABLE READ transaction of its own, so that the figures are consistent.
    """
    # The rows of a year are scattered over the table: a sequential scan takes half as long as the index.
    connection.execute(sa.text("SET LOCAL enable_indexscan = off"))
    months = [MonthOfYear(*row) for row in connection.execute(monthly_trend(year))]
    top = connection.execute(top_customers(year)).all()
    return YearReport(
        year=year,
        summary=_summary(connection, year, months, top[0].customers if top else 0),
        monthly_trend=months,
        top_customers=[TopCustomer(*row[:-1]) for row in top],
        generated_at=connection.execute(sa.select(sa.func.now())).scalar_one(),
    )


def years_with_balances(connection: sa.Connection) -> list[int]:
    """Return the years from the first to the last month with balances, newest first."""
    first, last = connection.execute(
        sa.select(sa.func.min(_balance.year_month), sa.func.max(_balance.year_month))
    ).one()
    return [] if first is None else list(range(int(last[:4]), int(first[:4]) - 1, -1))


def _summary(connection: sa.Connection, year: int, months: Sequence[MonthOfYear], total_customers: int) -> YearSummary:
    closing = [months[-1].monthly_balance] if months else []
    if months and total_customers > months[-1].customers:  # rare: customers without a balance in the last month
        others = connection.execute(last_balances_before(year, months[-1].year_month))
        closing += [row.closing_balance for row in others]
    return YearSummary(
        total_customers=total_customers,
        total_deposits=exact_total((month.monthly_deposits for month in months), 2),
        total_purchases=exact_total((month.monthly_purchases for month in months), 2),
        total_closing_balance=exact_total(closing, 2),
        total_volume=exact_total((month.monthly_volume for month in months), 4),
    )


def _is_in(year: int) -> sa.ColumnElement[bool]:
    return _balance.year_month.between(f"{year:04d}-01", f"{year:04d}-12")


def monthly_trend(year: int) -> sa.Select[Any]:
    """One row: a month of the year that has balances, with the sums over all customers."""
    sums = ("total_deposits", "total_purchases", "closing_balance", "total_volume_sm3")
    return (
        sa.select(_balance.year_month, *(sa.func.sum(_balance[name]) for name in sums), sa.func.count())
        .where(_is_in(year))
        .group_by(_balance.year_month)
        .order_by(_balance.year_month)
    )


def last_balances_before(year: int, newest: str) -> sa.Select[Any]:
    """One row: a customer with balances in the year but not in its newest month, with its last balance of the year."""
    in_newest = sa.select(_balance.customer_id).where(_balance.year_month == newest).scalar_subquery()
    return latest_balances(_balance.customer_id, _balance.closing_balance).where(
        _is_in(year), _balance.year_month < newest, _balance.customer_id.not_in(in_newest)
    )


def top_customers(year: int) -> sa.Select[Any]:
    """One row: one of the customers with the largest volume of the year, with the sums over its months.

    The last column is the number of all customers with a balance in the year; the query reads them anyway.
    """
    volume = sa.func.sum(_balance.total_volume_sm3).label("volume")
    top = (
        sa.select(_balance.customer_id, volume, sa.func.count().over().label("customers"))
        .where(_is_in(year))
        .group_by(_balance.customer_id)
        .order_by(volume.desc(), _balance.customer_id)
        .limit(_TOP)
        .subquery("top")
    )
    return (
        sa.select(
            top.c.customer_id,
            customers.c.name,
            top.c.volume,
            sa.func.sum(_balance.total_purchases),
            sa.func.round(sa.func.avg(_balance.closing_balance), 2),
            top.c.customers,
        )
        .join_from(top, monthly_customer_balances, _balance.customer_id == top.c.customer_id)
        .outerjoin(customers, customers.c.customer_id == top.c.customer_id)
        .where(_is_in(year))
        .group_by(top.c.customer_id, customers.c.name, top.c.volume, top.c.customers)
        .order_by(top.c.volume.desc(), top.c.customer_id)
    )
