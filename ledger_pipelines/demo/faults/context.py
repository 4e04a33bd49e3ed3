"""Context of a fault: an account, the plan and its months, and helpers that select or add rows."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from ledger_pipelines.demo.accounts import DemoAccount, DemoDeposit, DemoReading
from ledger_pipelines.demo.payments import replace_deposits
from ledger_pipelines.demo.plan import BillingDemoPlan, Timeline


@dataclass(frozen=True)
class FaultContext:
    """An account to modify, its index in the plan (from 0), the plan and its months."""

    account: DemoAccount
    index: int
    plan: BillingDemoPlan
    timeline: Timeline

    def middle_reading(self) -> Sequence[DemoReading]:
        """Return one reading from the middle of the account's history, or none."""
        readings = self.account.readings
        return readings[len(readings) // 2 :][:1]

    def middle_deposit(self) -> Sequence[DemoDeposit]:
        """Return one entry from the middle of the account's deposits, or none."""
        deposits = self.account.deposits or []
        return deposits[len(deposits) // 2 :][:1]

    def add_readings(self, readings: Sequence[DemoReading]) -> int:
        """Append readings to the account; return their number."""
        self.account.readings.extend(readings)
        return len(readings)

    def add_deposit(self, deposit: DemoDeposit) -> int:
        """Insert a deposit into the history, by date; return 1, or 0 if the history is NULL."""
        if self.account.deposits is None:
            return 0
        insort(self.account.deposits, deposit, key=lambda entry: entry.date or "")
        return 1

    def replace_deposits(self) -> None:
        """Recompute all deposits after the readings have changed."""
        replace_deposits(self.account, self.index, self.plan, self.timeline)
