"""`ledger sync` on a small demo: runs, refusals, and the state after a cancellation or a kill."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta

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
from ledger_pipelines.warehouse.ops.sync_logs import SyncResult, SyncSummary
from ledger_pipelines_tests.support.serving.blocked_syncs import LINES, count_sync_sessions, locked_invoice_lines
from ledger_pipelines_tests.support.serving.installation import (
    MONTHS,
    Installation,
    json_of,
    replaced_environment,
    temporary_installation,
)
from ledger_pipelines_tests.support.waiting import wait_until

PATIENCE = 60


@pytest.fixture(scope="module")
def synced() -> Iterator[Installation]:
    """An installation with a small ERP, synced once; tests leave its tables unchanged."""
    with temporary_installation() as made:
        seed = ["demo", "seed", "--only", "erp", "--months", str(MONTHS), "--erp-rows-per-month", "30"]
        made.succeed(*seed)
        before = made.run_json("sync", "status")
        assert before == {"success": True, "message": before["message"], "data": None}
        answer = json_of(made.succeed("sync", "start", "--wait", "--json"))
        assert answer["success"]
        assert answer["data"]["status"] == "completed"
        assert [table["table_name"] for table in answer["tables"]] == sorted(table.name for table in ERP_TABLES)
        assert all(table["rows_inserted"] > 0 for table in answer["tables"])
        yield made


def status(installation: Installation) -> str:
    """Return the status of the latest sync."""
    with installation.warehouse() as connection:
        return str(connection.scalar(sa.text("SELECT status FROM ops.sync_logs ORDER BY id DESC LIMIT 1")))


def start_blocked_sync(installation: Installation) -> int:
    """Start a sync in a separate process, wait until it is blocked by the locked table, and return its id."""
    answer = json_of(installation.succeed("sync", "start", "--json"))
    assert answer == {
        "success": True,
        "message": answer["message"],
        "sync_log_id": answer["sync_log_id"],
        "status": "running",
    }
    wait_until(lambda: count_sync_sessions(installation) > 0 and _is_blocked(installation))
    return int(answer["sync_log_id"])


def _is_blocked(installation: Installation) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with installation.warehouse() as connection:
        return bool(connection.scalar(sa.text(query)))


def process_of_run(installation: Installation) -> int:
    """Return the id of the process that executes the latest run."""
    query = "SELECT value FROM run_tags WHERE key = 'ledger/pid' ORDER BY id DESC LIMIT 1"
    with installation.dagster_storage() as connection:
        return int(connection.scalar(sa.text(query)) or 0)


def test_a_second_sync_writes_nothing(synced: Installation) -> None:
    before = synced.fingerprint()
    answer = synced.run_json("sync", "start", "--wait")
    assert answer["data"]["status"] == "completed"
    assert list(answer["data"]) == [field.name for field in fields(SyncSummary)], "without the run's id"
    assert datetime.fromisoformat(answer["data"]["started_at"]).utcoffset() == timedelta(hours=7)
    assert "T" in answer["data"]["started_at"]
    assert {table["rows_inserted"] + table["rows_deleted"] for table in answer["tables"]} == {0}
    lines = next(table for table in answer["tables"] if table["table_name"] == LINES.name)
    assert lines["months"] == [], "nothing differs, so no month is read"
    assert synced.fingerprint() == before


def test_given_months_and_tables(synced: Installation) -> None:
    first = synced.variables["LEDGER_FIRST_MONTH"]
    answer = synced.run_json("sync", "start", "--month", first, "--table", LINES.name, "--wait")
    assert [(table["table_name"], table["months"]) for table in answer["tables"]] == [(LINES.name, [first])]
    month_range = ["--from-month", first, "--to-month", shift_month(first, 1)]
    answer = synced.run_json("sync", "start", *month_range, "--table", LINES.name, "--wait")
    assert answer["tables"][0]["months"] == [first, shift_month(first, 1)]
    answer = synced.run_json("sync", "start", "--full", "--table", LINES.name, "--wait")
    # Rows dated outside the partitions are read again too, and rejected again.
    assert set(answer["tables"][0]["months"]) >= set(months_between(first, shift_month(first, MONTHS - 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--month", "march"], "is not a month"),
        (["--month", "2999-01"], "is in the future"),
        (["--from-month", "1999-01"], "LEDGER_FIRST_MONTH"),
        (["--month", "2999-01", "--from-month", "2999-01"], "either one month"),
        (["--table", "so_invoice"], "Did you mean so_invoice_line?"),
    ],
)
def test_invalid_options_are_explained(synced: Installation, arguments: list[str], message: str) -> None:
    before = synced.run_json("sync", "logs")
    result = synced.run("sync", "start", *arguments, "--json")
    assert result.exit_code == 1
    assert message in json_of(result)["error"]
    assert message in result.stderr.replace("\n", " ")
    assert synced.run_json("sync", "logs") == before, "no sync was registered"


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
    with locked_invoice_lines(synced):
        log_id = start_blocked_sync(synced)
        refused = synced.run("sync", "start", "--json")
        assert refused.exit_code == 1
        answer = json_of(refused)
        assert (answer["success"], answer["running_sync_id"]) == (False, log_id)
        assert f"Sync {log_id} (manual) has been running since" in answer["message"]
        shown = synced.run_json("sync", "status")
        assert (shown["data"]["id"], shown["data"]["status"], shown["data"]["duration"]) == (log_id, "running", None)
        assert "running" in {table["status"] for table in shown["tables"]}
        cancelled = synced.succeed("sync", "cancel", "--json")
        assert json_of(cancelled)["sync_log_id"] == log_id
        assert count_sync_sessions(synced) == 0, "the sync has no session left in the warehouse"
    assert synced.fingerprint() == before
    shown = synced.run_json("sync", "status", str(log_id))
    assert shown["data"]["status"] == "cancelled"
    assert "It was cancelled" in shown["data"]["error_message"]
    tables = {table["table_name"]: table["status"] for table in shown["tables"]}
    assert tables[LINES.name] == "cancelled"
    assert _run_status(synced) == "CANCELED"
    assert f"manual sync refused: sync {log_id} is running" in sync_log_text(synced)
    assert f"sync {log_id}: cancellation requested" in sync_log_text(synced)
    assert synced.run_json("sync", "start", "--wait")["data"]["status"] == "completed"


def _run_status(installation: Installation) -> str:
    with installation.dagster_storage() as connection:
        return str(connection.scalar(sa.text("SELECT status FROM runs ORDER BY id DESC LIMIT 1")))


@pytest.mark.slow
def test_unresponsive_run_is_ended_by_force(synced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_sync, "CANCEL_SECONDS", 0.5)
    before = synced.fingerprint()
    with locked_invoice_lines(synced):
        log_id = start_blocked_sync(synced)
        process = process_of_run(synced)
        os.kill(process, signal.SIGSTOP)
        cancelled = synced.succeed("sync", "cancel", "--json")
        assert "ended by force" in json_of(cancelled)["message"]
        wait_until(lambda: count_sync_sessions(synced) == 0)
    assert synced.fingerprint() == before
    shown = synced.run_json("sync", "status", str(log_id))
    assert shown["data"]["status"] == "cancelled"
    assert {table["status"] for table in shown["tables"]} <= {"completed", "cancelled"}
    assert _run_status(synced) == "CANCELED"


@pytest.mark.slow
def test_killed_sync_fails_and_the_next_one_succeeds(synced: Installation) -> None:
    before = synced.fingerprint()
    with locked_invoice_lines(synced):
        log_id = start_blocked_sync(synced)
        os.kill(process_of_run(synced), signal.SIGKILL)
        wait_until(lambda: synced.run_json("sync", "status")["data"]["status"] == "failed")
    shown = synced.run_json("sync", "status", str(log_id))
    message = shown["data"]["error_message"]
    assert "The process that executed this run is gone" in message
    assert "the next sync loads what is missing" in message
    lines = next(table for table in shown["tables"] if table["table_name"] == LINES.name)
    assert (lines["status"], lines["rows_loaded"]) == ("failed", 0)
    assert synced.fingerprint() == before
    assert synced.run_json("sync", "start", "--wait")["data"]["status"] == "completed"


def test_sync_killed_with_its_ledger_up_blocks_no_other(synced: Installation) -> None:
    """Both were killed, so only the next command can detect it."""
    with replaced_environment(synced.variables), dagster_client.open_instance(synced.settings) as instance:
        server = {"host": "127.0.0.1", "port": synced.settings.code_server_port}
        job = build_definitions(synced.settings).resolve_job_def("erp_sync")
        tags = {".dagster/grpc_info": json.dumps(server)}
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    with synced.warehouse() as connection:
        sync_logs.begin_sync(connection, "scheduled", run.run_id)
    assert synced.run_json("sync", "start", "--table", LINES.name, "--wait")["success"]
    (_, dead) = synced.run_json("sync", "logs", "--per-page", "2")["data"]
    assert dead["status"] == "failed"
    assert "is gone" in dead["error_message"]


@pytest.mark.slow
def test_simultaneous_starts_refuse_one(synced: Installation) -> None:
    with locked_invoice_lines(synced):
        both = [synced.spawn("sync", "start", "--json", stdout=subprocess.PIPE) for _ in range(2)]
        answers = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in both]
        won, lost = sorted(answers, key=lambda answer: not answer["success"])
        assert (won["success"], lost["success"]) == (True, False)
        assert lost["running_sync_id"] == won["sync_log_id"]
        assert sorted(process.returncode for process in both) == [0, 1]
    wait_until(lambda: status(synced) == "completed")


def test_failed_launch_closes_the_log(synced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("ledger_pipelines.serving.sync.subprocess.Popen", no_memory)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        synced.run("sync", "start")
    shown = synced.run_json("sync", "status")["data"]
    assert shown["status"] == "failed"
    assert "could not be launched" in shown["error_message"]


def test_start_in_ledger_up_prints_the_url_of_the_run(synced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_sync.SyncService, "running_dagster", lambda _: DagsterGraphql("http://127.0.0.1:3000"))
    monkeypatch.setattr(serving_sync.SyncService, "launch", lambda *_: "4f0c")
    result = synced.succeed("sync", "start")
    assert "is running in ledger up. See: ledger sync status, or http://127.0.0.1:3000/runs/4f0c\n" in result.stderr
    synced.succeed("sync", "cancel")


def test_registered_sync_without_run_can_be_cancelled(synced: Installation) -> None:
    with synced.warehouse() as connection:
        log_id = sync_logs.begin_sync(connection, "manual").id
    other = synced.run("sync", "cancel", str(log_id - 1), "--json")
    assert other.exit_code == 1
    assert json_of(other)["running_sync_id"] == log_id
    answer = synced.run_json("sync", "cancel", str(log_id))
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
    listed = synced.run_json("sync", "logs", "--per-page", "2", "--page", "2")
    assert listed["success"]
    assert [listed["pagination"][name] for name in ("current_page", "per_page", "from", "to")] == [2, 2, 3, 4]
    assert len(listed["data"]) == 2
    assert listed["data"][0]["id"] > listed["data"][1]["id"]
    completed = synced.run_json("sync", "logs", "--status", "completed", "--type", "manual")["data"]
    assert {log["status"] for log in completed} == {"completed"}
    numbers = synced.run_json("sync", "statistics", "--days", "1")["data"]
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
