"""Turn of the month by sensor, run and schedule, with a controlled clock: at 23:59:59 and at 00:00:01."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.automation import realtime
from ledger_pipelines.defs.partitions import RANGE_END_TAG, RANGE_START_TAG, month_range_tags
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.horizon import month_of, months_between
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline
from ledger_pipelines_tests.support.code_location import (
    FIRST,
    CodeLocation,
    check_evaluations,
    materialized_metadata,
    new_code_location,
)
from ledger_pipelines_tests.support.dagster_internals import schedule_execution_time_iterator

pytestmark = pytest.mark.usefixtures("single_polls")

DEPOSITS = '[{"date": "2025-06-17", "amount": 500}, {"date": "2025-07-01 00:00:00", "amount": 7}]'
MIDNIGHT = datetime(2025, 7, 1, tzinfo=WIB)
JUNE, JULY = "2025-06", "2025-07"


@pytest.fixture
def location(shared_pipeline: Pipeline) -> Iterator[CodeLocation]:
    """Yield a code location over a ledger of two customers, computed in June; ticks poll only once."""
    shared_pipeline.reset(FIRST, JUNE)
    users = (user_row(1, deposit_history=DEPOSITS), user_row(2, role="fob", harga_per_meter_kubik=100))
    reading = reading_row(1, 2, '{"waktu": "2025-06-03", "volume_sm3": 10}')
    shared_pipeline.fill(SourceState(users, (reading,)))
    shared_pipeline.run()
    with new_code_location(shared_pipeline) as made:
        yield made


def set_clock(location: CodeLocation, moment: datetime) -> None:
    """Set the clock of the location's processes; PostgreSQL's clock is separate."""
    clocked = PipelineDatabases(location.settings, clock=lambda: moment)
    location.databases.now = clocked.now  # type: ignore[method-assign]  # the definitions hold this resource


def closings(location: CodeLocation, month: str) -> dict[int, int]:
    """Return the closing balances of a month, by customer."""
    rows = location.pipeline.rows(tables.monthly_customer_balances)
    return {row["customer_id"]: int(row["closing_balance"]) for row in rows if row["year_month"] == month}


@pytest.mark.parametrize("name", ["readings", "prices", "deposits"])
def test_a_sensor_turns_the_month(location: CodeLocation, name: str) -> None:
    seen = []
    for moment in (MIDNIGHT - timedelta(seconds=1), MIDNIGHT, MIDNIGHT + timedelta(seconds=1)):
        set_clock(location, moment)
        assert not location.evaluate_sensor(name).run_requests
        seen.append(closings(location, JULY))
    assert seen == [{}, {1: 507, 2: -1000}, {1: 507, 2: -1000}]
    key = dg.AssetKey("monthly_customer_balances")
    (event,) = location.instance.fetch_materializations(key, limit=10).records
    assert (event.partition_key, event.asset_materialization is not None) == (JULY, True)


def test_a_real_time_run_over_midnight_turns_the_month(location: CodeLocation) -> None:
    set_clock(location, MIDNIGHT + timedelta(seconds=1))
    result = location.execute(realtime.JOB)
    assert result.success
    assert closings(location, JULY) == {1: 507, 2: -1000}
    months = [event.partition for event in result.all_events if event.is_step_materialization]
    assert months == [JULY]


def test_a_run_of_one_customer_turns_the_month_for_all(location: CodeLocation) -> None:
    set_clock(location, MIDNIGHT + timedelta(seconds=1))
    result = location.run(last=JULY, customer_ids=[2])
    assert result.success
    assert closings(location, JULY) == {1: 507, 2: -1000}
    found = check_evaluations(result)
    assert found
    assert all(check.passed for name, check in found.items() if "no_rejected_rows" not in name), found


def test_the_schedule_reads_the_new_month_for_all_customers(location: CodeLocation) -> None:
    set_clock(location, MIDNIGHT)
    (request,) = location.evaluate_schedule("month_turn", MIDNIGHT).run_requests or ()
    assert {tag: request.tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG)} == month_range_tags(JULY, JULY)
    result = location.run(tags=dict(request.tags), run_config=dict(request.run_config))
    assert result.success
    assert closings(location, JULY) == {1: 507, 2: -1000}
    assert materialized_metadata(result, "meter_readings").keys() == {JULY}
    loaded = {row["table_name"] for row in location.pipeline.rows(tables.loaded_months) if row["year_month"] == JULY}
    assert {"billing.deposits", "billing.meter_readings", "ledger.transaction_calculations"} <= loaded


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [("Asia/Jakarta", "2028-02-29T17:00:00+00:00"), ("America/New_York", "2026-12-01T05:00:00+00:00")],
)
def test_the_schedule_ticks_at_midnight_in_the_companys_zone(location: CodeLocation, zone: str, midnight: str) -> None:
    schedule = location.definitions.resolve_schedule_def("month_turn")
    start = datetime.fromisoformat(midnight)
    before = (start - timedelta(days=2)).timestamp()
    assert next(schedule_execution_time_iterator(before, schedule.cron_schedule, zone)) == start
    assert schedule.execution_timezone == "Asia/Jakarta"


def test_partitions_have_the_new_month_in_its_first_second(location: CodeLocation) -> None:
    partitions = location.definitions.resolve_asset_graph().get(dg.AssetKey("meter_readings")).partitions_def
    assert partitions is not None
    for moment in (MIDNIGHT - timedelta(seconds=1), MIDNIGHT + timedelta(seconds=1)):
        with dg.partition_loading_context(effective_dt=moment):
            assert partitions.get_partition_keys()[-1] == month_of(moment, WIB)


def test_the_clock_of_postgresql_turns_no_month(location: CodeLocation) -> None:
    """PostgreSQL's clock is years ahead of the location's: it turns no month and counts no usage of an alert."""
    with location.pipeline.warehouse.connect() as connection:
        assert month_of(connection.execute(sa.select(sa.func.now())).scalar_one(), WIB) > JULY
    set_clock(location, MIDNIGHT - timedelta(seconds=1))
    assert location.run(first=JUNE, last=JUNE).success
    assert closings(location, JULY) == {}
    known = {"", *months_between(FIRST, JUNE)}
    assert {row["year_month"] for row in location.pipeline.rows(tables.loaded_months)} <= known
