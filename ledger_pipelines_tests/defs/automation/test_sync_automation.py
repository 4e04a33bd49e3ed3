"""Hourly sync and the sensor that closes unfinished syncs: real ticks on an instance of their own."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from signal import SIGINT, SIGKILL, Signals
from subprocess import Popen

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.automation.jobs import erp_job
from ledger_pipelines.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from ledger_pipelines.defs.resources import SYNC_TAG
from ledger_pipelines.defs.resources.run_process import CODE_SERVER_TAG, process_tags
from ledger_pipelines.processes import ProcessId, process_start_time
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.code_location import CURRENT, FIRST
from ledger_pipelines_tests.support.dagster_internals import schedule_execution_time_iterator
from ledger_pipelines_tests.support.erp.erp_location import NAMES, ORDER_HEADERS, ErpLocation, new_erp_location


@pytest.fixture(scope="module")
def made(embedded_url: sa.URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpLocation]:
    """Yield a code location for the module."""
    home = tmp_path_factory.mktemp("home")
    with (
        dg.DagsterInstance.local_temp(str(home)) as instance,  # a schedule looks its instance up by reference
        new_erp_location(embedded_url, home, instance) as location,
    ):
        yield location


@pytest.fixture
def location(made: ErpLocation) -> ErpLocation:
    """Return the module's location, emptied and without runs."""
    made.reset()
    for run in made.instance.get_runs():
        made.instance.delete_run(run.run_id)
    return made


def tick_finished_syncs(location: ErpLocation) -> str:
    """Return the skip message of one tick of the sensor."""
    found = location.evaluate_sensor("finished_syncs")
    assert not found.run_requests
    return str(found.skip_message)


def run_of_status(location: ErpLocation, status: dg.DagsterRunStatus, tags: dict[str, str] | None = None) -> str:
    """Create a run of the sync in a status, without executing it, and return its id."""
    job = location.definitions.resolve_job_def(erp_job.name)
    run = location.instance.create_run_for_job(job, run_id=str(uuid.uuid4()), status=status, tags=tags or {})
    return run.run_id


def test_it_is_on_and_ticks_at_every_full_hour(location: ErpLocation) -> None:
    schedule = location.definitions.resolve_schedule_def("hourly_sync")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == erp_job.name
    assert schedule.execution_timezone == "Asia/Jakarta"
    start = datetime(2025, 6, 17, 22, 0, 1, tzinfo=WIB).timestamp()
    ticks = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone)
    assert [next(ticks).isoformat() for _ in range(3)] == [
        "2025-06-17T23:00:00+07:00",
        "2025-06-18T00:00:00+07:00",
        "2025-06-18T01:00:00+07:00",
    ]


def test_the_first_tick_loads_all_months_and_later_ones_two(location: ErpLocation) -> None:
    location.insert(ORDER_HEADERS, {"order_origin_code": "O1", "order_date": datetime(2025, 2, 3, tzinfo=WIB)})
    (request,) = location.evaluate_schedule("hourly_sync").run_requests or ()
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == (FIRST, CURRENT)
    result = location.run(tags=dict(request.tags), **request.run_config["resources"]["sync"]["config"])
    assert result.success
    log = location.log()
    assert (log.sync_type, log.status, log.run_id, log.total_records) == (
        "scheduled",
        "completed",
        result.run_id,
        1,
    )
    (request,) = location.evaluate_schedule("hourly_sync").run_requests or ()
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == ("2025-05", CURRENT)


def test_one_table_that_was_never_loaded_widens_the_range(location: ErpLocation) -> None:
    location.load(FIRST, CURRENT, *(name for name in NAMES if name != "so_invoice_line"))
    location.load("2025-03", CURRENT, "so_invoice_line")
    (request,) = location.evaluate_schedule("hourly_sync").run_requests or ()
    assert request.tags[RANGE_START_TAG] == FIRST
    location.load(FIRST, "2025-01", "so_invoice_line")
    (request,) = location.evaluate_schedule("hourly_sync").run_requests or ()
    assert request.tags[RANGE_START_TAG] == "2025-02"


def test_it_is_skipped_while_a_sync_runs(location: ErpLocation) -> None:
    log_id = location.start_sync(run_of_status(location, dg.DagsterRunStatus.STARTED))
    skipped = location.evaluate_schedule("hourly_sync")
    assert not skipped.run_requests
    assert f"Sync {log_id} has been running since" in str(skipped.skip_message)
    assert f"hourly sync skipped: Sync {log_id} has been running" in location.journal
    assert location.log().status == "running"


def test_it_is_skipped_while_another_run_is_queued(location: ErpLocation) -> None:
    run_id = run_of_status(location, dg.DagsterRunStatus.NOT_STARTED)
    assert f"Run {run_id} is queued to sync the ERP" in str(location.evaluate_schedule("hourly_sync").skip_message)


def test_a_sync_whose_run_has_ended_does_not_block_it(location: ErpLocation) -> None:
    log_id = location.start_sync(run_of_status(location, dg.DagsterRunStatus.FAILURE))
    assert location.evaluate_schedule("hourly_sync").run_requests
    assert location.log(log_id).status == "failed"


@pytest.mark.parametrize(
    ("status", "ending", "message"),
    [
        (dg.DagsterRunStatus.FAILURE, "failed", "the next sync loads what is missing"),
        (dg.DagsterRunStatus.CANCELED, "cancelled", "was cancelled"),
        (dg.DagsterRunStatus.SUCCESS, "completed", "None"),
    ],
)
def test_a_sync_is_closed_as_its_run_has_ended(
    location: ErpLocation, status: dg.DagsterRunStatus, ending: str, message: str
) -> None:
    run_id = run_of_status(location, status)
    log_id = location.start_sync(run_id)
    assert f"Closed the unfinished log of sync {log_id} as {ending}" in tick_finished_syncs(location)
    log = location.log(log_id)
    assert log.status == ending
    assert message in str(log.error_message)
    if ending != "completed":
        assert run_id in str(log.error_message)
    assert f"sync {log_id} {ending}" in location.journal
    assert tick_finished_syncs(location) == "No unfinished sync log was found."


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
def test_a_sync_whose_run_is_under_way_is_left_alone(location: ErpLocation, status: dg.DagsterRunStatus) -> None:
    location.start_sync(run_of_status(location, status))
    assert tick_finished_syncs(location) == "No unfinished sync log was found."
    assert location.log().status == "running"


def test_the_log_has_the_error_of_a_killed_run(location: ErpLocation) -> None:
    run_id = run_of_status(location, dg.DagsterRunStatus.STARTED)
    location.start_sync(run_id)
    run = location.instance.get_run_by_id(run_id)
    assert run is not None
    location.instance.report_run_failed(run, "The process that executed this run is gone.")
    tick_finished_syncs(location)
    assert f"Run {run_id} failed: The process that executed this run is gone." in str(location.log().error_message)


def test_a_run_cancelled_before_it_began_is_cancelled(location: ErpLocation) -> None:
    run_id = run_of_status(location, dg.DagsterRunStatus.STARTING)
    location.start_sync(run_id)
    run = location.instance.get_run_by_id(run_id)
    assert run is not None
    location.instance.report_run_canceling(run)
    location.instance.report_run_failed(run)  # as a code server does if the run's process cannot start any more
    tick_finished_syncs(location)
    log = location.log()
    assert log.status == "cancelled"
    assert f"Run {run_id} was cancelled." in str(log.error_message)


@contextmanager
def process_of(location: ErpLocation, log_run: str, tagged_run: str, tags: dict[str, str]) -> Iterator[Popen[bytes]]:
    """Yield an idle process that is tagged as executing a run."""
    with Popen(["sleep", "600"]) as process:
        started = process_start_time(process.pid)
        assert started is not None
        location.instance.add_run_tags(log_run, process_tags(tagged_run, ProcessId(process.pid, started)) | tags)
        location.start_sync(log_run)
        try:
            yield process
        finally:
            process.kill()


LAUNCHED = {CODE_SERVER_TAG: "{}"}


@pytest.mark.parametrize(
    ("status", "tags", "ended_by"),
    [
        (dg.DagsterRunStatus.CANCELED, LAUNCHED, SIGKILL),
        (dg.DagsterRunStatus.FAILURE, LAUNCHED, SIGKILL),
        (dg.DagsterRunStatus.CANCELED, {}, SIGINT),
    ],
)
def test_the_process_of_an_ended_run_is_ended(
    location: ErpLocation, status: dg.DagsterRunStatus, tags: dict[str, str], ended_by: Signals
) -> None:
    run_id = run_of_status(location, status)
    with process_of(location, run_id, run_id, tags) as process:
        tick_finished_syncs(location)
        assert process.wait(30) == -ended_by


@pytest.mark.parametrize(
    ("status", "is_its_own", "tags"),
    [
        (dg.DagsterRunStatus.STARTED, True, LAUNCHED),  # the run has not ended
        (dg.DagsterRunStatus.FAILURE, True, {}),  # a command, which reports the failure itself
        (dg.DagsterRunStatus.CANCELED, False, LAUNCHED),  # the process of another run, whose tags the run inherited
    ],
)
def test_other_processes_are_left_alone(
    location: ErpLocation, status: dg.DagsterRunStatus, is_its_own: bool, tags: dict[str, str]
) -> None:
    run_id = run_of_status(location, status)
    with process_of(location, run_id, run_id if is_its_own else str(uuid.uuid4()), tags) as process:
        tick_finished_syncs(location)
        assert process.poll() is None


def test_the_sessions_of_an_ended_run_are_ended(location: ErpLocation) -> None:
    """A server may notice late that a client is gone."""
    log_id = location.start_sync(run_of_status(location, dg.DagsterRunStatus.FAILURE))
    url = database_urls.warehouse_url(location.settings)
    left = warehouse_engine(url, location.settings.zone, sync_logs.writer_application_name(log_id))
    with left.connect() as connection:
        tick_finished_syncs(location)
        with pytest.raises(sa.exc.OperationalError, match="terminating connection"):
            connection.execute(sa.text("SELECT 1"))
    left.dispose()


def test_a_sync_with_an_unknown_run_is_closed(location: ErpLocation) -> None:
    location.start_sync("no-such-run")
    tick_finished_syncs(location)
    assert location.log().status == "failed"
    assert "run no-such-run is no longer known to Dagster" in str(location.log().error_message)


def _minutes_later(location: ErpLocation) -> None:
    with location.databases.warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE ops.sync_logs SET started_at = started_at - interval '121 s'"))


def test_a_sync_without_a_run_is_closed_after_a_timeout(location: ErpLocation) -> None:
    location.start_sync()
    assert tick_finished_syncs(location) == "No unfinished sync log was found."
    _minutes_later(location)
    tick_finished_syncs(location)
    assert location.log().status == "failed"
    assert "No run was launched within 120 s" in str(location.log().error_message)


def test_a_sync_whose_run_is_queued_is_left_alone(location: ErpLocation) -> None:
    log_id = location.start_sync()
    run_of_status(location, dg.DagsterRunStatus.NOT_STARTED, {SYNC_TAG: str(log_id)})
    _minutes_later(location)
    assert tick_finished_syncs(location) == "No unfinished sync log was found."
    assert location.log().status == "running"


def test_a_sync_is_closed_although_its_run_is_reexecuted(location: ErpLocation) -> None:
    """The second run inherits the tag of the first, and claims its own log."""
    log_id = location.start_sync()
    tag = {SYNC_TAG: str(log_id)}
    first = run_of_status(location, dg.DagsterRunStatus.CANCELED, tag)
    job = location.definitions.resolve_job_def(erp_job.name)
    location.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.NOT_STARTED, tags=tag, parent_run_id=first, root_run_id=first
    )
    tick_finished_syncs(location)
    assert location.log().status == "cancelled"


def test_the_sensor_is_on(location: ErpLocation) -> None:
    sensor = location.definitions.resolve_sensor_def("finished_syncs")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 5
