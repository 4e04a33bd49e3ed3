"""Syncs executed by a running `ledger up`: started, cancelled and killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from ledger_pipelines.serving import sync as serving_sync
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, dagster_graphql_from_settings
from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines_tests.support.processes import run_pids
from ledger_pipelines_tests.support.serving.api import bearer
from ledger_pipelines_tests.support.serving.blocked_syncs import LINES, count_sync_sessions, locked_invoice_lines
from ledger_pipelines_tests.support.serving.installation import Installation, json_of
from ledger_pipelines_tests.support.serving.running_up import RunningUp, new_running_up

pytestmark = pytest.mark.slow

_TERMINATE = """
mutation Terminate($run: String!) { terminateRun(runId: $run) { __typename } }
"""
_LATEST = "{ runsOrError(limit: 1) { ... on Runs { results { runId status } } } }"
_INSTIGATORS = """
{ repositoryOrError(repositorySelector: {repositoryLocationName: "ledger", repositoryName: "__repository__"}) {
    ... on Repository { schedules { name scheduleState { status } } sensors { name sensorState { status } } } } }
"""


@pytest.fixture(scope="module")
def serving() -> Iterator[RunningUp]:
    """A running `ledger up` whose copy of the ERP is up to date."""
    with new_running_up("--no-initial-run") as running:
        running.wait_for_output("The ledger is up")
        answer = json_of(running.installation.succeed("sync", "start", "--wait", "--json"))
        assert answer["data"]["status"] == "completed"
        assert len(answer["tables"]) == len(ERP_TABLES)
        yield running


def latest(installation: Installation) -> dict[str, Any]:
    """Return the latest sync and its tables."""
    return installation.run_json("sync", "status")


def ended(installation: Installation) -> bool:
    """Return whether the latest sync has ended."""
    return bool(latest(installation)["data"]["status"] != "running")


def run_of(graphql: DagsterGraphql) -> dict[str, str]:
    """Return the latest run."""
    (run,) = graphql.query(_LATEST)["runsOrError"]["results"]
    return dict(run)


@pytest.fixture
def up(serving: RunningUp) -> Iterator[RunningUp]:
    """The same `ledger up`; each test must leave the copy unchanged and block no later sync."""
    before = serving.installation.fingerprint()
    yield serving
    assert serving.installation.fingerprint() == before
    serving.installation.succeed("sync", "start", "--table", LINES.name, "--wait")
    assert serving.installation.fingerprint() == before


@contextmanager
def blocked_sync(up: RunningUp) -> Iterator[int]:
    """Start a sync that waits for a locked table; yield the id of the process that executes it."""
    with locked_invoice_lines(up.installation):
        up.wait_until(dagster_graphql_from_settings(up.installation.settings).location_is_loaded)
        up.installation.succeed("sync", "start", "--table", LINES.name)
        up.wait_until(lambda: count_sync_sessions(up.installation) > 0)
        (process,) = run_pids(up.children()[0].pid)
        yield process


def test_sync_schedule_and_sensor_are_running(up: RunningUp) -> None:
    graphql = dagster_graphql_from_settings(up.installation.settings)
    instigators = graphql.query(_INSTIGATORS)["repositoryOrError"]
    assert {"name": "hourly_sync", "scheduleState": {"status": "RUNNING"}} in instigators["schedules"]
    assert {"name": "finished_syncs", "sensorState": {"status": "RUNNING"}} in instigators["sensors"]
    up.wait_until(lambda: run_of(graphql)["status"] == "SUCCESS")


def test_sync_is_cancelled_by_command(up: RunningUp) -> None:
    installation = up.installation
    with blocked_sync(up):
        refused = installation.run("sync", "start", "--json")
        assert refused.exit_code == 1
        assert json_of(refused)["running_sync_id"] == latest(installation)["data"]["id"]
        installation.succeed("sync", "cancel")
        assert count_sync_sessions(installation) == 0
    assert latest(installation)["data"]["status"] == "cancelled"
    up.wait_until(lambda: run_of(dagster_graphql_from_settings(installation.settings))["status"] == "CANCELED")


def test_sync_is_cancelled_in_the_web_interface(up: RunningUp) -> None:
    installation, graphql = up.installation, dagster_graphql_from_settings(up.installation.settings)
    with blocked_sync(up):
        graphql.query(_TERMINATE, {"run": run_of(graphql)["runId"]})
        up.wait_until(lambda: ended(installation))
        assert count_sync_sessions(installation) == 0
    assert latest(installation)["data"]["status"] == "cancelled"


def test_unresponsive_sync_is_killed(up: RunningUp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process must be killed: it would keep its locks and connections."""
    installation = up.installation
    with blocked_sync(up) as process:
        monkeypatch.setattr(serving_sync, "CANCEL_SECONDS", 0.5)
        os.kill(process, signal.SIGSTOP)
        installation.succeed("sync", "cancel")
        up.wait_until(lambda: not run_pids(up.children()[0].pid))
        assert count_sync_sessions(installation) == 0
    assert latest(installation)["data"]["status"] == "cancelled"
    assert run_of(dagster_graphql_from_settings(installation.settings))["status"] == "CANCELED"


def test_killed_sync_fails(up: RunningUp) -> None:
    installation = up.installation
    with blocked_sync(up) as process:
        os.kill(process, signal.SIGKILL)
        up.wait_until(lambda: ended(installation))
        assert count_sync_sessions(installation) == 0
    failed = latest(installation)
    assert failed["data"]["status"] == "failed"
    assert "the next sync loads what is missing" in failed["data"]["error_message"]
    assert [table["status"] for table in failed["tables"]] == ["failed"]


def test_sync_is_started_and_cancelled_by_the_api(up: RunningUp) -> None:
    installation = up.installation
    made = installation.run_json("token", "create", "--name", "test", "--role", "admin")
    root, headers = api_url(installation.settings), bearer(made["token"])
    with httpx2.Client(base_url=root, headers=headers, timeout=60) as api, locked_invoice_lines(installation):
        started = api.post("/api/sync/start", json={"tables": [LINES.name]}).json()
        assert started["success"], started
        up.wait_until(lambda: count_sync_sessions(installation) > 0)
        refused = api.post("/api/sync/start")
        assert (refused.status_code, refused.json()["running_sync_id"]) == (409, started["sync_log_id"])
        ended = api.post("/api/sync/cancel").json()
        assert (ended["success"], ended["sync_log_id"]) == (True, started["sync_log_id"])
        assert count_sync_sessions(installation) == 0
        assert api.post("/api/sync/cancel").status_code == 404
    assert latest(installation)["data"]["status"] == "cancelled"
    up.wait_until(lambda: run_of(dagster_graphql_from_settings(installation.settings))["status"] == "CANCELED")
