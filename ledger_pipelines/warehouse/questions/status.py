"""What is asked of the ledger as a whole: how large it is, how current, and what changed last.

These are counts of large tables: ask them seldom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import (
    customers,
    monthly_customer_balances,
    pending_changes,
    stale_months,
    transaction_calculations,
)

_RECENT = 10
_balance = monthly_customer_balances.c


@dataclass(frozen=True)
class Update:
    """A balance that was written."""

    customer_name: str | None
    year_month: str
    last_calculated_at: datetime
    closing_balance: Decimal


@dataclass(frozen=True)
class Status:
    """The ledger in numbers.

    Attributes:
        total_monthly_balances: Rows of `monthly_customer_balances`.
        total_transaction_calculations: Rows of `transaction_calculations`.
        active_customers: The billing application's customers that have a balance.
        pending_changes: Changes of the billing application that wait to be taken up; those put aside do not.
        stale_months: Months whose inputs changed and which were not recalculated yet.
        recent_updates: The balances that were written last, the newest first.
        checked_at: When it was so.
    """

    total_monthly_balances: int
    total_transaction_calculations: int
    active_customers: int
    pending_changes: int
    stale_months: int
    recent_updates: Sequence[Update]
    checked_at: datetime


def status(connection: sa.Connection) -> Status:
    """The ledger in numbers, now."""
    counted = connection.execute(_counts()).one()
    updates = [Update(*row) for row in connection.execute(_recent_updates())]
    return Status(**counted._mapping, recent_updates=updates)


def _counts() -> sa.Select[Any]:
    """One row: the counts, and when they were taken."""
    of_customer = sa.select(1).where(_balance.customer_id == customers.c.customer_id)
    counts = {
        "total_monthly_balances": sa.select(sa.func.count()).select_from(monthly_customer_balances),
        "total_transaction_calculations": sa.select(sa.func.count()).select_from(transaction_calculations),
        "active_customers": sa.select(sa.func.count()).select_from(customers).where(sa.exists(of_customer)),
        "pending_changes": sa.select(sa.func.count()).select_from(pending_changes).where(~pending_changes.c.held),
        "stale_months": sa.select(sa.func.count()).select_from(stale_months),
    }
    columns = [count.scalar_subquery().label(name) for name, count in counts.items()]
    return sa.select(*columns, sa.func.now().label("checked_at"))


def _recent_updates() -> sa.Select[Any]:
    """One row: a balance that was written of late, the newest first."""
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
