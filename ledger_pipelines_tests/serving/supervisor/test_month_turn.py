"""Turn of a month, of a year and of a leap day under `ledger up`, with one clock for all processes.

`pytest -n 0 -m slow --log-cli-level=INFO` on this file shows the observations second by second.
"""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import month_of
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.shifted_clock import ShiftedUp, running_shifted_up

EARLY = Decimal(1_000_000)
#: Seconds around midnight at which commands are started; a command takes some seconds.
COMMANDS = (-30, -5, 1, 20)
AROUND_SECONDS = 40
#: Checks that may fail between two steps of the first run of the month, which may load a reading of the first seconds
#: before the real-time sensors do.
BETWEEN_STEPS = ("nothing_stale", "every_reading_accounted_for", "sums_match_rows")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WIB)


@pytest.fixture(scope="module")
def up() -> Iterator[ShiftedUp]:
    with running_shifted_up(at("2026-11-30 03:30")) as running:
        running.settle()
        yield running


@dataclass
class Observation:
    """Answers of API and dashboard at one moment; `at` is the time before the first request."""

    at: datetime
    balance: dict[str, Any]
    year: dict[str, Any]
    status: str
    page_year: str
    commands: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        trend, of = self.year["monthly_trend"][-1], self.balance["balance"]
        return (
            f"{self.at:%Y-%m-%d %H:%M:%S} | {self.status:11} | {self.balance['year_month']} "
            f"{of['opening_balance']:>16} {of['closing_balance']:>16} | {self.year['year']} to {trend['year_month']} "
            f"| {self.page_year} | {' '.join(self.commands)}"
        )


@dataclass
class Midnight:
    """Observations around one midnight.

    Attributes:
        up: The running `ledger up`.
        moment: Midnight.
        customer: The observed customer, which has a deposit of `EARLY` dated at midnight.
    """

    up: ShiftedUp
    moment: datetime
    customer: int
    observations: list[Observation] = field(default_factory=list)
    answers: list[tuple[datetime, str, int, Any]] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def observe(self) -> None:
        """Collect observations and start commands, from before midnight until after it."""
        due = list(COMMANDS)
        while (now := self.up.clock.now()) < self.moment + timedelta(seconds=AROUND_SECONDS):
            while due and now >= self.moment + timedelta(seconds=due[0]):
                due.pop(0)
                self._start("balance", "test-system")
                self._start("alerts", "list")
            self.observations.append(self.observe_once())
        for thread in self._threads:
            thread.join()

    def observe_once(self) -> Observation:
        """Return one observation."""
        now = self.up.clock.now()
        status, balance = self.up.get(f"customer/{self.customer}/balance")
        assert status == 200, (now, balance)
        year = self.up.get("dashboard")[1]
        page = self.up.page("/")
        year_of_page = page.split('aria-current="true">')[-1].split("<")[0]
        return Observation(now, balance, year, self.up.get("status")[1]["status"], year_of_page)

    def _start(self, *command: str) -> None:
        def run() -> None:
            began = self.up.clock.now()
            code, answer = self.up.command(*command)
            self.answers.append((began, " ".join(command), code, answer))

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def table(self) -> str:
        """Return the observations as text: a line for each change and for each second around midnight."""
        lines, last = [], ""
        for observation in self.observations:
            line = str(observation)
            if line[19:] != last or abs((observation.at - self.moment).total_seconds()) < 4:
                lines.append(line)
            last = line[19:]
        for began, command, code, answer in sorted(self.answers, key=lambda one: one[0]):
            result = answer.get("problems") if "problems" in answer else _sums(answer)
            lines.append(f"{began:%Y-%m-%d %H:%M:%S} | ledger {command}: exit {code} {json.dumps(result)}")
        return "\n".join(lines)


def _sums(alerts: Any) -> Any:
    return {
        "alerts": len(alerts["alerts"]),
        "balances": {row["group"]: row["customers"] for row in alerts["days_left"]},
    }


def any_customer(up: ShiftedUp) -> int:
    """Return the id of a customer with its own price."""
    return int(up.get("dashboard")[1]["top_customers"][0]["id"])


def source(up: ShiftedUp) -> sa.Engine:
    return sa.create_engine(database_urls.billing_url(up.installation.settings), poolclass=sa.NullPool)


def add_deposit(up: ShiftedUp, customer: int, moment: datetime) -> None:
    """Add a deposit dated at a moment to the application."""
    engine = source(up)
    entry = {"date": f"{moment:%Y-%m-%d %H:%M:%S}", "amount": str(EARLY), "keterangan": "penambahan"}
    with engine.begin() as connection:
        history = connection.scalar(sa.select(users.c.deposit_history).where(users.c.id == customer))
        entries = json.loads(history or "[]")
        while isinstance(entries, str):
            entries = json.loads(entries)
        now = up.clock.now().replace(tzinfo=None, microsecond=0)
        values = {"deposit_history": json.dumps([*entries, entry]), "updated_at": now}
        connection.execute(sa.update(users).where(users.c.id == customer).values(values))


def add_reading(up: ShiftedUp, customer: int, moment: datetime) -> int:
    """Add a reading of 10 m³ dated at a moment to the application, and return its id."""
    now = up.clock.now().replace(tzinfo=None, microsecond=0)
    start, end = ({"waktu": f"{moment:%Y-%m-%dT%H:%M:%S}", "volume": volume} for volume in (5, 15))
    given = {"pembacaan_awal": start, "pembacaan_akhir": end, "volume_flow_meter": 10}
    with source(up).begin() as connection:
        number = (connection.scalar(sa.select(sa.func.max(data_pencatatan.c.id))) or 0) + 1
        values = {"id": number, "customer_id": customer, "nama_customer": "PT", "data_input": json.dumps(given)}
        values |= {"harga_final": 0, "status_pembayaran": "belum_lunas", "created_at": now, "updated_at": now}
        connection.execute(sa.insert(data_pencatatan).values(values))
    return int(number)


def readings_of(up: ShiftedUp, customer: int) -> set[int]:
    """Return the ids of the readings in the current month."""
    found = up.get(f"customer/{customer}/transactions")[1]["transactions"]
    return {transaction["data_pencatatan_id"] for transaction in found}


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "midnight",
    ["2026-12-01", "2027-01-01", "2028-02-29", "2028-03-01"],
    ids=["month", "year", "leap day", "after a leap day"],
)
def test_figures_around_midnight(up: ShiftedUp, midnight: str) -> None:
    moment = at(midnight)
    customer = any_customer(up)
    up.wake(moment - timedelta(minutes=50))  # as on a machine that wakes up after weeks of suspend
    up.wait_until(lambda: up.command("balance", "test-system")[0] == 0)  # the missed changes have been read
    up.settle()
    up.set(moment - timedelta(seconds=AROUND_SECONDS))
    add_deposit(up, customer, moment)
    early = add_reading(up, customer, moment + timedelta(seconds=1))
    old, new = month_of(moment - timedelta(seconds=1), WIB), month_of(moment, WIB)
    night = Midnight(up, moment, customer)
    late = threading.Timer(AROUND_SECONDS + 4, lambda: add_reading(up, customer, moment + timedelta(seconds=3)))
    late.start()
    try:
        night.observe()
    finally:
        late.join()
        logging.getLogger(__name__).info("%s\n%s", midnight, night.table())
    check_figures(night, old, new)
    for began, command, code, answer in night.answers:
        problems = [one for one in answer.get("problems", ()) if began < moment or not one.startswith(BETWEEN_STEPS)]
        assert problems == [], (began, command)
        assert code == 0 or answer["problems"], (began, command, answer)
    up.settle()
    up.wait_until(lambda: up.get("status")[1]["status"] == "operational")
    if new != old:
        up.wait_until(lambda: readings_of(up, customer) == {early, early + 1})
    assert up.command("balance", "test-system")[1]["problems"] == []
    assert up.failures() == []
    assert {status for _, status in up.runs()} <= {"SUCCESS", "STARTED", "QUEUED", "STARTING"}


def check_figures(night: Midnight, old: str, new: str) -> None:
    """Check that no observation shows a month too early, a past month again, or mixed figures of two months."""
    closing = night.observations[0].balance["balance"]["closing_balance"]
    customers = night.observations[0].year["summary"]["total_customers"]
    months = [observation.balance["year_month"] for observation in night.observations]
    assert months == sorted(months)
    assert (months[0], months[-1]) == (old, new)
    for observation in night.observations:
        of = observation.balance["balance"]
        if observation.at < night.moment - timedelta(seconds=2):
            assert observation.balance["year_month"] == old
        if old != new and observation.balance["year_month"] == new:
            assert of["opening_balance"] == closing
            assert Decimal(str(of["total_deposits"])) == EARLY
        assert observation.year["summary"]["total_customers"] == customers
        assert observation.year["monthly_trend"][-1]["year_month"] in {old, new}
        assert observation.page_year in {old[:4], new[:4]}
        assert observation.status in {"operational", "catching_up"}
    last = night.observations[-1]
    assert (last.year["year"], last.page_year) == (int(new[:4]), new[:4])
    assert last.year["monthly_trend"][-1]["year_month"] == new
