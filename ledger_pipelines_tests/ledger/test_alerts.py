"""Low balances: limits to the cent and the day, recovery, and a customer's own limits."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, month_of, shift_month
from ledger_pipelines.ledger import alerts, balances
from ledger_pipelines.warehouse.tables import balance_alerts
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline
from ledger_pipelines_tests.support.builders import fob_customer, fob_reading

ANNA, BUDI = 11, 12
FIRST, CURRENT = "2025-01", "2025-03"


def state(*customers: dict[str, Any], readings: tuple[dict[str, Any], ...] = ()) -> SourceState:
    """Return a source with these customers and readings."""
    return SourceState(customers, readings)


def recorded(pipeline: Pipeline) -> list[tuple[int, str, str, str | None, bool]]:
    """Return customer, kind, balance, days left and open state of each alert."""
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


def recalculate_balances(pipeline: Pipeline, low: alerts.LowBalanceLimits = alerts.DEFAULT_LIMITS) -> None:
    """Recalculate the balances of all customers."""
    with pipeline.warehouse.begin() as connection:
        balances.recalculate_balances(connection, Scope(pipeline.horizon.months), pipeline.horizon, "test", limits=low)


@pytest.mark.parametrize(("deposit", "is_low"), [("0.01", False), ("0", False), ("-0.01", True)])
def test_balance_is_low_below_the_threshold(ledger: Pipeline, deposit: str, is_low: bool) -> None:
    ledger.fill(state(fob_customer(ANNA, m03_05=deposit)))
    ledger.run()
    assert [(row["kind"], row["balance"]) for row in ledger.rows(balance_alerts)] == (
        [("threshold", Decimal(deposit))] if is_low else []
    )


@pytest.mark.parametrize(
    ("balance", "left"),
    # 300 used in the last 30 days: 10 a day.
    [("70", None), ("69.99", "6.9"), ("0.01", "0.0"), ("0", "0.0"), ("-50", "0.0")],
)
def test_balance_is_low_with_fewer_days_left(ledger: Pipeline, balance: str, left: str | None) -> None:
    deposit = str(Decimal(balance) + 300)
    ledger.fill(state(fob_customer(ANNA, m03_05=deposit), readings=(fob_reading(1, ANNA, "2025-03-20", "300"),)))
    ledger.run()
    found = [row[3] for row in recorded(ledger) if row[1] == "days_left"]
    assert found == ([] if left is None else [left])


@pytest.mark.parametrize(
    ("day", "counts"), [("2025-03-02", False), ("2025-03-02 00:00:01", True), ("2025-03-31 23:59:59", True)]
)
def test_use_covers_the_last_thirty_days(ledger: Pipeline, day: str, counts: bool) -> None:
    """The month is over, so it is evaluated at its end: on 1 April at 00:00."""
    moment = day if " " in day else f"{day} 00:00:00"
    reading = reading_row(1, ANNA, f'{{"waktu": "{moment}", "volume_sm3": 300}}')
    ledger.fill(state(fob_customer(ANNA, m03_05="301"), readings=(reading,)))
    ledger.run()
    assert [row[1] for row in recorded(ledger)] == (["days_left"] if counts else [])


def test_use_excludes_future_readings(ledger: Pipeline) -> None:
    """In the current month a later reading counts in the balance but not yet as use."""
    now = datetime.now(UTC).astimezone(WIB)
    current = month_of(now, WIB)
    ledger.horizon = Horizon(shift_month(current, -2), current, WIB)
    past, future = now - timedelta(days=1), now + timedelta(minutes=30)
    anna = fob_customer(ANNA) | {"deposit_history": f'[{{"date": "{past:%Y-%m-%d}", "amount": 1000}}]'}
    readings = [
        reading_row(number, ANNA, f'{{"waktu": "{moment:%Y-%m-%d %H:%M:%S}", "volume_sm3": {volume}}}')
        for number, (moment, volume) in enumerate([(past, 30), (future, 900)], start=1)
        if month_of(moment, WIB) <= current
    ]
    ledger.fill(state(anna, readings=tuple(readings)))
    ledger.run()
    # The use is 1 a day, so the balance lasts at least 70 days; with the future reading it would last 2.
    assert recorded(ledger) == []


def test_alert_is_raised_once_until_recovery(ledger: Pipeline) -> None:
    low, recovered = fob_customer(ANNA, m03_05="-5"), fob_customer(ANNA, m03_05="-5", m03_06="100")
    for now in (low, low, low, recovered, recovered, low, fob_customer(ANNA, m03_05="-50")):
        ledger.fill(state(now))
        ledger.run(customers=[ANNA] if ledger.rows(balance_alerts) else None)
    assert recorded(ledger) == [(ANNA, "threshold", "-5.00", None, False), (ANNA, "threshold", "-5.00", None, True)]


def test_alert_stays_without_use(ledger: Pipeline) -> None:
    """Without use the days left are unknown: an open alert stays, and no alert is raised."""
    short = fob_customer(ANNA, m03_05="310")
    ledger.fill(state(short, readings=(fob_reading(1, ANNA, "2025-03-20", "300"),)))
    ledger.run()
    assert recorded(ledger) == [(ANNA, "days_left", "10.00", "1.0", True)]
    ledger.fill(state(short))
    ledger.run()
    assert recorded(ledger) == [(ANNA, "days_left", "10.00", "1.0", True)]
    ledger.fill(state(short, readings=(fob_reading(1, ANNA, "2025-03-20", "30"),)))
    ledger.run()
    assert recorded(ledger) == [(ANNA, "days_left", "10.00", "1.0", False)]


def test_deleted_customer_clears_the_alert(ledger: Pipeline) -> None:
    ledger.fill(state(fob_customer(ANNA, m03_05="-5"), fob_customer(BUDI, m03_05="-5")))
    ledger.run()
    ledger.fill(state(fob_customer(BUDI, m03_05="-5")))
    ledger.run()
    assert [(row[0], row[4]) for row in recorded(ledger)] == [(ANNA, False), (BUDI, True)]


def test_scoped_run_evaluates_only_its_customers(ledger: Pipeline) -> None:
    ledger.fill(state(fob_customer(ANNA, m03_05="5"), fob_customer(BUDI, m03_05="5")))
    ledger.run()
    ledger.fill(state(fob_customer(ANNA, m03_05="-5"), fob_customer(BUDI, m03_05="-5")))
    ledger.run(customers=[BUDI])
    assert [row[0] for row in recorded(ledger)] == [BUDI]


def test_limits_of_a_customer(ledger: Pipeline) -> None:
    """A customer may have its own threshold and days; a missing limit is the default; 0 days disables the measure."""
    readings = (fob_reading(1, ANNA, "2025-03-20", "300"), fob_reading(2, BUDI, "2025-03-20", "300"))
    ledger.fill(state(fob_customer(ANNA, m03_05="400"), fob_customer(BUDI, m03_05="310"), readings=readings))
    with ledger.warehouse.begin() as connection:
        alerts.set_limits(connection, ANNA, threshold=Decimal("100.01"))
        alerts.set_limits(connection, BUDI, days=0)
    ledger.run()
    assert [row[:2] for row in recorded(ledger)] == [(ANNA, "threshold")]
    with ledger.warehouse.begin() as connection:
        alerts.set_limits(connection, ANNA, days=11)
        assert alerts.clear_limits(connection, BUDI)
        assert not alerts.clear_limits(connection, BUDI)
    recalculate_balances(ledger)
    assert [row[:2] for row in recorded(ledger)] == [(ANNA, "threshold"), (ANNA, "days_left"), (BUDI, "days_left")]
    with ledger.warehouse.begin() as connection:
        alerts.clear_limits(connection, ANNA)
    recalculate_balances(ledger, alerts.LowBalanceLimits(days=0))
    assert [row[4] for row in recorded(ledger)] == [False, False, False]


def test_crashed_run_records_no_alert(ledger: Pipeline) -> None:
    ledger.fill(state(fob_customer(ANNA, m03_05="5")))
    ledger.run()
    ledger.fill(state(fob_customer(ANNA, m03_05="-5")))
    ledger.load(Scope(ledger.horizon.months))
    with suppress(KeyboardInterrupt), ledger.warehouse.begin() as connection:
        balances.recalculate_balances(connection, Scope(ledger.horizon.months), ledger.horizon, "dies")
        assert connection.scalar(sa.select(sa.func.count()).select_from(balance_alerts)) == 1
        raise KeyboardInterrupt
    assert recorded(ledger) == []
    recalculate_balances(ledger)
    recalculate_balances(ledger)
    assert [row["run_id"] for row in ledger.rows(balance_alerts)] == ["test"]
