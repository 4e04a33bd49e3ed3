"""Tests that the default demo is plausible on every day: most balances last for weeks, few are low or negative."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger_pipelines.demo import BillingDemoPlan
from ledger_pipelines.demo.accounts import READING_COLUMNS, USER_COLUMNS
from ledger_pipelines.demo.faults import FAULT_KINDS
from ledger_pipelines.demo.load import make_accounts
from ledger_pipelines.demo.plan import WIB, Timeline
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.reference import alerts, ledger
from ledger_pipelines_tests.reference.model import Ledger, SourceState
from ledger_pipelines_tests.reference.values import months

# Slow: these tests cover the demo's generators only.
pytestmark = pytest.mark.slow

DAYS = (
    "2026-11-30", "2026-12-01", "2026-12-15", "2026-12-24", "2026-12-31", "2027-01-01", "2027-02-28", "2027-03-01",
    "2027-03-24", "2027-07-08", "2027-07-31", "2028-02-28", "2028-02-29", "2028-03-31",
)  # fmt: skip
"""Days at the start, middle and end of months, and days whose preceding 30 days have the fewest or most readings."""
DECIMALS = ("harga_per_meter_kubik", "tekanan_keluar", "suhu", "koreksi_meter")
DEBTOR, MISTYPED = 15, 23
"""Customers: one with two months of debt, and one with a reading of 12,011,212 m³."""


@dataclass(frozen=True)
class Demo:
    """The default demo made on a day, and its ledger computed by the reference."""

    plan: BillingDemoPlan
    ledger: Ledger

    @property
    def balances(self) -> dict[int, Decimal]:
        """Return the current balance of each customer."""
        current = self.plan.current_month
        return {
            customer: row.closing_balance for (customer, month), row in self.ledger.balances.items() if month == current
        }


@pytest.fixture(scope="module", params=DAYS)
def demo(request: pytest.FixtureRequest) -> Demo:
    """Return the default demo of a day."""
    midnight = datetime.fromisoformat(request.param).replace(tzinfo=WIB)
    plan = BillingDemoPlan(current_month=f"{midnight:%Y-%m}", until=midnight)
    first_month = Settings.model_fields["first_month"].default
    return Demo(plan, ledger.compute_ledger(source_of(plan), first_month=first_month, current_month=plan.current_month))


def source_of(plan: BillingDemoPlan) -> SourceState:
    """Return the rows of a demo in the reference's format."""
    users: list[dict[str, Any]] = []
    readings: list[dict[str, Any]] = []
    for account in make_accounts(plan, Timeline(plan), {kind.name: 0 for kind in FAULT_KINDS}):
        user = dict(zip(USER_COLUMNS, account.row(), strict=True))
        exact = {name: None if (text := user[name]) is None else Decimal(text) for name in DECIMALS}
        users.append(user | exact | {"id": int(user["id"] or 0)})
        for row in account.reading_rows(len(readings) + 1):
            reading = dict(zip(READING_COLUMNS, row, strict=True))
            ids = {name: int(reading[name] or 0) for name in ("id", "customer_id")}
            readings.append(reading | ids)
    return SourceState(tuple(users), tuple(readings))


@pytest.mark.parametrize("hours", [0, 12, 23.9])
def test_most_balances_last_weeks_and_few_are_low(demo: Demo, hours: float) -> None:
    assert demo.plan.until is not None
    now = demo.plan.until + timedelta(hours=hours)
    left = {
        customer: alerts.days_left(demo.ledger, customer, balance, now) for customer, balance in demo.balances.items()
    }
    owing = {customer for customer, balance in demo.balances.items() if balance < 0}
    low = {customer for customer, days in left.items() if days is not None and days < alerts.Limits().days}
    weeks = {customer for customer, days in left.items() if days is not None and 14 <= days <= 42}
    assert len(demo.balances) == 36
    assert (len(owing), len(low)) == (3, 6), (owing, low)
    assert owing < low
    assert len(weeks) >= 25, {customer: round(float(days or 0), 1) for customer, days in left.items()}


def test_sums_are_plausible(demo: Demo) -> None:
    balances = demo.balances.values()
    assert min(balances) > -3_000_000_000
    assert 20_000_000_000 < sum(balances) < 60_000_000_000


def test_balances_stay_within_bounds_over_the_history(demo: Demo) -> None:
    """Customers run short in the last weeks, the debtor in the last months; earlier, all balances last for weeks."""
    ended = list(months(demo.plan.first_month, demo.plan.current_month))[:-2]
    for month in ended:
        rows = {customer: row for (customer, of), row in demo.ledger.balances.items() if of == month}
        owing = {customer for customer, row in rows.items() if row.closing_balance < 0}
        assert owing <= ({DEBTOR} if month in ended[-2:] else set()), month
        usual = [row for customer, row in rows.items() if customer != MISTYPED]
        ratio = sum(row.closing_balance for row in usual) / sum(row.total_purchases for row in usual)
        assert Decimal("0.4") < ratio < Decimal("0.9"), month


def test_mistyped_reading_is_billed_and_credited(demo: Demo) -> None:
    """The reading is billed as typed, and the month's closing balance is normal."""
    rows = {month: row for (customer, month), row in demo.ledger.balances.items() if customer == MISTYPED}
    worst = max(rows.values(), key=lambda row: row.total_purchases)
    assert worst.total_purchases > 100_000_000_000
    assert 0 < worst.closing_balance < 2_000_000_000


@pytest.mark.parametrize("until", ["2027-03-01T00:00", "2027-03-01T09:00", "2027-03-09T13:37", "2027-03-31T23:59"])
@pytest.mark.parametrize(
    ("customers", "months", "readings_per_month"), [(1, 1, 1), (40, 1, 4), (40, 3, 1), (37, 5, 100)]
)
def test_deposits_are_in_office_hours_before_until(
    until: str, customers: int, months: int, readings_per_month: int
) -> None:
    end = datetime.fromisoformat(until).replace(tzinfo=WIB)
    plan = BillingDemoPlan(
        current_month="2027-03", until=end, customers=customers, months=months, readings_per_month=readings_per_month
    )
    faults = {kind.name: 0 for kind in FAULT_KINDS}
    deposits = [entry for account in make_accounts(plan, Timeline(plan), faults) for entry in account.deposits or ()]
    dates = [entry.date for entry in deposits if entry.date is not None]
    assert bool(dates) == (customers > 1)
    assert all(date <= f"{end:%Y-%m-%d %H:%M:%S}" and "08:00" <= date[11:16] < "16:00" for date in dates)
    assert all(entry.signed for entry in deposits)
