"""How long current balances last: how many customers owe, are low, or have some weeks left, and with what balances.

The rule is that of the alerts (docs/rules.md, "Low balances"); this module only counts by it.
"""

from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.alerts import DAYS_OF_USE, LowBalance, standings

GROUPS = ("owes", "low", "under 2 weeks", "2 to 6 weeks", "longer", "no use")
"""Every customer with a balance of the current month is in one of these; a low balance that is negative owes."""


@dataclass(frozen=True)
class DaysLeft:
    """One of `GROUPS`: the number of its customers, and the sum of their balances in rupiah."""

    group: str
    customers: int
    balance: Decimal


def balances_by_days_left(connection: sa.Connection, horizon: Horizon, low: LowBalance) -> list[DaysLeft]:
    """Count the current balances by the days that they last at the average use, one row for each group.

    Args:
        connection: To the warehouse.
        horizon: The months that count; its last is the current one.
        low: When a balance is low, unless a threshold is set for the customer.
    """
    standing = standings(None, horizon, low).subquery("standing").c
    covered = standing.balance * DAYS_OF_USE  # compared with days × use: exact, where a quotient is not
    is_low = sa.or_(
        standing.balance < standing.threshold, sa.and_(standing.days > 0, covered < standing.days * standing.use)
    )
    group = sa.case(
        (standing.balance < 0, "owes"),
        (is_low, "low"),
        (standing.use.is_(None), "no use"),
        (covered < 14 * standing.use, "under 2 weeks"),
        (covered <= 42 * standing.use, "2 to 6 weeks"),
        else_="longer",
    ).label("days_left")
    counted = sa.select(group, sa.func.count(), sa.func.sum(standing.balance)).group_by(group)
    found = {name: DaysLeft(name, *figures) for name, *figures in connection.execute(counted)}
    return [found.get(name, DaysLeft(name, 0, Decimal(0))) for name in GROUPS]
