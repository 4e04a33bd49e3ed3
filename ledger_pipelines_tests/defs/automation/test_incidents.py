"""Incidents of failing sensors, runs and syncs: recorded by real ticks and runs, closed by the next success."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.automation import realtime
from ledger_pipelines.defs.automation.failures import REALTIME_RUN
from ledger_pipelines.defs.automation.incidents import sync_causes
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import change_queue, incidents, sync_logs
from ledger_pipelines.warehouse.ops.change_queue import QueuedChange
from ledger_pipelines.warehouse.ops.incidents import Incident, IncidentCause, IncidentKind
from ledger_pipelines.warehouse.ops.sync_logs import SyncResult
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline
from ledger_pipelines_tests.support.code_location import CURRENT, FIRST, NOW, CodeLocation, new_code_location
from ledger_pipelines_tests.support.tables import execute

pytestmark = pytest.mark.usefixtures("single_polls")

READING = '{"waktu": "2025-02-03", "volume_sm3": 10}'
LARGE = [reading_row(number, 2, READING) for number in range(10, 160)]


@pytest.fixture
def location(pipeline: Pipeline) -> Iterator[CodeLocation]:
    """Yield a code location over a computed ledger of two customers; ticks poll only once."""
    pipeline.reset(FIRST, CURRENT)
    customers = tuple(user_row(number, role="fob", harga_per_meter_kubik=100) for number in (1, 2))
    pipeline.fill(SourceState(customers, (reading_row(1, 1, READING), *LARGE)))
    pipeline.run()
    with new_code_location(pipeline) as made:
        yield made


def opened(location: CodeLocation) -> list[Incident]:
    with location.pipeline.warehouse.connect() as connection:
        return incidents.open_incidents(connection)


def test_a_failing_sensor_is_an_incident_until_it_succeeds(location: CodeLocation) -> None:
    execute(location.pipeline.source, "ALTER TABLE data_pencatatan RENAME TO elsewhere")
    for _ in range(2):
        with pytest.raises(Exception, match="data_pencatatan"):
            location.evaluate_sensor("readings")
    (incident,) = opened(location)
    assert (incident.kind, incident.subject) == ("poll_failed", "polling of readings")
    assert incident.occurrences == 2
    assert "There is no table or view data_pencatatan" in incident.reason
    execute(location.pipeline.source, "ALTER TABLE elsewhere RENAME TO data_pencatatan")
    location.evaluate_sensor("readings")
    assert opened(location) == []


def test_failed_realtime_run_stays_open_until_success(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(location.pipeline.source, sa.update(users).where(users.c.id == 1).values(harga_per_meter_kubik=200))
    location.evaluate_sensor("prices")

    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr("ledger_pipelines.ledger.balances.recalculate_balances", fail)
        assert not location.execute(realtime.JOB).success
    (incident,) = opened(location)
    assert (incident.kind, incident.subject) == ("poll_failed", "real-time run")
    assert "a fault of ours" in incident.reason
    execute(location.pipeline.warehouse, sa.update(tables.pending_changes).values(retry_at=None))
    assert location.execute(realtime.JOB).success
    assert opened(location) == []


def test_a_refused_run_is_resolved_by_accepted_deletions(location: CodeLocation) -> None:
    execute(
        location.pipeline.source,
        sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id == 2),
        sa.delete(users).where(users.c.id == 2),
    )
    assert not location.run().success
    location.evaluate_sensor("incident_review")
    refused, failed = sorted(opened(location), key=lambda one: one.kind)
    assert (refused.kind, refused.subject, refused.customers) == ("deletion_refused", "customer 2", [2])
    assert refused.details == {"rows": {"2": {"billing.customers": 1, "billing.meter_readings": 150}}}
    assert (failed.kind, failed.subject) == ("run_failed", "job billing_ledger")
    assert "Customer 2" in failed.reason
    assert failed.run_id is not None
    assert location.run(customer_ids=[1]).success
    location.evaluate_sensor("incident_review")
    assert len(opened(location)) == 2, "a run of one customer does not cover the others"
    assert location.run(accept_deletions=True).success
    location.evaluate_sensor("incident_review")
    assert opened(location) == []


def test_failed_customer_run_is_resolved_by_whole_run(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr("ledger_pipelines.ledger.balances.recalculate_balances", fail)
        assert not location.run("2025-02", "2025-03", customer_ids=[1]).success
    location.evaluate_sensor("incident_review")
    (incident,) = opened(location)
    assert incident.customers == [1]
    assert location.run("2025-03", CURRENT).success
    location.evaluate_sensor("incident_review")
    assert len(opened(location)) == 1, "February is still missing"
    assert location.run("2025-01", CURRENT).success
    location.evaluate_sensor("incident_review")
    assert opened(location) == []


def end_sync(warehouse: sa.Engine, status: Any) -> None:
    """Record a sync that began and ended."""
    with warehouse.begin() as connection:
        log = sync_logs.begin_sync(connection, "scheduled")
        sync_logs.close(connection, log.id, SyncResult(status, "the ERP is away" if status == "failed" else None))


def kinds_of(connection: sa.Connection, now: datetime, watched_since: datetime) -> list[str]:
    return [cause.kind.value for cause in sync_causes(connection, now, watched_since=watched_since)]


def test_a_failed_sync_is_resolved_by_a_completed_one(location: CodeLocation) -> None:
    warehouse, now = location.pipeline.warehouse, datetime.now(UTC)
    for status, expected in (
        ("completed", []),
        ("failed", ["sync_failed"]),
        ("cancelled", ["sync_failed"]),
        ("completed", []),
    ):
        end_sync(warehouse, status)
        with warehouse.connect() as connection:
            assert kinds_of(connection, now, watched_since=now) == expected


@pytest.mark.parametrize(
    ("minutes", "watched_hours", "expected"),
    [(9, 1, []), (10, 1, ["sync_missed"]), (59, 1, ["sync_missed"]), (69, 1, ["sync_missed"]), (30, 0, [])],
)
def test_a_missed_hourly_sync(location: CodeLocation, minutes: int, watched_hours: int, expected: list[str]) -> None:
    end_sync(location.pipeline.warehouse, "completed")
    in_two_hours = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    now = in_two_hours + timedelta(minutes=minutes)
    watched_since = in_two_hours + timedelta(seconds=1) - timedelta(hours=watched_hours)
    with location.pipeline.warehouse.connect() as connection:
        assert kinds_of(connection, now, watched_since) == expected


def test_a_failed_real_time_run_is_resolved_without_changes(location: CodeLocation) -> None:
    cause = IncidentCause(IncidentKind.POLL_FAILED, REALTIME_RUN, "the source was unavailable", "wait")
    with location.pipeline.warehouse.begin() as connection:
        incidents.record(connection, cause)
        change_queue.enqueue(connection, [QueuedChange("users", 1, 1, FIRST, "", None)])
        change_queue.mark_failed(connection, change_queue.dequeue(connection, 1), "the source was unavailable")
    location.evaluate_sensor("incident_review")
    assert len(opened(location)) == 1, "a change waits for its retry"
    execute(location.pipeline.warehouse, sa.delete(tables.pending_changes))
    location.evaluate_sensor("incident_review")
    assert opened(location) == []


def test_a_change_that_no_run_applies(location: CodeLocation) -> None:
    with location.pipeline.warehouse.begin() as connection:
        change_queue.enqueue(connection, [QueuedChange("users", 1, 1, FIRST, "", None)])
    location.evaluate_sensor("incident_review")
    assert opened(location) == []
    with location.pipeline.warehouse.begin() as connection:
        earlier = tables.pending_changes.c.noticed_at - timedelta(minutes=16)
        connection.execute(sa.update(tables.pending_changes).values(noticed_at=earlier))
    location.evaluate_sensor("incident_review")
    assert [one.kind for one in opened(location)] == ["changes_wait"]
    execute(location.pipeline.warehouse, sa.delete(tables.pending_changes))
    location.evaluate_sensor("incident_review")
    assert opened(location) == []


def test_a_month_that_no_process_turns(location: CodeLocation) -> None:
    next_month = CodeLocation(location.pipeline, location.instance)
    next_month.databases._clock = lambda: datetime(2025, 7, 1, 0, 2, tzinfo=WIB)
    next_month.evaluate_sensor("incident_review")
    (incident,) = opened(location)
    assert (incident.kind, incident.subject) == ("month_missing", "month 2025-07")
    next_month.evaluate_sensor("readings")
    next_month.evaluate_sensor("incident_review")
    assert opened(location) == []
    next_month.databases.dispose()


def test_without_an_erp_shrunk_months_are_closed(location: CodeLocation) -> None:
    with location.pipeline.warehouse.begin() as connection:
        incidents.record(connection, IncidentCause(IncidentKind.MONTH_SHRANK, "stockbywh", "rows are lost", "look"))
    location.evaluate_sensor("incident_review")
    assert opened(location) == []


def test_without_an_erp_no_sync_is_missed(location: CodeLocation) -> None:
    assert location.evaluate_sensor("incident_review").skip_message == "No incident is open."
    assert NOW.minute > 10
