"""A year of the whole ledger in figures: its sums, its months, its largest customers.

Every row of the year is added up, which takes most of a second for a hundred thousand customers: whoever asks often
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

_balance = monthly_customer_balances.c
_TOP = 10


@dataclass(frozen=True)
class MonthOfAll:
    """A month with the sums over all customers; ``customers`` is how many have a balance."""

    year_month: str
    customers: int
    monthly_deposits: Decimal
    monthly_purchases: Decimal
    monthly_balance: Decimal
    monthly_volume: Decimal


@dataclass(frozen=True)
class TopCustomer:
    """A customer with the sums of the year; ``avg_balance`` is the mean of its closing balances, to the cent."""

    id: int
    name: str | None
    total_volume: Decimal
    total_purchases: Decimal
    avg_balance: Decimal


@dataclass(frozen=True)
class YearSummary:
    """A year in figures.

    Attributes:
        year: Which one.
        as_of: The server's time when it was added up.
        total_customers: How many customers have a balance in the year.
        total_deposits: Of all months.
        total_purchases: Of all months.
        total_closing_balance: The sum of each customer's balance in the last month of the year that has one.
        total_volume: Of all months.
        months: Those that have balances, in order.
        top_customers: The ten with the largest volume.
    """

    year: int
    as_of: datetime
    total_customers: int
    total_deposits: Decimal
    total_purchases: Decimal
    total_closing_balance: Decimal
    total_volume: Decimal
    months: Sequence[MonthOfAll]
    top_customers: Sequence[TopCustomer]


def year_summary(connection: sa.Connection, year: int) -> YearSummary:
    """A year in figures that agree with each other.

    Args:
        connection: In a transaction of its own in REPEATABLE READ, so that all statements see the same rows.
        year: Which one.
    """
    # The rows of a year lie all over the table: to read it through takes half as long as to follow the index.
    connection.execute(sa.text("SET LOCAL enable_indexscan = off"))
    months = [MonthOfAll(*row) for row in connection.execute(months_of(year))]
    as_of = connection.execute(sa.select(sa.func.now())).scalar_one()
    top = connection.execute(largest_customers(year)).all()
    counted = top[0].customers if top else 0
    closing = months[-1].monthly_balance if months else Decimal("0.00")
    if months and counted > months[-1].customers:  # rare: customers of whom no further month was computed
        left = connection.execute(left_before(year, months[-1].year_month))
        closing = total((closing, *(row.closing_balance for row in left)), 2)
    return YearSummary(
        year=year,
        as_of=as_of,
        total_customers=counted,
        total_deposits=total((month.monthly_deposits for month in months), 2),
        total_purchases=total((month.monthly_purchases for month in months), 2),
        total_closing_balance=closing,
        total_volume=total((month.monthly_volume for month in months), 4),
        months=months,
        top_customers=[TopCustomer(*row[:-1]) for row in top],
    )


def years_with_balances(connection: sa.Connection) -> list[int]:
    """The years from the first to the last month that has balances, the newest first."""
    first, last = connection.execute(
        sa.select(sa.func.min(_balance.year_month), sa.func.max(_balance.year_month))
    ).one()
    return [] if first is None else list(range(int(last[:4]), int(first[:4]) - 1, -1))


def _in(year: int) -> sa.ColumnElement[bool]:
    return _balance.year_month.between(f"{year:04d}-01", f"{year:04d}-12")


def months_of(year: int) -> sa.Select[Any]:
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


def largest_customers(year: int) -> sa.Select[Any]:
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
