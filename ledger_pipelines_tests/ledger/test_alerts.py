"""Low balances, case by case: to the cent and the day, recovery, and what a customer's own limits change."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, month_of, shift
from ledger_pipelines.ledger import alerts, balances
from ledger_pipelines.warehouse.tables import balance_alerts
from ledger_pipelines_tests.pipeline import WIB, Pipeline
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row

ANNA, BUDI = 11, 12
FIRST, CURRENT = "2025-01", "2025-03"


@pytest.fixture
def ledger(shared_pipeline: Pipeline) -> Pipeline:
    """The module's pipeline, emptied, three months long."""
    shared_pipeline.reset(FIRST, CURRENT)
    return shared_pipeline


def state(*customers: dict[str, Any], readings: tuple[dict[str, Any], ...] = ()) -> SourceState:
    """A source of those customers and readings."""
    return SourceState(customers, readings)


def customer(customer_id: int, **deposits: str) -> dict[str, Any]:
    """A fob customer who pays 1 rupiah for a Sm³, with deposits by day: ``m03_05="100"``."""
    entries = ", ".join(
        f'{{"date": "2025-{day[1:].replace("_", "-")}", "amount": {amount}}}' for day, amount in deposits.items()
    )
    return user_row(customer_id, role="fob", harga_per_meter_kubik=1, deposit_history=f"[{entries}]")


def use(reading_id: int, customer_id: int, day: str, volume: str) -> dict[str, Any]:
    """A reading of so many Sm³ (and rupiah)."""
    return reading_row(reading_id, customer_id, f'{{"waktu": "{day} 00:00:00", "volume_sm3": {volume}}}')


def recorded(pipeline: Pipeline) -> list[tuple[int, str, str, str | None, bool]]:
    """Customer, kind, balance, days left, and whether it is open still."""
    return [
        (
            row["customer_id"],
            row["kind"],
            str(row["balance"]),
            None if row["days_left"] is None else str(row["days_left"]),
            row["cleared_at"] is None,
        )
        for row in pipeline.rows(balance_alerts)
    ]


def look(pipeline: Pipeline, low: alerts.LowBalance = alerts.USUAL) -> None:
    """Recalculate the balances of everybody."""
    with pipeline.warehouse.begin() as connection:
        balances.recalculate(connection, Scope(pipeline.horizon.months), pipeline.horizon, "test", low=low)


@pytest.mark.parametrize(("deposit", "is_low"), [("0.01", False), ("0", False), ("-0.01", True)])
def test_low_is_below_the_threshold(ledger: Pipeline, deposit: str, is_low: bool) -> None:
    ledger.fill(state(customer(ANNA, m03_05=deposit)))
    ledger.run()
    assert [(row["kind"], row["balance"]) for row in ledger.rows(balance_alerts)] == (
        [("threshold", Decimal(deposit))] if is_low else []
    )


@pytest.mark.parametrize(
    ("balance", "left"),
    # 300 used in the last 30 days: 10 a day.
    [("70", None), ("69.99", "6.9"), ("0.01", "0.0"), ("0", "0.0"), ("-50", "0.0")],
)
def test_low_is_what_lasts_fewer_days(ledger: Pipeline, balance: str, left: str | None) -> None:
    deposit = str(Decimal(balance) + 300)
    ledger.fill(state(customer(ANNA, m03_05=deposit), readings=(use(1, ANNA, "2025-03-20", "300"),)))
    ledger.run()
    found = [row[3] for row in recorded(ledger) if row[1] == "days_left"]
    assert found == ([] if left is None else [left])


@pytest.mark.parametrize(
    ("day", "counts"), [("2025-03-02", False), ("2025-03-02 00:00:01", True), ("2025-03-31 23:59:59", True)]
)
def test_the_use_is_that_of_the_last_thirty_days(ledger: Pipeline, day: str, counts: bool) -> None:
    """The month is over, so it is looked at as it ended: on 1 April at 00:00."""
    moment = day if " " in day else f"{day} 00:00:00"
    reading = reading_row(1, ANNA, f'{{"waktu": "{moment}", "volume_sm3": 300}}')
    ledger.fill(state(customer(ANNA, m03_05="301"), readings=(reading,)))
    ledger.run()
    assert [row[1] for row in recorded(ledger)] == (["days_left"] if counts else [])


def test_the_use_does_not_look_into_the_future(ledger: Pipeline) -> None:
    """In a month that is under way: what is dated later today's month counts in the balance, but is no use yet."""
    now = datetime.now(UTC).astimezone(WIB)
    current = month_of(now, WIB)
    ledger.horizon = Horizon(shift(current, -2), current, WIB)
    past, future = now - timedelta(days=1), now + timedelta(minutes=30)
    anna = customer(ANNA) | {"deposit_history": f'[{{"date": "{past:%Y-%m-%d}", "amount": 1000}}]'}
    readings = [
        reading_row(number, ANNA, f'{{"waktu": "{moment:%Y-%m-%d %H:%M:%S}", "volume_sm3": {volume}}}')
        for number, (moment, volume) in enumerate([(past, 30), (future, 900)], start=1)
        if month_of(moment, WIB) <= current
    ]
    ledger.fill(state(anna, readings=tuple(readings)))
    ledger.run()
    # 1 a day, so at least 70 days; with what is yet to come it would be 2.
    assert recorded(ledger) == []


def test_once_until_it_recovers_then_again(ledger: Pipeline) -> None:
    low, well = customer(ANNA, m03_05="-5"), customer(ANNA, m03_05="-5", m03_06="100")
    for now in (low, low, low, well, well, low, customer(ANNA, m03_05="-50")):
        ledger.fill(state(now))
        ledger.run(customers=[ANNA] if ledger.rows(balance_alerts) else None)
    assert recorded(ledger) == [(ANNA, "threshold", "-5.00", None, False), (ANNA, "threshold", "-5.00", None, True)]


def test_no_use_is_no_recovery(ledger: Pipeline) -> None:
    """How long a balance lasts is unknown without use: an alert stays, and none is raised."""
    short = customer(ANNA, m03_05="310")
    ledger.fill(state(short, readings=(use(1, ANNA, "2025-03-20", "300"),)))
    ledger.run()
    assert recorded(ledger) == [(ANNA, "days_left", "10.00", "1.0", True)]
    ledger.fill(state(short))
    ledger.run()
    assert recorded(ledger) == [(ANNA, "days_left", "10.00", "1.0", True)]
    ledger.fill(state(short, readings=(use(1, ANNA, "2025-03-20", "30"),)))
    ledger.run()
    assert recorded(ledger) == [(ANNA, "days_left", "10.00", "1.0", False)]


def test_a_customer_who_is_gone_is_low_no_more(ledger: Pipeline) -> None:
    ledger.fill(state(customer(ANNA, m03_05="-5"), customer(BUDI, m03_05="-5")))
    ledger.run()
    ledger.fill(state(customer(BUDI, m03_05="-5")))
    ledger.run()
    assert [(row[0], row[4]) for row in recorded(ledger)] == [(ANNA, False), (BUDI, True)]


def test_a_scoped_run_looks_at_its_customers_alone(ledger: Pipeline) -> None:
    ledger.fill(state(customer(ANNA, m03_05="5"), customer(BUDI, m03_05="5")))
    ledger.run()
    ledger.fill(state(customer(ANNA, m03_05="-5"), customer(BUDI, m03_05="-5")))
    ledger.run(customers=[BUDI])
    assert [row[0] for row in recorded(ledger)] == [BUDI]


def test_a_customers_own_limits(ledger: Pipeline) -> None:
    """A threshold and days of its own; either alone leaves the other as for all; 0 days: never for that."""
    readings = (use(1, ANNA, "2025-03-20", "300"), use(2, BUDI, "2025-03-20", "300"))
    ledger.fill(state(customer(ANNA, m03_05="400"), customer(BUDI, m03_05="310"), readings=readings))
    with ledger.warehouse.begin() as connection:
        alerts.set_threshold(connection, ANNA, threshold=Decimal("100.01"))
        alerts.set_threshold(connection, BUDI, days=0)
    ledger.run()
    assert [row[:2] for row in recorded(ledger)] == [(ANNA, "threshold")]
    with ledger.warehouse.begin() as connection:
        alerts.set_threshold(connection, ANNA, days=11)
        assert alerts.clear_threshold(connection, BUDI)
        assert not alerts.clear_threshold(connection, BUDI)
    look(ledger)
    assert [row[:2] for row in recorded(ledger)] == [(ANNA, "threshold"), (ANNA, "days_left"), (BUDI, "days_left")]
    with ledger.warehouse.begin() as connection:
        alerts.clear_threshold(connection, ANNA)
    look(ledger, alerts.LowBalance(days=0))
    assert [row[4] for row in recorded(ledger)] == [False, False, False]


def test_a_run_that_dies_records_nothing_and_the_next_one_does(ledger: Pipeline) -> None:
    ledger.fill(state(customer(ANNA, m03_05="5")))
    ledger.run()
    ledger.fill(state(customer(ANNA, m03_05="-5")))
    ledger.load(Scope(ledger.horizon.months))
    with suppress(KeyboardInterrupt), ledger.warehouse.begin() as connection:
        balances.recalculate(connection, Scope(ledger.horizon.months), ledger.horizon, "dies")
        assert connection.scalar(sa.select(sa.func.count()).select_from(balance_alerts)) == 1
        raise KeyboardInterrupt
    assert recorded(ledger) == []
    look(ledger)
    look(ledger)
    assert [row["run_id"] for row in ledger.rows(balance_alerts)] == ["test"]
