"""Sensors of readings, prices and deposits, and the job that they request: real ticks, real runs."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.automation import realtime
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import leases, watermarks
from ledger_pipelines.warehouse.transaction_setup import lock_tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline, without_loaded_months
from ledger_pipelines_tests.support.code_location import FIRST, NOW, CodeLocation, new_code_location
from ledger_pipelines_tests.support.tables import execute

pytestmark = pytest.mark.usefixtures("single_polls")

READING = '{"waktu": "2025-02-03", "volume_sm3": 10}'
IN_JUNE = READING.replace("02-03", "06-03")
SENSORS = ["readings", "prices", "deposits"]


@pytest.fixture
def location(shared_pipeline: Pipeline) -> Iterator[CodeLocation]:
    """Yield a code location over a computed ledger of three customers; ticks poll only once."""
    shared_pipeline.reset(FIRST, "2025-06")
    customers = tuple(user_row(number, role="fob", harga_per_meter_kubik=100) for number in (1, 2, 3))
    shared_pipeline.fill(SourceState(customers, tuple(reading_row(number, number, READING) for number in (1, 2, 3))))
    shared_pipeline.run()
    with new_code_location(shared_pipeline) as made:
        yield made


def request_of(location: CodeLocation, name: str) -> dg.RunRequest:
    """Return the only run request of a tick."""
    (request,) = location.evaluate_sensor(name).run_requests or ()
    return request


def change(location: CodeLocation, statement: sa.Update | sa.Insert | sa.Delete, at: datetime | None = NOW) -> None:
    """Change a row as the billing application does, or without setting `updated_at` as plain SQL does."""
    if at is not None and not isinstance(statement, sa.Delete):
        statement = statement.values(updated_at=at.replace(tzinfo=None))
    execute(location.pipeline.source, statement)


def closing(location: CodeLocation, customer: int) -> Decimal:
    """Return the latest closing balance of a customer."""
    balances = location.pipeline.rows(tables.monthly_customer_balances)
    latest: Decimal = [row for row in balances if row["customer_id"] == customer][-1]["closing_balance"]
    return latest


def test_the_sensors_are_on_with_a_short_interval(location: CodeLocation) -> None:
    for name in SENSORS:
        sensor = location.definitions.resolve_sensor_def(name)
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert sensor.minimum_interval_seconds == 1
        assert sensor.job_name == realtime.JOB
        assert sensor.description


@pytest.mark.parametrize("name", SENSORS)
def test_before_the_first_computation_a_tick_is_skipped(location: CodeLocation, name: str) -> None:
    change(location, sa.update(users).values(harga_per_meter_kubik=300))
    with without_loaded_months(location.pipeline.warehouse):
        found = location.evaluate_sensor(name)
        assert not found.run_requests
        assert str(found.skip_message).startswith("The ledger has never been computed, and it is not computed until")
        assert "ledger balance initialize --all" in str(found.skip_message)
        assert location.pipeline.rows(tables.pending_changes) == []
        assert not [row for row in location.pipeline.rows(tables.watermarks) if row["name"].startswith("poller")]


def test_a_run_before_the_first_computation_fails_with_the_reason(
    location: CodeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime, "IDLE_TIMEOUT_SECONDS", 10)  # otherwise it ends before it polls
    with without_loaded_months(location.pipeline.warehouse):
        result = location.execute(realtime.JOB)
    assert not result.success
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert "Compute it first: ledger balance initialize --all" in str(failure.user_failure_data.description)


@pytest.mark.parametrize("name", SENSORS)
def test_a_tick_without_changes_requests_no_run(location: CodeLocation, name: str) -> None:
    assert not location.evaluate_sensor(name).run_requests


def price_change() -> sa.Update:
    return sa.update(users).where(users.c.id == 2).values(harga_per_meter_kubik=200)


def deposit_change() -> sa.Update:
    history = '[{"date": "2025-03-05 14:04:00", "amount": 500, "keterangan": "penambahan"}]'
    return sa.update(users).where(users.c.id == 2).values(deposit_history=history)


def reading_change() -> sa.Update:
    text = READING.replace("10", "15")
    return sa.update(data_pencatatan).where(data_pencatatan.c.id == 2).values(data_input=text)


@pytest.mark.parametrize(
    ("name", "statement", "balance", "months"),
    [
        ("prices", price_change(), -2000, {"2025-02", "2025-03", "2025-04", "2025-05", "2025-06"}),
        ("deposits", deposit_change(), -500, {"2025-03", "2025-04", "2025-05", "2025-06"}),
        ("readings", reading_change(), -1500, {"2025-02", "2025-03", "2025-04", "2025-05", "2025-06"}),
    ],
)
def test_a_change_is_in_the_balances_after_one_run(
    location: CodeLocation, name: str, statement: sa.Update, balance: int, months: set[str]
) -> None:
    before = {row["customer_id"]: row for row in location.pipeline.rows(tables.monthly_customer_balances)}
    change(location, statement)
    request = request_of(location, name)
    assert not location.evaluate_sensor(name).run_requests, "a run has already been requested"
    result = location.execute(realtime.JOB, tags=dict(request.tags))
    assert result.success
    assert closing(location, 2) == balance
    after = {row["customer_id"]: row for row in location.pipeline.rows(tables.monthly_customer_balances)}
    assert {number for number in after if after[number] != before[number]} == {2}
    events = [
        event.materialization
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == dg.AssetKey("monthly_customer_balances")
    ]
    assert {event.partition for event in events} == months
    assert {event.metadata["customer_ids"].value for event in events} == {"2"}
    assert all("since_notice_ms_median" in event.metadata for event in events)
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == "realtime_latency"
    assert not location.evaluate_sensor(name).run_requests


def test_a_burst_is_one_run(location: CodeLocation) -> None:
    change(location, sa.update(users).values(harga_per_meter_kubik=300))
    request = request_of(location, "prices")
    change(location, sa.update(data_pencatatan).values(data_input=READING.replace("10", "20")))
    assert not location.evaluate_sensor("readings").run_requests
    assert location.execute(realtime.JOB, tags=dict(request.tags)).success
    assert [closing(location, customer) for customer in (1, 2, 3)] == [-6000] * 3
    with location.pipeline.warehouse.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.realtime_batches)) == 1


@pytest.mark.parametrize(
    ("name", "statement", "left"),
    [
        ("readings", sa.delete(data_pencatatan).where(data_pencatatan.c.id == 2), {1, 3}),
        ("prices", sa.delete(users).where(users.c.id == 2), {1, 3}),
        ("prices", sa.update(users).where(users.c.id == 2).values(role="admin"), {1, 3}),
    ],
)
def test_a_change_without_a_timestamp_is_detected(
    location: CodeLocation, name: str, statement: sa.Delete | sa.Update, left: set[int]
) -> None:
    change(location, statement, at=None)
    request = request_of(location, name)
    assert location.execute(realtime.JOB, tags=dict(request.tags)).success
    assert {row["customer_id"] for row in location.pipeline.rows(tables.transaction_calculations)} == left
    assert location.pipeline.rows(tables.pending_changes) == []


def test_changes_are_held_while_recalculation_is_off(location: CodeLocation) -> None:
    off = sa.update(users).where(users.c.id == 2).values(use_realtime_calculation=False, harga_per_meter_kubik=200)
    change(location, off)
    change(location, sa.update(users).where(users.c.id == 1).values(harga_per_meter_kubik=200))
    assert location.evaluate_sensor("prices").run_requests
    assert location.execute(realtime.JOB).success
    assert [closing(location, customer) for customer in (1, 2)] == [-2000, -1000]
    assert not location.evaluate_sensor("prices").run_requests, "a held change requests no run"
    change(location, sa.update(users).where(users.c.id == 2).values(use_realtime_calculation=True))
    assert location.evaluate_sensor("prices").run_requests
    assert location.execute(realtime.JOB).success
    assert closing(location, 2) == -2000


def test_a_request_without_a_run_is_repeated(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    change(location, price_change())
    first = request_of(location, "prices")
    assert not location.evaluate_sensor("deposits").run_requests
    monkeypatch.setattr(realtime, "START_TIMEOUT_SECONDS", 0)
    second = request_of(location, "prices")
    assert first.run_key != second.run_key


def test_changes_of_a_failed_run_are_retried_later(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    change(location, price_change())
    assert location.evaluate_sensor("prices").run_requests

    def fail(*_: Any, **__: Any) -> None:
        raise sa.exc.IntegrityError("statement", {}, Exception("an impossible row"))

    with monkeypatch.context() as patched:
        patched.setattr("ledger_pipelines.ledger.balances.recalculate_balances", fail)
        assert not location.execute(realtime.JOB).success
    (waiting,) = location.pipeline.rows(tables.pending_changes)
    assert "an impossible row" in waiting["error"]
    assert waiting["retry_at"] is not None
    assert not location.evaluate_sensor("prices").run_requests, "not before the retry time"
    execute(location.pipeline.warehouse, sa.update(tables.pending_changes).values(retry_at=sa.func.now()))
    assert location.evaluate_sensor("prices").run_requests
    assert location.execute(realtime.JOB).success
    assert closing(location, 2) == -2000


def test_a_refused_customer_does_not_block_the_others(location: CodeLocation) -> None:
    many = [reading_row(number, 2, READING) for number in range(10, 160)]
    location.pipeline.fill(
        SourceState(
            tuple(user_row(number, role="fob", harga_per_meter_kubik=100) for number in (1, 2, 3)),
            (*(reading_row(number, number, READING) for number in (1, 2, 3)), *many),
        )
    )
    location.pipeline.run()
    change(location, sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id == 2))
    change(location, sa.update(users).values(harga_per_meter_kubik=200))
    assert location.evaluate_sensor("prices").run_requests
    result = location.execute(realtime.JOB)
    assert not result.success
    assert [closing(location, customer) for customer in (1, 2, 3)] == [-2000, -151_000, -2000]
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert "Customer 2: This would delete" in str(failure.user_failure_data.description)


def test_a_ledger_that_was_never_computed_is_not_updated(location: CodeLocation) -> None:
    location.pipeline.reset(FIRST, "2025-06")
    result = location.evaluate_sensor("prices")
    assert not result.run_requests
    assert "ledger balance initialize --all" in str(result.skip_message)


def test_a_poll_after_a_restart_continues_at_the_watermark(location: CodeLocation) -> None:
    with location.pipeline.warehouse.begin() as connection:
        watermarks.set_watermark(connection, "poller of prices", "2025-06-17T15:00:00")
    change(location, price_change(), at=datetime(2025, 6, 17, 15, 10, tzinfo=WIB))
    request = request_of(location, "prices")
    assert request.run_key
    assert location.execute(realtime.JOB).success
    assert closing(location, 2) == -2000


def test_a_run_leaves_its_changes_while_another_writes_the_tables(location: CodeLocation) -> None:
    change(location, price_change())
    assert location.evaluate_sensor("prices").run_requests
    with location.pipeline.warehouse.begin() as writing:
        lock_tables(writing, tables.meter_readings)
        assert location.execute(realtime.JOB).success
        assert closing(location, 2) == -1000
    assert location.execute(realtime.JOB).success
    assert closing(location, 2) == -2000


@pytest.fixture
def cautious(location: CodeLocation) -> Iterator[CodeLocation]:
    """Yield the same location with a limit of 400 days for low balances."""
    made = CodeLocation(location.pipeline, location.instance, alert_days=400)
    yield made
    made.databases.dispose()


def test_the_limit_of_low_balances_is_the_setting(cautious: CodeLocation) -> None:
    history = '[{"date": "2025-03-05 14:04:00", "amount": 12000, "keterangan": "penambahan"}]'
    change(cautious, sa.update(users).where(users.c.id == 2).values(deposit_history=history))
    assert cautious.evaluate_sensor("deposits").run_requests
    assert cautious.execute(realtime.JOB).success
    assert not low_for_days(cautious), "nothing was used in the last 30 days"
    change(cautious, sa.update(data_pencatatan).where(data_pencatatan.c.id == 2).values(data_input=IN_JUNE))
    assert cautious.evaluate_sensor("readings").run_requests
    assert cautious.execute(realtime.JOB).success
    assert low_for_days(cautious) == [(2, 400)], "11,000 rupiah last eleven months"


def low_for_days(location: CodeLocation) -> list[tuple[int, int]]:
    """Return the customers whose balances last too few days, and the limit in days."""
    alerts = location.pipeline.rows(tables.balance_alerts)
    return [(row["customer_id"], row["days"]) for row in alerts if row["kind"] == "days_left"]


def test_a_long_run_is_handed_over(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    change(location, price_change())
    request = request_of(location, "prices")
    job = location.definitions.resolve_job_def(realtime.JOB)
    run = location.instance.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTING)
    monkeypatch.setattr(realtime, "START_TIMEOUT_SECONDS", 0)
    assert not location.evaluate_sensor("prices").run_requests, "the run has not started yet"
    event = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name=realtime.JOB)
    location.instance.report_dagster_event(event, run_id=run.run_id)
    assert not location.evaluate_sensor("prices").run_requests, "the run has just started"
    monkeypatch.setattr(realtime, "HANDOVER_SECONDS", 0)
    assert location.evaluate_sensor("prices").run_requests


def test_sensors_do_not_poll_while_a_run_does(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "LEASED_PAUSE_SECONDS", 0)
    with location.databases.warehouse.begin() as connection:
        leases.take_over_lease(connection, realtime._POLLING_LEASE, "a run")
    change(location, deposit_change())
    assert not location.evaluate_sensor("deposits").run_requests
    assert not location.pipeline.rows(tables.pending_changes)
    with location.databases.warehouse.begin() as connection:
        assert leases.renew_lease(connection, realtime._POLLING_LEASE, "a run")
        leases.release_lease(connection, realtime._POLLING_LEASE, "another run")
    assert not location.evaluate_sensor("deposits").run_requests, "the lease is live"
    monkeypatch.setattr(realtime, "LEASE_SECONDS", 0)
    assert location.evaluate_sensor("deposits").run_requests, "the lease has expired"


def test_sensors_poll_after_a_run_ends(location: CodeLocation) -> None:
    change(location, price_change())
    assert location.execute(realtime.JOB).success
    change(location, price_change().values(harga_per_meter_kubik=300))
    assert location.evaluate_sensor("prices").run_requests
