"""Schedules of the ledger: their ticks, their run requests, and their wait for the first computation."""

from datetime import datetime

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.automation.jobs import ledger_job
from ledger_pipelines.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, without_loaded_months
from ledger_pipelines_tests.support.code_location import CURRENT, FIRST, STEPS, CodeLocation, materialized_metadata
from ledger_pipelines_tests.support.dagster_internals import schedule_execution_time_iterator
from ledger_pipelines_tests.support.tables import execute

SCHEDULES = {"daily_reconciliation": ("0 2 * * *", False), "weekly_recalculation": ("0 1 * * 0", True)}


@pytest.fixture(scope="module")
def location(location: CodeLocation) -> CodeLocation:
    """Return the module's location, with one reading of one customer in the source and a computed ledger."""
    reading = reading_row(1, 1, '{"waktu": "2025-02-03", "volume_sm3": 10}')
    location.pipeline.fill(SourceState((user_row(1, role="fob", harga_per_meter_kubik=100),), (reading,)))
    location.pipeline.run()
    return location


def test_the_schedules_are_defined_and_on(location: CodeLocation) -> None:
    schedules = {schedule.name: schedule for schedule in location.definitions.schedules or ()}
    assert schedules.keys() == SCHEDULES.keys() | {"month_turn", "hourly_sync", "daily_comparison"}
    for name, (cron, _) in SCHEDULES.items():
        schedule = schedules[name]
        assert isinstance(schedule, dg.ScheduleDefinition)
        assert schedule.cron_schedule == cron
        assert schedule.execution_timezone == "Asia/Jakarta"
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
        assert schedule.job_name == ledger_job.name
        assert schedule.description


@pytest.mark.parametrize("name", [*SCHEDULES, "daily_comparison"])
def test_a_tick_is_skipped_before_the_first_computation(location: CodeLocation, name: str) -> None:
    schedule = location.definitions.resolve_schedule_def(name)
    assert "ledger balance initialize --all" in str(schedule.description)
    assert location.evaluate_schedule(name).run_requests
    with without_loaded_months(location.pipeline.warehouse):
        tick = location.evaluate_schedule(name)
    assert not tick.run_requests
    reason = str(tick.skip_message)
    assert reason.startswith("The ledger has never been computed, and it is not computed until")
    assert reason.index("ledger billing test-connection") < reason.index("ledger balance initialize --all")


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_tick_requests_a_run_that_succeeds(location: CodeLocation, name: str) -> None:
    tick = location.evaluate_schedule(name)
    assert tick.skip_message is None
    location.pipeline.run(every_month=True)
    (request,) = tick.run_requests or ()
    assert {tag: request.tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG)} == {
        RANGE_START_TAG: FIRST,
        RANGE_END_TAG: CURRENT,
    }
    assert request.partition_key is None
    result = location.run(tags=dict(request.tags), run_config=dict(request.run_config))
    assert result.success
    assert all(materialized_metadata(result, asset) for asset in STEPS)
    assert materialized_metadata(result, "monthly_customer_balances").keys() == set(location.databases.horizon().months)
    (transaction,) = location.pipeline.rows(tables.transaction_calculations)
    assert transaction["total_harga"] == 1000
    execute(location.pipeline.warehouse, sa.update(tables.transaction_calculations).values(total_harga=1))
    again = location.run(
        tags=dict(request.tags), run_config=dict(request.run_config), only=["transaction_calculations"]
    )
    written = materialized_metadata(again, "transaction_calculations")[CURRENT]["rows_updated"]
    assert written == (1 if SCHEDULES[name][1] else 0), "only the weekly recalculation computes unchanged months"


@pytest.mark.parametrize(
    ("name", "after", "expected"),
    [
        ("daily_reconciliation", "2025-06-17T01:59:59", "2025-06-17T02:00:00+07:00"),
        ("weekly_recalculation", "2025-06-17T00:00:00", "2025-06-22T01:00:00+07:00"),
    ],
)
def test_the_next_tick(location: CodeLocation, name: str, after: str, expected: str) -> None:
    schedule = location.definitions.resolve_schedule_def(name)
    start = datetime.fromisoformat(after).replace(tzinfo=WIB).timestamp()
    assert next_tick(start, schedule).isoformat() == expected


def next_tick(start: float, schedule: dg.ScheduleDefinition) -> datetime:
    """Return the time of a schedule's first tick after ``start`` (seconds since 1970)."""
    tick: datetime = next(schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone))
    return tick
