"""What is asked of a year: its sums, its months, and the customers that used most. It reads the year's balances."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances

_TOP = 10
_balance = monthly_customer_balances.c


@dataclass(frozen=True)
class Summary:
    """A year's sums; what is closed is each customer's balance in the last month of the year that has one."""

    total_customers: int
    total_deposits: Decimal
    total_purchases: Decimal
    total_closing_balance: Decimal
    total_volume: Decimal


@dataclass(frozen=True)
class MonthTrend:
    """The sums over all customers of a month."""

    year_month: str
    monthly_deposits: Decimal
    monthly_purchases: Decimal
    monthly_balance: Decimal
    monthly_volume: Decimal


@dataclass(frozen=True)
class TopCustomer:
    """A customer that used much in a year."""

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
    """A year in figures; one without any balance has sums of 0, no months and no customers."""
    return Year(
        year=year,
        summary=Summary(*connection.execute(summary(year)).one()),
        monthly_trend=[MonthTrend(*row) for row in connection.execute(monthly_trend(year))],
        top_customers=[TopCustomer(*row) for row in connection.execute(top_customers(year))],
        generated_at=connection.execute(sa.select(sa.func.now())).scalar_one(),
    )


def monthly_trend(year: int) -> sa.Select[Any]:
    """One row: a month of the year with the sums of its balances."""
    return (
        sa.select(
            _balance.year_month,
            sa.func.sum(_balance.total_deposits),
            sa.func.sum(_balance.total_purchases),
            sa.func.sum(_balance.closing_balance),
            sa.func.sum(_balance.total_volume_sm3),
        )
        .where(_of(year))
        .group_by(_balance.year_month)
        .order_by(_balance.year_month)
    )


def summary(year: int) -> sa.Select[Any]:
    """One row: the sums of the year; what is closed is each customer's balance in its last month of the year."""
    last = (
        sa.select(_balance.customer_id, sa.func.max(_balance.year_month).label("year_month"))
        .where(_of(year))
        .group_by(_balance.customer_id)
        .subquery()
    )
    closed = sa.select(sa.func.count(), _sum(_balance.closing_balance)).select_from(
        monthly_customer_balances.join(
            last, sa.and_(_balance.customer_id == last.c.customer_id, _balance.year_month == last.c.year_month)
        )
    )
    moved = sa.select(
        _sum(_balance.total_deposits), _sum(_balance.total_purchases), _sum(_balance.total_volume_sm3)
    ).where(_of(year))
    last_balances, movements = closed.subquery(), moved.subquery()
    customers_then, balance = last_balances.c
    deposits, purchases, volume = movements.c
    return sa.select(customers_then, deposits, purchases, balance, volume).join_from(
        last_balances, movements, sa.true()
    )


def top_customers(year: int) -> sa.Select[Any]:
    """One row: one of the customers that used most in the year, the greatest first."""
    used = (
        sa.select(
            _balance.customer_id,
            sa.func.sum(_balance.total_volume_sm3).label("total_volume"),
            sa.func.sum(_balance.total_purchases).label("total_purchases"),
            sa.func.round(sa.func.avg(_balance.closing_balance), 2).label("avg_balance"),
        )
        .where(_of(year))
        .group_by(_balance.customer_id)
        .order_by(sa.desc("total_volume"), _balance.customer_id)
        .limit(_TOP)
        .subquery()
    )
    columns = used.c
    return (
        sa.select(
            columns.customer_id, customers.c.name, columns.total_volume, columns.total_purchases, columns.avg_balance
        )
        .outerjoin_from(used, customers, customers.c.customer_id == columns.customer_id)
        .order_by(columns.total_volume.desc(), columns.customer_id)
    )


def _of(year: int) -> sa.ColumnElement[bool]:
    return _balance.year_month.between(f"{year:04d}-01", f"{year:04d}-12")


def _sum(column: sa.Column[Any]) -> sa.ColumnElement[Decimal]:
    """The sum, 0 with the column's decimals if there is nothing to add."""
    return sa.func.coalesce(sa.func.sum(column), sa.cast(0, column.type))
