"""Reference for low balances (docs/rules.md): limits of one customer, and the alerts of a series of evaluations."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

from ledger_pipelines_tests.reference.model import Ledger

DAYS_OF_USE = 30


@dataclass(frozen=True)
class Limits:
    """Limits of a low balance: a threshold in rupiah, and a minimum number of days (0: disabled)."""

    threshold: Decimal = Decimal("0.00")
    days: int = 7


@dataclass(frozen=True)
class Alert:
    """Alert recorded when a balance becomes low."""

    customer_id: int
    kind: str
    balance: Decimal
    threshold: Decimal
    days_left: Decimal | None
    days: int


@dataclass(frozen=True)
class Evaluation:
    """Evaluation of a balance: for each kind the alert, and whether the balance is low (None: unknown)."""

    alerts: dict[str, tuple[Alert, bool | None]] = field(default_factory=dict)


def recent_use(ledger: Ledger, customer_id: int, at: datetime) -> Fraction:
    """Return the sum of the customer's purchases in the 30 days up to a moment, in rupiah."""
    since = at - timedelta(days=DAYS_OF_USE)
    own = [one for one in ledger.transactions.values() if one.customer_id == customer_id]
    return sum((Fraction(one.total_harga) for one in own if since < one.transaction_date <= at), Fraction(0))


def days_left(ledger: Ledger, customer_id: int, balance: Decimal, at: datetime) -> Fraction | None:
    """Return the number of days that a balance lasts at the average use; None without use."""
    used = recent_use(ledger, customer_id, at)
    return None if used <= 0 else max(Fraction(balance), Fraction(0)) / (used / DAYS_OF_USE)


def evaluate(
    ledger: Ledger, customer_id: int, limits: Limits, *, current_month: str, at: datetime
) -> Evaluation | None:
    """Evaluate a customer's balance at a moment; None if the customer has no balance of the current month."""
    month = ledger.balances.get((customer_id, current_month))
    if month is None:
        return None
    balance = month.closing_balance
    left = days_left(ledger, customer_id, balance, at)
    truncated = None if left is None else Decimal(floor(left * 10)) / 10
    is_low = {
        "threshold": balance < limits.threshold,
        "days_left": False if limits.days == 0 else None if left is None else left < limits.days,
    }
    return Evaluation(
        {
            kind: (Alert(customer_id, kind, balance, limits.threshold, truncated, limits.days), low)
            for kind, low in is_low.items()
        }
    )


@dataclass
class AlertLog:
    """Alerts recorded so far: open ones by customer and kind, and cleared ones."""

    opened: dict[tuple[int, str], Alert] = field(default_factory=dict)
    cleared: list[Alert] = field(default_factory=list)

    def record(self, customer_id: int, evaluation: Evaluation | None, *, has_balances: bool) -> None:
        """Record the result of evaluating one customer."""
        if evaluation is None:
            for key in [key for key in self.opened if key[0] == customer_id and not has_balances]:
                self.cleared.append(self.opened.pop(key))
            return
        for kind, (alert, is_low) in evaluation.alerts.items():
            key = customer_id, kind
            if is_low and key not in self.opened:
                self.opened[key] = alert
            elif is_low is False and key in self.opened:
                self.cleared.append(self.opened.pop(key))
