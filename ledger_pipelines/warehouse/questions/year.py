"""What is asked of a year: its sums, its months, and the customers that used most.

Every balance of the year is added up, which takes half a second for a hundred thousand customers: whoever asks often
keeps the answer for a while, and says as of when it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from ledger_pipelines.warehouse.questions.exact import total
from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances

_TOP = 10
_balance = monthly_customer_balances.c


@dataclass(frozen=True)
class Summary:
    """A year's sums; `total_closing_balance` adds each customer's balance in the last month that has one."""

    total_customers: int
    total_deposits: Decimal
    total_purchases: Decimal
    total_closing_balance: Decimal
    total_volume: Decimal


@dataclass(frozen=True)
class MonthTrend:
    """The sums over all customers of a month; ``customers`` is how many have a balance."""

    year_month: str
    customers: int
    monthly_deposits: Decimal
    monthly_purchases: Decimal
    monthly_balance: Decimal
    monthly_volume: Decimal


@dataclass(frozen=True)
class TopCustomer:
    """A customer that used much in a year; ``avg_balance`` is the mean of its closing balances, to the cent."""

    id: int
    name: str | None
    total_volume: Decimal
    total_purchases: Decimal
    avg_balance: Decimal


@dataclass(frozen=True)
class Year:
    """A year in figures."""

    year: int
    summary: Summary
    monthly_trend: Sequence[MonthTrend]
    top_customers: Sequence[TopCustomer]
    generated_at: datetime


def year_of(connection: sa.Connection, year: int) -> Year:
    """A year in figures; one without any balance has sums of 0, no months and no customers.

    The connection is to be in a transaction of its own in REPEATABLE READ, so that the figures agree with each other.
    """
    # The rows of a year lie all over the table: to read it through takes half as long as to follow the index.
    connection.execute(sa.text("SET LOCAL enable_indexscan = off"))
    months = [MonthTrend(*row) for row in connection.execute(monthly_trend(year))]
    top = connection.execute(top_customers(year)).all()
    return Year(
        year=year,
        summary=_summary(connection, year, months, top[0].customers if top else 0),
        monthly_trend=months,
        top_customers=[TopCustomer(*row[:-1]) for row in top],
        generated_at=connection.execute(sa.select(sa.func.now())).scalar_one(),
    )


def years_with_balances(connection: sa.Connection) -> list[int]:
    """The years from the first to the last month that has balances, the newest first."""
    first, last = connection.execute(
        sa.select(sa.func.min(_balance.year_month), sa.func.max(_balance.year_month))
    ).one()
    return [] if first is None else list(range(int(last[:4]), int(first[:4]) - 1, -1))


def _summary(connection: sa.Connection, year: int, months: Sequence[MonthTrend], customers_then: int) -> Summary:
    closing = [months[-1].monthly_balance] if months else []
    if months and customers_then > months[-1].customers:  # rare: customers of whom no further month was computed
        left = connection.execute(left_before(year, months[-1].year_month))
        closing += [row.closing_balance for row in left]
    return Summary(
        total_customers=customers_then,
        total_deposits=total((month.monthly_deposits for month in months), 2),
        total_purchases=total((month.monthly_purchases for month in months), 2),
        total_closing_balance=total(closing, 2),
        total_volume=total((month.monthly_volume for month in months), 4),
    )


def _in(year: int) -> sa.ColumnElement[bool]:
    return _balance.year_month.between(f"{year:04d}-01", f"{year:04d}-12")


def monthly_trend(year: int) -> sa.Select[Any]:
    """One row: a month of the year that has balances, with the sums over all customers."""
    sums = ("total_deposits", "total_purchases", "closing_balance", "total_volume_sm3")
    return (
        sa.select(_balance.year_month, sa.func.count(), *(sa.func.sum(_balance[name]) for name in sums))
        .where(_in(year))
        .group_by(_balance.year_month)
        .order_by(_balance.year_month)
    )


def left_before(year: int, newest: str) -> sa.Select[Any]:
    """One row: a customer with balances in the year but none in its newest month, with the last balance it has."""
    stayed = sa.select(_balance.customer_id).where(_balance.year_month == newest).scalar_subquery()
    return (
        sa.select(_balance.customer_id, _balance.closing_balance)
        .ext(distinct_on(_balance.customer_id))
        .where(_in(year), _balance.year_month < newest, _balance.customer_id.not_in(stayed))
        .order_by(_balance.customer_id, _balance.year_month.desc())
    )


def top_customers(year: int) -> sa.Select[Any]:
    """One row: one of the customers with the largest volume of the year, with the sums over its months.

    The last column is how many customers have a balance in the year: they have all been looked at.
    """
    volume = sa.func.sum(_balance.total_volume_sm3).label("volume")
    top = (
        sa.select(_balance.customer_id, volume, sa.func.count().over().label("customers"))
        .where(_in(year))
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
        .where(_in(year))
        .group_by(top.c.customer_id, customers.c.name, top.c.volume, top.c.customers)
        .order_by(top.c.volume.desc(), top.c.customer_id)
    )
