"""Low balances by docs/rules.md, slowly: what is low for one customer, and which crossings a series of looks sees."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

from ledger_pipelines_tests.reference.model import Ledger

DAYS_OF_USE = 30


@dataclass(frozen=True)
class Limits:
    """When a customer's balance is low: below so many rupiah, or lasting fewer than so many days (0: never)."""

    threshold: Decimal = Decimal("0.00")
    days: int = 7


@dataclass(frozen=True)
class Alert:
    """What is recorded when a balance becomes low."""

    customer_id: int
    kind: str
    balance: Decimal
    threshold: Decimal
    days_left: Decimal | None
    days: int


@dataclass(frozen=True)
class Look:
    """What one customer's balance is at a moment: for each kind an alert, and whether it is low (None: unknown)."""

    alerts: dict[str, tuple[Alert, bool | None]] = field(default_factory=dict)


def use(ledger: Ledger, customer_id: int, at: datetime) -> Fraction:
    """What the customer's purchases of the 30 days up to a moment came to, in rupiah."""
    since = at - timedelta(days=DAYS_OF_USE)
    mine = [one for one in ledger.transactions.values() if one.customer_id == customer_id]
    return sum((Fraction(one.total_harga) for one in mine if since < one.transaction_date <= at), Fraction(0))


def days_left(ledger: Ledger, customer_id: int, balance: Decimal, at: datetime) -> Fraction | None:
    """How many days a balance lasts at the average use; None if there was no use."""
    used = use(ledger, customer_id, at)
    return None if used <= 0 else max(Fraction(balance), Fraction(0)) / (used / DAYS_OF_USE)


def look(ledger: Ledger, customer_id: int, limits: Limits, *, current_month: str, at: datetime) -> Look | None:
    """What is low for a customer at a moment; None if the customer has no balance of the current month."""
    month = ledger.balances.get((customer_id, current_month))
    if month is None:
        return None
    balance = month.closing_balance
    left = days_left(ledger, customer_id, balance, at)
    cut = None if left is None else Decimal(floor(left * 10)) / 10
    is_low = {
        "threshold": balance < limits.threshold,
        "days_left": False if limits.days == 0 else None if left is None else left < limits.days,
    }
    return Look(
        {
            kind: (Alert(customer_id, kind, balance, limits.threshold, cut, limits.days), low)
            for kind, low in is_low.items()
        }
    )


@dataclass
class Journal:
    """What has been recorded so far: alerts that are open, by customer and kind, and those that were cleared."""

    opened: dict[tuple[int, str], Alert] = field(default_factory=dict)
    cleared: list[Alert] = field(default_factory=list)

    def take(self, customer_id: int, seen: Look | None, *, has_balances: bool) -> None:
        """Record what a look at one customer comes to."""
        if seen is None:
            for key in [key for key in self.opened if key[0] == customer_id and not has_balances]:
                self.cleared.append(self.opened.pop(key))
            return
        for kind, (alert, is_low) in seen.alerts.items():
            key = customer_id, kind
            if is_low and key not in self.opened:
                self.opened[key] = alert
            elif is_low is False and key in self.opened:
                self.cleared.append(self.opened.pop(key))
