"""`ledger sync` on a small demo: runs, refusals, and the state after a cancellation or a kill."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.definitions import build_definitions
from ledger_pipelines.horizon import months_between, shift_month
from ledger_pipelines.serving import sync as serving_sync
from ledger_pipelines.serving.dagster import client as dagster_client
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncResult
from ledger_pipelines.warehouse.tables import erp_tables
from ledger_pipelines.warehouse.transaction_setup import lock_tables
from ledger_pipelines_tests.support.serving.installation import (
    MONTHS,
    Installation,
    json_of,
    replaced_environment,
    temporary_installation,
)

PATIENCE = 60
LINES = erp_tables["so_invoice_line"]


@pytest.fixture(scope="module")
def synced() -> Iterator[Installation]:
    """An installation with a small ERP, synced once; tests leave its tables unchanged."""
    with temporary_installation() as made:
        seed = ["demo", "seed", "--only", "erp", "--months", str(MONTHS), "--erp-rows-per-month", "30"]
        result = made.run(*seed)
        assert result.exit_code == 0, result.output
        before = json_of(made.run("sync", "status", "--json"))
        assert before == {"success": True, "message": before["message"], "data": None}
        result = made.run("sync", "start", "--wait", "--json")
        assert result.exit_code == 0, result.output
        answer = json_of(result)
        assert answer["success"]
        assert answer["data"]["status"] == "completed"
        assert [table["table_name"] for table in answer["tables"]] == sorted(table.name for table in ERP_TABLES)
        assert all(table["rows_inserted"] > 0 for table in answer["tables"])
        yield made


def wait(until: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def locked_table(installation: Installation) -> Iterator[None]:
    """Lock a table, so that a sync has to wait for it."""
    with installation.warehouse("READ COMMITTED") as connection:
        lock_tables(connection, LINES)
        yield


def status(installation: Installation) -> str:
    """Return the status of the latest sync."""
    with installation.warehouse() as connection:
        return str(connection.scalar(sa.text("SELECT status FROM ops.sync_logs ORDER BY id DESC LIMIT 1")))


def sync_sessions(installation: Installation) -> int:
    """Return the number of sessions of syncs in the warehouse."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ledger_sync_%'"
    with installation.warehouse() as connection:
        return connection.scalar(sa.text(query)) or 0


def start_blocked_sync(installation: Installation) -> int:
    """Start a sync in a separate process, wait until it is blocked by the locked table, and return its id."""
    result = installation.run("sync", "start", "--json")
    assert result.exit_code == 0, result.output
    answer = json_of(result)
    assert answer == {
        "success": True,
        "message": answer["message"],
        "sync_log_id": answer["sync_log_id"],
        "status": "running",
    }
    wait(lambda: sync_sessions(installation) > 0 and _is_blocked(installation))
    return int(answer["sync_log_id"])


def _is_blocked(installation: Installation) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with installation.warehouse() as connection:
        return bool(connection.scalar(sa.text(query)))


def process_of_run(installation: Installation) -> int:
    """Return the id of the process that executes the latest run."""
    with installation.warehouse() as connection:
        engine = sa.create_engine(connection.engine.url.set(database="warehouse_dagster"))
    query = "SELECT value FROM run_tags WHERE key = 'ledger/pid' ORDER BY id DESC LIMIT 1"
    try:
        with engine.connect() as connection:
            return int(connection.scalar(sa.text(query)) or 0)
    finally:
        engine.dispose()


def test_a_second_sync_writes_nothing(synced: Installation) -> None:
    before = synced.fingerprint()
    answer = json_of(synced.run("sync", "start", "--wait", "--json"))
    assert answer["data"]["status"] == "completed"
    assert {table["rows_inserted"] + table["rows_deleted"] for table in answer["tables"]} == {0}
    lines = next(table for table in answer["tables"] if table["table_name"] == LINES.name)
    assert len(lines["months"]) == 2, "only the last two months: nothing else differs"
    assert synced.fingerprint() == before


def test_given_months_and_tables(synced: Installation) -> None:
    first = synced.variables["LEDGER_FIRST_MONTH"]
    answer = json_of(synced.run("sync", "start", "--month", first, "--table", LINES.name, "--wait", "--json"))
    assert [(table["table_name"], table["months"]) for table in answer["tables"]] == [(LINES.name, [first])]
    month_range = ["--from-month", first, "--to-month", shift_month(first, 1)]
    answer = json_of(synced.run("sync", "start", *month_range, "--table", LINES.name, "--wait", "--json"))
    assert answer["tables"][0]["months"] == [first, shift_month(first, 1)]
    answer = json_of(synced.run("sync", "start", "--full", "--table", LINES.name, "--wait", "--json"))
    # Rows dated outside the partitions are read again too, and rejected again.
    assert set(answer["tables"][0]["months"]) >= set(months_between(first, shift_month(first, MONTHS - 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--month", "march"], "is no month"),
        (["--month", "2999-01"], "is in the future"),
        (["--from-month", "1999-01"], "LEDGER_FIRST_MONTH"),
        (["--month", "2999-01", "--from-month", "2999-01"], "either one month"),
        (["--table", "so_invoice"], "Did you mean so_invoice_line?"),
    ],
)
def test_invalid_options_are_explained(synced: Installation, arguments: list[str], message: str) -> None:
    before = json_of(synced.run("sync", "logs", "--json"))
    result = synced.run("sync", "start", *arguments, "--json")
    assert result.exit_code == 1
    assert message in json_of(result)["error"]
    assert message in result.stderr.replace("\n", " ")
    assert json_of(synced.run("sync", "logs", "--json")) == before, "no sync was registered"


def test_reversed_range_of_months_is_refused(synced: Installation) -> None:
    first = synced.variables["LEDGER_FIRST_MONTH"]
    result = synced.run("sync", "start", "--from-month", shift_month(first, 1), "--to-month", first)
    assert result.exit_code == 1
    assert "ends before it starts" in result.stderr


def sync_log_text(installation: Installation) -> str:
    """Return the content of the log file of the syncs."""
    return (installation.settings.home / "logs" / "sync.log").read_text()


@pytest.mark.slow
def test_running_sync_refuses_another_and_is_cancelled(synced: Installation) -> None:
    before = synced.fingerprint()
    with locked_table(synced):
        log_id = start_blocked_sync(synced)
        refused = synced.run("sync", "start", "--json")
        assert refused.exit_code == 1
        answer = json_of(refused)
        assert (answer["success"], answer["running_sync_id"]) == (False, log_id)
        assert f"Sync {log_id} (manual) has been running since" in answer["message"]
        shown = json_of(synced.run("sync", "status", "--json"))
        assert (shown["data"]["id"], shown["data"]["status"], shown["data"]["duration"]) == (log_id, "running", None)
        assert "running" in {table["status"] for table in shown["tables"]}
        cancelled = synced.run("sync", "cancel", "--json")
        assert cancelled.exit_code == 0, cancelled.output
        assert json_of(cancelled)["sync_log_id"] == log_id
        assert sync_sessions(synced) == 0, "the sync has no session left in the warehouse"
    assert synced.fingerprint() == before
    shown = json_of(synced.run("sync", "status", str(log_id), "--json"))
    assert shown["data"]["status"] == "cancelled"
    assert "It was cancelled" in shown["data"]["error_message"]
    tables = {table["table_name"]: table["status"] for table in shown["tables"]}
    assert tables[LINES.name] == "cancelled"
    assert _run_status(synced) == "CANCELED"
    assert f"manual sync refused: sync {log_id} is running" in sync_log_text(synced)
    assert f"sync {log_id} is to be cancelled" in sync_log_text(synced)
    assert json_of(synced.run("sync", "start", "--wait", "--json"))["data"]["status"] == "completed"


def _run_status(installation: Installation) -> str:
    with installation.warehouse() as connection:
        engine = sa.create_engine(connection.engine.url.set(database="warehouse_dagster"))
    try:
        with engine.connect() as connection:
            return str(connection.scalar(sa.text("SELECT status FROM runs ORDER BY id DESC LIMIT 1")))
    finally:
        engine.dispose()


@pytest.mark.slow
def test_unresponsive_run_is_ended_by_force(synced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_sync, "CANCEL_SECONDS", 0.5)
    before = synced.fingerprint()
    with locked_table(synced):
        log_id = start_blocked_sync(synced)
        process = process_of_run(synced)
        os.kill(process, signal.SIGSTOP)
        cancelled = synced.run("sync", "cancel", "--json")
        assert cancelled.exit_code == 0, cancelled.output
        assert "ended by force" in json_of(cancelled)["message"]
        wait(lambda: sync_sessions(synced) == 0)
    assert synced.fingerprint() == before
    shown = json_of(synced.run("sync", "status", str(log_id), "--json"))
    assert shown["data"]["status"] == "cancelled"
    assert {table["status"] for table in shown["tables"]} <= {"completed", "cancelled"}
    assert _run_status(synced) == "CANCELED"


@pytest.mark.slow
def test_killed_sync_fails_and_the_next_one_succeeds(synced: Installation) -> None:
    before = synced.fingerprint()
    with locked_table(synced):
        log_id = start_blocked_sync(synced)
        os.kill(process_of_run(synced), signal.SIGKILL)
        wait(lambda: json_of(synced.run("sync", "status", "--json"))["data"]["status"] == "failed")
    shown = json_of(synced.run("sync", "status", str(log_id), "--json"))
    message = shown["data"]["error_message"]
    assert "The process that executed this run is gone" in message
    assert "the next sync loads what is missing" in message
    lines = next(table for table in shown["tables"] if table["table_name"] == LINES.name)
    assert (lines["status"], lines["rows_loaded"]) == ("failed", 0)
    assert synced.fingerprint() == before
    assert json_of(synced.run("sync", "start", "--wait", "--json"))["data"]["status"] == "completed"


def test_sync_killed_with_its_ledger_up_blocks_no_other(synced: Installation) -> None:
    """Both were killed, so only the next command can detect it."""
    with replaced_environment(synced.variables), dagster_client.open_instance(synced.settings) as instance:
        server = {"host": "127.0.0.1", "port": synced.settings.code_server_port}
        job = build_definitions(synced.settings).resolve_job_def("erp_sync")
        tags = {".dagster/grpc_info": json.dumps(server)}
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    with synced.warehouse() as connection:
        sync_logs.begin_sync(connection, "scheduled", run.run_id)
    assert json_of(synced.run("sync", "start", "--table", LINES.name, "--wait", "--json"))["success"]
    (_, dead) = json_of(synced.run("sync", "logs", "--per-page", "2", "--json"))["data"]
    assert dead["status"] == "failed"
    assert "is gone" in dead["error_message"]


@pytest.mark.slow
def test_simultaneous_starts_refuse_one(synced: Installation) -> None:
    with locked_table(synced):
        both = [synced.spawn("sync", "start", "--json", stdout=subprocess.PIPE) for _ in range(2)]
        answers = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in both]
        won, lost = sorted(answers, key=lambda answer: not answer["success"])
        assert (won["success"], lost["success"]) == (True, False)
        assert lost["running_sync_id"] == won["sync_log_id"]
        assert sorted(process.returncode for process in both) == [0, 1]
    wait(lambda: status(synced) == "completed")


def test_failed_launch_closes_the_log(synced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("ledger_pipelines.serving.sync.subprocess.Popen", no_memory)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        synced.run("sync", "start")
    shown = json_of(synced.run("sync", "status", "--json"))["data"]
    assert shown["status"] == "failed"
    assert "could not be launched" in shown["error_message"]


def test_start_in_ledger_up_prints_the_url_of_the_run(synced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_sync.SyncService, "running_dagster", lambda _: DagsterGraphql("http://127.0.0.1:3000"))
    monkeypatch.setattr(serving_sync.SyncService, "launch", lambda *_: "4f0c")
    result = synced.run("sync", "start")
    assert result.exit_code == 0, result.output
    assert "is running in ledger up. See: ledger sync status, or http://127.0.0.1:3000/runs/4f0c\n" in result.stderr
    assert synced.run("sync", "cancel").exit_code == 0


def test_registered_sync_without_run_can_be_cancelled(synced: Installation) -> None:
    with synced.warehouse() as connection:
        log_id = sync_logs.begin_sync(connection, "manual").id
    other = synced.run("sync", "cancel", str(log_id - 1), "--json")
    assert other.exit_code == 1
    assert json_of(other)["running_sync_id"] == log_id
    answer = json_of(synced.run("sync", "cancel", str(log_id), "--json"))
    assert (answer["success"], answer["sync_log_id"], answer["status"]) == (True, log_id, "cancelled")
    assert "Its run had not begun" in answer["message"]


def test_nothing_to_cancel(synced: Installation) -> None:
    result = synced.run("sync", "cancel", "--json")
    assert result.exit_code == 1
    assert json_of(result) == {"success": False, "message": "No sync is running."}


def test_unreachable_erp_fails_the_sync(synced: Installation) -> None:
    before = synced.fingerprint()
    unreachable = "postgresql://reader:hush@127.0.0.1:1/erp"
    result = synced.run("sync", "start", "--wait", "--table", LINES.name, "--json", LEDGER_ERP_URL=unreachable)
    assert result.exit_code == 1
    answer = json_of(result)
    assert (answer["success"], answer["data"]["status"]) == (False, "failed")
    assert LINES.name in answer["data"]["error_message"]
    assert "127.0.0.1:1" in answer["data"]["error_message"]
    assert "hush" not in result.output
    assert synced.fingerprint() == before


def test_logs_and_statistics(synced: Installation) -> None:
    with synced.warehouse() as connection:
        for _ in range(4):  # in addition to the first sync of the installation
            sync_logs.close(connection, sync_logs.begin_sync(connection, "manual").id, SyncResult("completed"))
    listed = json_of(synced.run("sync", "logs", "--per-page", "2", "--page", "2", "--json"))
    assert listed["success"]
    assert [listed["pagination"][name] for name in ("current_page", "per_page", "from", "to")] == [2, 2, 3, 4]
    assert len(listed["data"]) == 2
    assert listed["data"][0]["id"] > listed["data"][1]["id"]
    completed = json_of(synced.run("sync", "logs", "--status", "completed", "--type", "manual", "--json"))["data"]
    assert {log["status"] for log in completed} == {"completed"}
    numbers = json_of(synced.run("sync", "statistics", "--days", "1", "--json"))["data"]
    assert numbers["statistics"]["total_syncs"] >= numbers["statistics"]["successful_syncs"] > 0
    assert isinstance(numbers["statistics"]["avg_duration"], float)
    assert len(numbers["recent_logs"]) == 5
    assert "completed" in synced.run("sync", "logs").stdout
    assert "avg duration" in synced.run("sync", "statistics").stdout
    assert LINES.name in synced.run("sync", "status", str(completed[-1]["id"])).stdout


def test_an_unknown_sync(synced: Installation) -> None:
    result = synced.run("sync", "status", "999999", "--json")
    assert result.exit_code == 1
    assert json_of(result) == {"success": False, "message": "There is no sync 999999. To list syncs: ledger sync logs"}


def test_log_file_has_start_tables_and_end(synced: Installation) -> None:
    log = sync_log_text(synced)
    for words in ("started (manual, run", f"{LINES.name}: ", "completed: "):
        assert words in log, words
    assert str(database_urls.warehouse_url(synced.settings).password) not in log
    assert all("+0700 " in line for line in log.splitlines())
