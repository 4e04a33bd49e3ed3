"""Logs of the syncs: one running sync, one end, totals from the tables, and queries."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse import schema
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import (
    SyncedTable,
    SyncLog,
    SyncNotRunningError,
    SyncResult,
    SyncRunningError,
)
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables.erp import SyncStatus
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database
from ledger_pipelines_tests.support.tables import execute
from ledger_pipelines_tests.support.waiting import wait_until

ROUNDS = 50 if os.environ.get("CI") else 10
COMPLETED = SyncResult("completed")
REPORT = TableReport(
    "erp.so_invoice_line",
    {"2025-01": Counts(inserted=5, updated=2), "2025-03": Counts(deleted=1, unchanged=3)},
    {"2025-01": 1, "": 1},
)


@pytest.fixture(scope="module")
def database(postgres_url: sa.URL) -> Iterator[sa.Engine]:
    """A warehouse of its own."""
    with fresh_database(postgres_url) as url:
        engine = warehouse_engine(url, WIB)
        schema.upgrade(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def warehouse(database: sa.Engine) -> sa.Engine:
    """The warehouse, without any log."""
    execute(database, "TRUNCATE ops.sync_logs, ops.sync_log_tables")
    return database


def start_sync(warehouse: sa.Engine, run_id: str | None = None) -> int:
    with warehouse.begin() as connection:
        return sync_logs.begin_sync(connection, "manual", run_id).id


def run_sync(warehouse: sa.Engine, ending: SyncResult = COMPLETED, *, days_ago: int = 0, records: int = 0) -> int:
    """Start and end a sync that takes ten seconds, and return its id."""
    log_id = start_sync(warehouse)
    with warehouse.begin() as connection:
        sync_logs.table_started(connection, log_id, "stockbywh")
        report = TableReport("erp.stockbywh", {"2025-01": Counts(inserted=records)})
        sync_logs.table_finished(connection, log_id, "stockbywh", report, Decimal(1))
        sync_logs.close(connection, log_id, ending)
        moved = "UPDATE ops.sync_logs SET started_at = now() - :ago, completed_at = now() - :ago + :took WHERE id = :id"
        times = {"ago": timedelta(days=days_ago), "took": timedelta(seconds=10), "id": log_id}
        connection.execute(sa.text(moved), times)
    return log_id


def log_of(warehouse: sa.Engine, log_id: int) -> SyncLog:
    with warehouse.connect() as connection:
        log = sync_history.by_id(connection, log_id)
    assert log is not None
    return log


def tables_of(warehouse: sa.Engine, log_id: int) -> dict[str, SyncedTable]:
    with warehouse.connect() as connection:
        return {table.table_name: table for table in sync_history.tables_of(connection, log_id)}


def test_of_two_simultaneous_starts_one_is_refused(warehouse: sa.Engine) -> None:
    """Each start has its own connection; a barrier releases both at the same moment."""
    with ThreadPoolExecutor(2) as pool, warehouse.connect() as first, warehouse.connect() as second:
        for number in range(ROUNDS):
            barrier = Barrier(2)
            attempts = [pool.submit(_start_at_barrier, barrier, connection) for connection in (first, second)]
            results = [attempt.result() for attempt in attempts]
            won = [result for result in results if isinstance(result, SyncLog)]
            refused = [result for result in results if isinstance(result, SyncRunningError)]
            assert (len(won), len(refused)) == (1, 1), f"round {number}"
            assert refused[0].running == won[0]
            assert f"Sync {won[0].id} (manual) has been running since" in str(refused[0])
            with warehouse.begin() as connection:
                sync_logs.close(connection, won[0].id, COMPLETED)
    with warehouse.connect() as connection:
        assert sync_history.page(connection).total == ROUNDS


def _start_at_barrier(barrier: Barrier, connection: sa.Connection) -> SyncLog | SyncRunningError:
    barrier.wait(10)
    try:
        with connection.begin():
            return sync_logs.begin_sync(connection, "manual")
    except SyncRunningError as error:
        return error


def test_start_waits_for_an_uncommitted_start(
    warehouse: sa.Engine,
) -> None:
    with ThreadPoolExecutor(1) as pool, warehouse.connect() as first:
        transaction = first.begin()
        sync_logs.begin_sync(first, "manual")
        second = pool.submit(start_sync, warehouse)
        _wait_for_lock(warehouse)
        transaction.rollback()
        assert log_of(warehouse, second.result(10)).status == "running"


def _wait_for_lock(warehouse: sa.Engine) -> None:
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with warehouse.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        wait_until(lambda: connection.scalar(waiting), lambda: "no session waits for a lock")


def test_a_unique_index_refuses_a_second_running_log(warehouse: sa.Engine) -> None:
    start_sync(warehouse)
    with pytest.raises(sa.exc.IntegrityError, match="uq_sync_logs_running"), warehouse.begin() as connection:
        connection.execute(sa.text("INSERT INTO ops.sync_logs (sync_type, status) VALUES ('manual', 'running')"))


def test_a_refused_start_uses_no_id(warehouse: sa.Engine) -> None:
    first = run_sync(warehouse)
    running = start_sync(warehouse)
    for _ in range(3):
        with pytest.raises(SyncRunningError):
            start_sync(warehouse)
    with warehouse.begin() as connection:
        sync_logs.close(connection, running, COMPLETED)
    assert (running, start_sync(warehouse)) == (first + 1, first + 2)


def test_totals_are_sums_of_the_completed_tables(warehouse: sa.Engine) -> None:
    log_id = start_sync(warehouse)
    with warehouse.begin() as connection:
        for table in ("so_invoice_line", "stockbywh", "view_prod_header"):
            sync_logs.table_started(connection, log_id, table)
        sync_logs.table_finished(connection, log_id, "so_invoice_line", REPORT, Decimal("1.25"))
        sync_logs.table_progressed(connection, log_id, "stockbywh", 500)
        failed = SyncResult("failed", "no such table")
        sync_logs.table_failed(connection, log_id, "view_prod_header", failed, Decimal(2))
    running = log_of(warehouse, log_id)
    assert (running.status, running.total_records, running.duration) == ("running", 12, None)
    with warehouse.begin() as connection:
        ended = sync_logs.close(connection, log_id, SyncResult("failed", "view_prod_header: no such table"))
    assert ended == log_of(warehouse, log_id)
    assert (ended.total_records, ended.success_records, ended.failed_records) == (12, 10, 2)
    assert ended.success_rate == Decimal("83.33")
    assert ended.duration is not None
    assert ended.duration >= 0
    tables = tables_of(warehouse, log_id)
    done = tables["so_invoice_line"]
    assert done.months == ("2025-01", "2025-03")
    assert (done.rows_read, done.rows_loaded, done.rows_rejected) == (12, 10, 2)
    assert (done.rows_inserted, done.rows_updated, done.rows_deleted, done.rows_unchanged) == (5, 2, 1, 3)
    assert (done.status, done.seconds, done.error_message) == ("completed", Decimal("1.250"), None)
    assert (tables["stockbywh"].status, tables["stockbywh"].rows_read) == ("failed", 500)
    assert "not finished" in str(tables["stockbywh"].error_message)
    assert tables["view_prod_header"].error_message == "no such table"


def test_a_retried_table_is_reset(warehouse: sa.Engine) -> None:
    log_id = start_sync(warehouse)
    with warehouse.begin() as connection:
        sync_logs.table_started(connection, log_id, "stockbywh")
        sync_logs.table_finished(connection, log_id, "stockbywh", REPORT, Decimal(1))
        sync_logs.table_failed(connection, log_id, "stockbywh", SyncResult("failed", "it broke"), Decimal(1))
        sync_logs.table_started(connection, log_id, "stockbywh")
    table = tables_of(warehouse, log_id)["stockbywh"]
    assert table == SyncedTable("stockbywh", "running", (), 0, 0, 0, 0, 0, 0, 0, None, None)


def test_a_sync_ends_once(warehouse: sa.Engine) -> None:
    log_id = start_sync(warehouse)
    with warehouse.begin() as connection:
        assert sync_logs.close(connection, log_id, SyncResult("cancelled", "It was cancelled.")) is not None
        assert sync_logs.close(connection, log_id, COMPLETED) is None
        assert sync_logs.close(connection, log_id + 1, COMPLETED) is None
    assert (log_of(warehouse, log_id).status, log_of(warehouse, log_id).error_message) == (
        "cancelled",
        "It was cancelled.",
    )
    start_sync(warehouse)


def test_an_ended_sync_accepts_results_but_no_new_table(warehouse: sa.Engine) -> None:
    log_id = start_sync(warehouse)
    with warehouse.begin() as connection:
        sync_logs.table_started(connection, log_id, "so_invoice_line")
        sync_logs.close(connection, log_id, SyncResult("cancelled"))
        with pytest.raises(SyncNotRunningError, match=f"Sync {log_id} is already cancelled; stockbywh is unchanged"):
            sync_logs.table_started(connection, log_id, "stockbywh")
        sync_logs.table_progressed(connection, log_id, "so_invoice_line", 999)
        assert sync_history.tables_of(connection, log_id)[0].rows_read == 0
        sync_logs.table_finished(connection, log_id, "so_invoice_line", REPORT, Decimal(1))
    assert tables_of(warehouse, log_id)["so_invoice_line"].status == "completed"
    assert (log_of(warehouse, log_id).status, log_of(warehouse, log_id).total_records) == ("cancelled", 12)


def test_attach_run(warehouse: sa.Engine) -> None:
    log_id = start_sync(warehouse)
    with warehouse.begin() as connection:
        assert sync_logs.attach_run(connection, log_id, "abc").run_id == "abc"
        assert sync_logs.attach_run(connection, log_id, "abc").run_id == "abc"
        with pytest.raises(SyncNotRunningError, match="has another run, abc"):
            sync_logs.attach_run(connection, log_id, "def")
        with pytest.raises(SyncRunningError, match="in run abc"):
            sync_logs.begin_sync(connection, "scheduled")
        sync_logs.close(connection, log_id, SyncResult("cancelled"))
        with pytest.raises(SyncNotRunningError, match="is already cancelled"):
            sync_logs.attach_run(connection, log_id, "abc")
        with pytest.raises(SyncNotRunningError, match=r"is not in ops\.sync_logs"):
            sync_logs.attach_run(connection, log_id + 1, "abc")


def test_was_claimed_before(warehouse: sa.Engine) -> None:
    log_id = start_sync(warehouse)
    with warehouse.begin() as connection:
        assert not sync_logs.has_run_longer_than(connection, log_id, 120)
        connection.execute(sa.text("UPDATE ops.sync_logs SET started_at = now() - interval '121 s'"))
        assert sync_logs.has_run_longer_than(connection, log_id, 120)


def table(name: str, status: SyncStatus, error: str | None = None) -> SyncedTable:
    return SyncedTable(name, status, (), 0, 0, 0, 0, 0, 0, 0, None, error)


@pytest.mark.parametrize(
    ("results", "interrupted", "expected"),
    [
        ([table("a", "completed"), table("b", "completed")], False, COMPLETED),
        ([table("a", "completed"), table("b", "completed")], True, COMPLETED),
        (
            [table("a", "completed"), table("b", "failed", "no such table")],
            False,
            SyncResult("failed", "b: no such table"),
        ),
        (
            [table("a", "failed", "the ERP is away"), table("b", "failed", "the ERP is away")],
            False,
            SyncResult("failed", "a, b: the ERP is away"),
        ),
        (
            [table("b", "failed", "no such table")],
            False,
            SyncResult("failed", "a: Not reached before the sync ended.\nb: no such table"),
        ),
        (
            [table("a", "completed"), table("b", "cancelled")],
            False,
            SyncResult("cancelled", "It was cancelled. Unchanged: b. Already synced: a."),
        ),
        ([], True, SyncResult("cancelled", "It was cancelled. Unchanged: a, b.")),
        (
            [table("a", "completed")],
            False,
            SyncResult(
                "failed",
                "The run, or its program, was stopped between two tables.\nb: Not reached before the sync ended.",
            ),
        ),
    ],
)
def test_verdict(results: list[SyncedTable], interrupted: bool, expected: SyncResult) -> None:
    assert sync_logs.sync_result(results, ["a", "b"], interrupted=interrupted) == expected


def test_queries_without_any_sync(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        assert sync_history.latest(connection) is None
        assert sync_history.by_id(connection, 1) is None
        assert sync_logs.running_sync(connection) is None
        nothing = sync_history.page(connection)
        assert nothing.items == []
        assert nothing.pagination() == {
            "current_page": 1, "last_page": 1, "per_page": 10, "total": 0, "from": None, "to": None,
        }  # fmt: skip
        assert asdict(sync_history.statistics(connection)) == {
            "statistics": {
                "total_syncs": 0,
                "successful_syncs": 0,
                "failed_syncs": 0,
                "running_syncs": 0,
                "avg_records": None,
                "avg_duration": None,
            },
            "recent_logs": [],
        }


def test_times_are_in_the_companys_zone(warehouse: sa.Engine) -> None:
    log_id = run_sync(warehouse, records=4)
    execute(
        warehouse,
        "UPDATE ops.sync_logs SET started_at = '2025-03-01 00:00:00+07'",
        "UPDATE ops.sync_logs SET completed_at = '2025-02-28 17:01:00.5+00'",
    )
    log = log_of(warehouse, log_id)
    assert log.completed_at is not None
    times = [time.isoformat() for time in (log.started_at, log.completed_at)]
    assert times == ["2025-03-01T00:00:00+07:00", "2025-03-01T00:01:00.500000+07:00"]
    assert (log.duration, log.success_rate) == (Decimal("60.500"), Decimal("100.00"))


@pytest.fixture
def seven_syncs(warehouse: sa.Engine) -> list[int]:
    """Ids of seven syncs, in order; the third and the fourth failed."""
    endings = [COMPLETED] * 2 + [SyncResult("failed", "it broke")] * 2 + [COMPLETED] * 3
    return [run_sync(warehouse, ending) for ending in endings]


@pytest.mark.parametrize(
    ("options", "positions", "pagination"),
    [
        ({}, [6, 5, 4, 3, 2, 1, 0], (1, 1, 10, 7, 1, 7)),
        ({"per_page": 3}, [6, 5, 4], (1, 3, 3, 7, 1, 3)),
        ({"per_page": 3, "number": 3}, [0], (3, 3, 3, 7, 7, 7)),
        ({"per_page": 3, "number": 4}, [], (4, 3, 3, 7, None, None)),
        ({"per_page": 7}, [6, 5, 4, 3, 2, 1, 0], (1, 1, 7, 7, 1, 7)),
        ({"status": "failed"}, [3, 2], (1, 1, 10, 2, 1, 2)),
        ({"status": "failed", "sync_type": "scheduled"}, [], (1, 1, 10, 0, None, None)),
        ({"sync_type": "manual", "per_page": 2, "number": 2}, [4, 3], (2, 4, 2, 7, 3, 4)),
    ],
)
def test_pages(
    warehouse: sa.Engine,
    seven_syncs: list[int],
    options: dict[str, Any],
    positions: list[int],
    pagination: tuple[int | None, ...],
) -> None:
    with warehouse.connect() as connection:
        page = sync_history.page(connection, **options)
    assert [log.id for log in page.items] == [seven_syncs[position] for position in positions]
    names = ("current_page", "last_page", "per_page", "total", "from", "to")
    assert page.pagination() == dict(zip(names, pagination, strict=True))


def test_statistics(warehouse: sa.Engine) -> None:
    run_sync(warehouse, days_ago=8, records=1000)
    for records in (10, 11):
        run_sync(warehouse, records=records)
    failed = run_sync(warehouse, SyncResult("failed", "it broke"), records=500)
    cancelled = run_sync(warehouse, SyncResult("cancelled"))
    running = start_sync(warehouse)
    with warehouse.connect() as connection:
        found = sync_history.statistics(connection)
        month = sync_history.statistics(connection, days=30).statistics
    week = found.statistics
    assert (week.total_syncs, week.successful_syncs, week.failed_syncs, week.running_syncs) == (5, 2, 1, 1)
    assert (week.avg_records, week.avg_duration) == (Decimal("10.50"), Decimal("10.00"))
    assert [log.id for log in found.recent_logs][:3] == [running, cancelled, failed]
    assert len(found.recent_logs) == 5
    assert (month.total_syncs, month.successful_syncs, month.avg_records) == (6, 3, Decimal("340.33"))
