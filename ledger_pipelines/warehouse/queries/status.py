"""Status of the ledger: numbers of rows and the latest updates.

Slow: the queries count rows of large tables, so call them rarely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import (
    customers,
    monthly_customer_balances,
    transaction_calculations,
)
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal, YearMonthKey

_RECENT = 10
_balance = monthly_customer_balances.c


@dataclass(frozen=True)
class RecentUpdate:
    """Recently written balance."""

    customer_name: str | None
    year_month: YearMonthKey
    last_calculated_at: datetime
    closing_balance: ExactDecimal


@dataclass(frozen=True)
class StatusSummary:
    """Status of the ledger.

    Attributes:
        total_monthly_balances: Number of rows of `monthly_customer_balances`.
        total_transaction_calculations: Number of rows of `transaction_calculations`.
        active_customers: Number of the billing application's customers that have a balance.
        recent_updates: The balances that changed last, newest first.
        checked_at: The time of the counts.
    """

    total_monthly_balances: int
    total_transaction_calculations: int
    active_customers: int
    recent_updates: Sequence[RecentUpdate]
    checked_at: datetime


def status_summary(connection: sa.Connection) -> StatusSummary:
    """Return the current status."""
    counted = connection.execute(_counts()).one()
    updates = [RecentUpdate(*row) for row in connection.execute(_recent_updates())]
    return StatusSummary(**counted._mapping, recent_updates=updates)


def _counts() -> sa.Select[Any]:
    """One row: the counts and their time."""
    balance_of_customer = sa.select(1).where(_balance.customer_id == customers.c.customer_id)
    counts = {
        "total_monthly_balances": sa.select(sa.func.count()).select_from(monthly_customer_balances),
        "total_transaction_calculations": sa.select(sa.func.count()).select_from(transaction_calculations),
        "active_customers": sa.select(sa.func.count()).select_from(customers).where(sa.exists(balance_of_customer)),
    }
    columns = [count.scalar_subquery().label(name) for name, count in counts.items()]
    return sa.select(*columns, sa.func.now().label("checked_at"))


def _recent_updates() -> sa.Select[Any]:
    """One row: a recently changed balance, newest first."""
    newest = (
        sa.select(_balance.customer_id, _balance.year_month, _balance.last_calculated_at, _balance.closing_balance)
        .order_by(_balance.last_calculated_at.desc(), _balance.year_month.desc(), _balance.customer_id)
        .limit(_RECENT)
        .subquery()
    )
    return (
        sa.select(customers.c.name, newest.c.year_month, newest.c.last_calculated_at, newest.c.closing_balance)
        .outerjoin_from(newest, customers, customers.c.customer_id == newest.c.customer_id)
        .order_by(newest.c.last_calculated_at.desc(), newest.c.year_month.desc(), newest.c.customer_id)
    )
