"""Syncs whose process, ERP or warehouse fails: no partial month, an explained error, and recovery by the next sync."""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger_pipelines.embedded_postgres.data import create_private_folder
from ledger_pipelines.embedded_postgres.programs import account_for
from ledger_pipelines_tests.support.serving.sync_failures import (
    ASKING,
    COMPARING,
    PATIENCE,
    PHASES,
    Answer,
    Phase,
    SyncFailureScene,
    stop_immediately,
    sync_failure_scene,
)
from ledger_pipelines_tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

# Each test takes one to three syncs; LEDGER_TEST_KILLS=10 runs more of them.
KILLS = range(int(os.environ.get("LEDGER_TEST_KILLS") or 2))
FULL = "has no room left on its disk"
GONE = "The process that executed this run is gone"
NEXT = "the next sync loads what is missing"


@pytest.fixture(scope="module")
def scene() -> Iterator[SyncFailureScene]:
    """A scene for the module; every test leaves its copy up to date."""
    with sync_failure_scene() as made:
        yield made


def message(broken: Answer) -> str:
    """Return the error message of a failed sync."""
    assert broken["data"]["status"] == "failed", broken
    return str(broken["data"]["error_message"])


@pytest.mark.parametrize("number", KILLS)
def test_killed_at_a_random_moment(scene: SyncFailureScene, number: int) -> None:
    before = scene.states()
    scene.churn()
    log_id = scene.start()
    scene.random_moment(log_id, random.Random(number))
    scene.kill(log_id)
    broken = scene.ended()
    if broken["data"]["status"] != "completed":  # the sync may have ended before the kill
        assert GONE in message(broken)
        assert NEXT in message(broken)
    scene.check_recovery(before, broken)


@pytest.mark.parametrize("phase", PHASES, ids=str)
def test_killed_while(scene: SyncFailureScene, phase: Phase) -> None:
    before = scene.states()
    scene.churn()
    with scene.held(phase):
        log_id = scene.start()
        scene.await_phase(phase)
        scene.kill(log_id)
        broken = scene.ended()
    assert GONE in message(broken)
    assert NEXT in message(broken)
    scene.check_recovery(before, broken)


def test_erp_stops_and_stays_unreachable(scene: SyncFailureScene) -> None:
    before = scene.states()
    scene.churn()
    with scene.held(ASKING):
        scene.start()
        scene.await_phase(ASKING)
        stop_immediately(scene.erp_server)
    broken = scene.ended()
    scene.erp_server.start()
    assert re.search(r"\bso_invoice_line\b[^:]*: The ERP .* cannot be reached", message(broken))
    assert "Nothing was changed" in message(broken)
    scene.check_recovery(before, broken)


@pytest.mark.parametrize("number", KILLS)
def test_the_erp_is_restarted_at_a_random_moment(scene: SyncFailureScene, number: int) -> None:
    before = scene.states()
    scene.churn()
    log_id = scene.start()
    scene.random_moment(log_id, random.Random(number))
    stop_immediately(scene.erp_server)
    scene.erp_server.start()
    recovered = scene.ended()
    assert recovered["data"]["status"] == "completed", recovered
    scene.check_recovery(before, recovered)


@pytest.mark.parametrize("phase", PHASES[1:], ids=str)
def test_the_warehouse_is_restarted_while(scene: SyncFailureScene, phase: Phase) -> None:
    """Dagster's storage stops with it. If both are back in time, the step is retried; otherwise the run fails."""
    before = scene.states()
    scene.churn()
    with scene.held(phase):
        scene.start()
        scene.await_phase(phase)
        stop_immediately(scene.warehouse_server)
    scene.warehouse_server.start()
    broken = scene.ended()
    if broken["data"]["status"] != "completed":
        assert "The warehouse" in message(broken)
        assert "cannot be used" in message(broken)
    scene.check_recovery(before, broken)


def test_warehouse_stays_unreachable_until_the_run_fails(scene: SyncFailureScene) -> None:
    before = scene.states()
    scene.churn()
    with scene.held(COMPARING):
        log_id = scene.start()
        scene.await_phase(COMPARING)
        stop_immediately(scene.warehouse_server)
    closing = f"sync {log_id} waits until it can be closed: The warehouse"
    wait_until(lambda: scene.log_contains(closing), seconds=PATIENCE)
    scene.warehouse_server.start()
    broken = scene.ended()
    assert "The warehouse" in message(broken)
    assert "cannot be used" in message(broken)
    assert "server closed the connection unexpectedly." in message(broken)
    scene.check_recovery(before, broken)


@pytest.fixture
def small_disk(scene: SyncFailureScene) -> Iterator[None]:
    """Let the warehouse write new data to a file system of 2 MB."""
    account = account_for(scene.warehouse_server.data_folder.resolve())
    with scene.installation.warehouse() as connection:
        folder = Path(scene.installation.settings.home) / "small"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True
        )
        if mounted.returncode:
            pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
        try:
            create_private_folder(folder / "data", account)
            connection.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{folder}/data'")
            connection.exec_driver_sql("ALTER DATABASE warehouse SET default_tablespace = small")
            yield
            connection.exec_driver_sql("ALTER DATABASE warehouse RESET default_tablespace")
            connection.exec_driver_sql("DROP TABLESPACE small")
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
            shutil.rmtree(folder)


@pytest.mark.usefixtures("small_disk")
def test_the_disk_is_full_while_rows_come(scene: SyncFailureScene) -> None:
    """A real full disk, if the tests may mount a file system."""
    before = scene.states()
    scene.churn()
    broken = scene.sync()
    assert "so_invoice_line: The warehouse" in message(broken)
    assert FULL in message(broken)
    assert "No space left on device" in message(broken)
    with scene.installation.warehouse() as connection:
        connection.exec_driver_sql("ALTER DATABASE warehouse RESET default_tablespace")
    scene.check_recovery(before, broken)


@pytest.fixture
def full_at_commit(scene: SyncFailureScene) -> Iterator[None]:
    """Simulate a full disk: the warehouse raises the same error when the large table is committed."""
    with scene.installation.warehouse() as connection:
        connection.exec_driver_sql(_FULL_AT_COMMIT)
        yield
        connection.exec_driver_sql(_WITH_ROOM)


_FULL_AT_COMMIT = """
CREATE FUNCTION ops.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100';
END $$;
CREATE CONSTRAINT TRIGGER is_full AFTER INSERT OR UPDATE ON ops.source_fingerprints DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.table_name = 'so_invoice_line') EXECUTE FUNCTION ops.full()
"""
_WITH_ROOM = "DROP TRIGGER IF EXISTS is_full ON ops.source_fingerprints; DROP FUNCTION IF EXISTS ops.full"


@pytest.mark.usefixtures("full_at_commit")
def test_the_disk_is_full_at_the_commit(scene: SyncFailureScene) -> None:
    before = scene.states()
    scene.churn()
    broken = scene.sync()
    assert "so_invoice_line: The warehouse" in message(broken)
    assert FULL in message(broken)
    others = {table["table_name"]: table["status"] for table in broken["tables"]}
    assert others.pop("so_invoice_line") == "failed"
    assert set(others.values()) == {"completed"}
    with scene.installation.warehouse() as connection:
        connection.exec_driver_sql(_WITH_ROOM)
    scene.check_recovery(before, broken)
