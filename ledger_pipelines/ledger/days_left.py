"""Current balances grouped by how long they last: number of customers and sum of balances in each group.

The rule is that of the alerts (docs/rules.md, "Low balances"); this module only counts.
"""

from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.alerts import USE_WINDOW_DAYS, LowBalanceLimits, current_positions, low_balance_kinds

DAYS_LEFT_GROUPS = ("owes", "low", "under 2 weeks", "2 to 6 weeks", "longer", "no use")
"""Every customer with a balance of the current month is in exactly one group; a negative balance is in ``owes``."""


@dataclass(frozen=True)
class DaysLeftGroup:
    """One of `DAYS_LEFT_GROUPS`, with its number of customers and the sum of their balances in rupiah."""

    group: str
    customers: int
    balance: Decimal


def balances_by_days_left(connection: sa.Connection, horizon: Horizon, limits: LowBalanceLimits) -> list[DaysLeftGroup]:
    """Count the current balances by the days that they last at the average use, in the order of `DAYS_LEFT_GROUPS`.

    Args:
        connection: To the warehouse.
        horizon: The months that count; the last one is the current month.
        limits: Default limits, for customers without limits of their own.
    """
    position = current_positions(None, horizon, limits).subquery("positions").c
    covered = position.balance * USE_WINDOW_DAYS
    group = sa.case(
        (position.balance < 0, "owes"),
        (sa.or_(*low_balance_kinds(position).values()), "low"),
        (position.use.is_(None), "no use"),
        (covered < 14 * position.use, "under 2 weeks"),
        (covered <= 42 * position.use, "2 to 6 weeks"),
        else_="longer",
    ).label("days_left")
    counted = sa.select(group, sa.func.count(), sa.func.sum(position.balance)).group_by(group)
    found = {name: DaysLeftGroup(name, *figures) for name, *figures in connection.execute(counted)}
    return [found.get(name, DaysLeftGroup(name, 0, Decimal(0))) for name in DAYS_LEFT_GROUPS]
