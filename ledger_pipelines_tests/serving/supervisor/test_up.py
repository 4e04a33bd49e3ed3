"""`ledger up` from the first start to Ctrl-C, on one installation."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledger_pipelines.processes import ProcessId
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql
from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.settings import project_folder
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.open_incidents import REFUSED, temporary_incidents
from ledger_pipelines_tests.support.serving.api import bearer
from ledger_pipelines_tests.support.serving.installation import Installation, temporary_installation

PATIENCE = 150


class RunningUp:
    """Running `ledger up`."""

    def __init__(self, installation: Installation, *options: str) -> None:
        self.installation = installation
        self.home = Path(installation.variables["LEDGER_HOME"])
        self.output = self.home / "logs" / "output"
        self.output.parent.mkdir(exist_ok=True)
        with self.output.open("w") as file:
            self.process = installation.spawn(
                "up", *options, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    def output_contains(self, text: str) -> bool:
        """Return whether the output contains a text."""
        return text in self.output.read_text()

    def children(self) -> list[ProcessId]:
        """Return the processes of code server, web server, daemon and API."""
        return [ProcessId(**child) for child in json.loads((self.home / "up.lock").read_text())["children"]]

    def wait_until(self, until: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)


@contextmanager
def running_up(*options: str, durable: bool = False) -> Iterator[RunningUp]:
    """Run `ledger up` on a new installation."""
    with temporary_installation(durable=durable) as installation:
        running = RunningUp(installation, *options)
        try:
            yield running
        finally:
            running.process.send_signal(signal.SIGINT)
            running.process.wait(60)


@pytest.fixture
def up() -> Iterator[RunningUp]:
    with running_up(durable=True) as running:
        yield running


def run_statuses(web_ui: DagsterGraphql) -> list[str]:
    """Return the statuses of all runs."""
    query = "{ runsOrError { ... on Runs { results { status } } } }"
    runs: list[dict[str, Any]] = web_ui.query(query)["runsOrError"]["results"]
    return [run["status"] for run in runs]


def restart_database(up: RunningUp) -> None:
    """Restart the embedded server, which invalidates every pooled connection."""
    server = database_urls.embedded_server(up.installation.settings)
    assert server.stop()
    server.start()


def use_the_api(up: RunningUp, api: httpx2.Client) -> None:
    """Start a sync and recalculate a customer through the API, and wait until both have ended."""
    started = api.post("/api/sync/start", json={"tables": ["stockbywh"]}).json()
    assert started["status"] == "running", started
    log = {"sync_id": started["sync_log_id"]}
    up.wait_until(lambda: api.get("/api/sync/status", params=log).json()["data"]["status"] == "completed")
    data = api.get("/api/sync/status", params=log).json()["data"]
    assert (data["sync_type"], data["total_records"]) == ("manual", data["success_records"] + data["failed_records"])
    assert data["total_records"] > 0

    customer = api.get("/api/realtime-balance/dashboard").json()["top_customers"][0]["id"]
    before = api.get(f"/api/realtime-balance/customer/{customer}/balance").json()
    updated = api.post(f"/api/realtime-balance/customer/{customer}/update").json()
    assert updated["customer_id"] == customer, updated
    web_ui = DagsterGraphql(f"http://127.0.0.1:{up.installation.variables['LEDGER_UI_PORT']}")
    up.wait_until(lambda: run_status(web_ui, updated["run_id"]) == "SUCCESS")
    assert api.get(f"/api/realtime-balance/customer/{customer}/balance").json() == before


def run_stopwatch_example(up: RunningUp) -> None:
    """Run examples/stopwatch.py, which changes a price, a deposit and a reading and waits for the balances."""
    output = up.installation.run_script(str(project_folder() / "examples" / "stopwatch.py"))
    found = re.findall(r"^a (\w+): in the balances of (\d+) months after \d+\.\d\d s$", output, flags=re.MULTILINE)
    assert [kind for kind, _ in found] == ["price", "deposit", "reading"], output
    assert int(found[0][1]) > 1, "the default price affects all months"


def run_status(web_ui: DagsterGraphql, run_id: str) -> str:
    """Return the status of a run."""
    query = "query Status($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
    return str(web_ui.query(query, {"run": run_id})["runOrError"]["status"])


def assert_stops(up: RunningUp) -> None:
    """Check that Ctrl-C ends `ledger up` and every process that it started."""
    children = up.children()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0, up.output.read_text()
    assert not any(child.is_alive for child in children)
    assert not database_urls.embedded_server(up.installation.settings).is_running()
    assert "Traceback" not in up.output.read_text()


@pytest.mark.slow
def test_from_the_start_to_the_end(up: RunningUp) -> None:
    up.wait_until(lambda: up.output_contains("The whole ledger is being computed"))
    web_ui = DagsterGraphql(f"http://127.0.0.1:{up.installation.variables['LEDGER_UI_PORT']}")
    assert web_ui.location_is_loaded()
    assert not up.output_contains(str(database_urls.warehouse_url(up.installation.settings).password))

    (token,) = re.findall(r"^ledger_[0-9a-f]{12}_\S{43}$", up.output.read_text(), flags=re.MULTILINE)

    second = up.installation.run("up")
    assert second.exit_code == 1
    assert f"ledger up is already running: process {up.process.pid}" in second.stderr

    # Runs: the ledger, the copy of the ERP, and both reconciliations.
    up.wait_until(lambda: run_statuses(web_ui) == ["SUCCESS"] * 4)
    with httpx2.Client(base_url=api_url(up.installation.settings), headers=bearer(token), timeout=30) as api:
        for report in ("comparison-report", "invoice-reconciliation"):
            found = api.get(f"/api/realtime-balance/{report}").json()
            assert found["data"] != [], report
            assert found["summary"]["compared_at"], report
        restart_database(up)
        use_the_api(up, api)
    run_stopwatch_example(up)
    up.wait_until(lambda: run_statuses(web_ui) == ["SUCCESS"] * 7)
    health = up.installation.run("balance", "test-system")
    assert health.exit_code == 0, health.output
    with up.installation.warehouse() as warehouse, temporary_incidents(warehouse, REFUSED) as (incident,):
        up.wait_until(
            lambda: up.output_contains(f"Incident {incident.id}: {incident.title}\n  what is wrong: {REFUSED.reason}")
        )
    up.wait_until(lambda: up.output_contains(f"Incident {incident.id} is closed"))

    children = up.children()
    os.kill(children[2].pid, signal.SIGKILL)
    up.wait_until(lambda: up.output_contains("daemon was restarted"))
    assert [child.is_alive for child in children] == [True, True, False, True]
    assert all(child.is_alive for child in up.children())

    assert_stops(up)
    logs = {log: (up.home / "logs" / f"{log}.log").read_text() for log in ("code-server", "webserver", "daemon", "api")}
    assert all(logs.values())
    assert not any(token in log for log in logs.values())


def cancellations(web_ui: DagsterGraphql) -> list[str]:
    """Return the recorded reasons of the cancelled runs."""
    query = """{ runsOrError(filter: {statuses: [CANCELED]}) { ... on Runs { results {
        eventConnection { events { ... on RunCancelingEvent { message } } } } } } }"""
    found: list[dict[str, Any]] = web_ui.query(query)["runsOrError"]["results"]
    return ["".join(event.get("message", "") for event in run["eventConnection"]["events"]) for run in found]


@pytest.mark.slow
def test_runs_that_are_stopped_are_cancelled_and_resumed() -> None:
    with temporary_installation() as installation:
        up = RunningUp(installation)
        web_ui = DagsterGraphql(f"http://127.0.0.1:{installation.variables['LEDGER_UI_PORT']}")
        up.wait_until(lambda: up.output_contains("The ERP is being copied"))
        up.wait_until(lambda: "STARTED" in run_statuses(web_ui))
        children = up.children()
        for number in (signal.SIGHUP, signal.SIGTERM):  # a log-out and systemd send both
            up.process.send_signal(number)
        assert up.process.wait(60) == 0, up.output.read_text()
        assert not any(child.is_alive for child in children)
        assert not up.output_contains("ERROR")
        assert (up.home / "up.lock").read_text() == ""

        up = RunningUp(installation)
        try:
            up.wait_until(lambda: up.output_contains("It is executed again"))
            # Runs: the ledger, the copy of the ERP, and both reconciliations, each launched once.
            up.wait_until(lambda: run_statuses(web_ui).count("SUCCESS") == 4)
            reasons = cancellations(web_ui)
            assert len(run_statuses(web_ui)) == 4 + len(reasons)
            assert set(reasons) == {"ledger up was stopped. The next start of ledger up executes this run again."}
        finally:
            up.process.send_signal(signal.SIGINT)
            up.process.wait(60)
