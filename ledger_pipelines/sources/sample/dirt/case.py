"""What a fault is made of: an account, the plan's months, and the rows in the middle of the account's history."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from ledger_pipelines.sources.sample.accounts import Account, Deposit, Reading
from ledger_pipelines.sources.sample.payments import prepay
from ledger_pipelines.sources.sample.plan import SeedPlan, Timeline


@dataclass(frozen=True)
class Case:
    """An account to spoil, its place in the plan (from 0), the plan and its months."""

    account: Account
    index: int
    plan: SeedPlan
    timeline: Timeline

    def reading(self) -> Sequence[Reading]:
        """Give one reading from the middle of the account's history, or none."""
        readings = self.account.readings
        return readings[len(readings) // 2 :][:1]

    def deposit(self) -> Sequence[Deposit]:
        """Give one entry from the middle of the account's deposits, or none."""
        deposits = self.account.deposits or []
        return deposits[len(deposits) // 2 :][:1]

    def enter(self, readings: Sequence[Reading]) -> int:
        """Append readings to the account's; give their number."""
        self.account.readings.extend(readings)
        return len(readings)

    def pay(self, deposit: Deposit) -> int:
        """Put a deposit into the history, by its date; give 1, or 0 where there is no history."""
        if self.account.deposits is None:
            return 0
        insort(self.account.deposits, deposit, key=lambda entry: entry.date or "")
        return 1

    def pay_again(self) -> None:
        """Replace all deposits by those that the readings, which have changed, call for."""
        prepay(self.account, self.index, self.plan, self.timeline)
