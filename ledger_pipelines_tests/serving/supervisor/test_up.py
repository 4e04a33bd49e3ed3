"""`ledger up` from the first start to Ctrl-C, on one installation."""

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ledger_pipelines.serving.dagster.graphql import DagsterGraphql
from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.settings import project_folder
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.open_incidents import REFUSED, temporary_incidents
from ledger_pipelines_tests.support.serving.api import bearer
from ledger_pipelines_tests.support.serving.installation import temporary_installation
from ledger_pipelines_tests.support.serving.running_up import (
    RunningUp,
    new_running_up,
    run_statuses,
    running_up,
)


@pytest.fixture
def up() -> Iterator[RunningUp]:
    with new_running_up(durable=True) as running:
        yield running


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
    graphql = DagsterGraphql(f"http://127.0.0.1:{up.installation.variables['LEDGER_UI_PORT']}")
    up.wait_until(lambda: graphql.run_status(updated["run_id"]) == "SUCCESS")
    assert api.get(f"/api/realtime-balance/customer/{customer}/balance").json() == before


def run_stopwatch_example(up: RunningUp) -> None:
    """Run examples/stopwatch.py, which changes a price, a deposit and a reading and waits for the balances."""
    output = up.installation.run_script(str(project_folder() / "examples" / "stopwatch.py"))
    found = re.findall(
        r"^a (\w+): in the balances after \d+\.\d\d s \(months changed: (\d+)\)$", output, flags=re.MULTILINE
    )
    assert [kind for kind, _ in found] == ["price", "deposit", "reading"], output
    assert int(found[0][1]) > 1, "the default price affects all months"


@pytest.mark.slow
def test_from_the_start_to_the_end(up: RunningUp) -> None:
    up.wait_for_output("The whole ledger is being computed")
    graphql = DagsterGraphql(f"http://127.0.0.1:{up.installation.variables['LEDGER_UI_PORT']}")
    assert graphql.location_is_loaded()
    assert not up.output_contains(str(database_urls.warehouse_url(up.installation.settings).password))

    token = up.first_token()

    second = up.installation.run("up")
    assert second.exit_code == 1
    assert f"ledger up is already running: process {up.process.pid}" in second.stderr

    # Runs: the ledger, the copy of the ERP, and both reconciliations.
    up.wait_until(lambda: run_statuses(graphql) == ["SUCCESS"] * 4)
    with httpx2.Client(base_url=api_url(up.installation.settings), headers=bearer(token), timeout=30) as api:
        for report in ("comparison-report", "invoice-reconciliation"):
            found = api.get(f"/api/realtime-balance/{report}").json()
            assert found["data"] != [], report
            assert found["summary"]["compared_at"], report
        restart_database(up)
        use_the_api(up, api)
    run_stopwatch_example(up)
    up.wait_until(lambda: run_statuses(graphql) == ["SUCCESS"] * 7)
    up.installation.succeed("balance", "test-system")
    with up.installation.warehouse() as warehouse, temporary_incidents(warehouse, REFUSED) as (incident,):
        up.wait_for_output(f"Incident {incident.id}: {incident.title}\n  what is wrong: {REFUSED.reason}")
    up.wait_for_output(f"Incident {incident.id} is closed")

    children = up.children()
    os.kill(children[2].pid, signal.SIGKILL)
    up.wait_for_output("daemon was restarted")
    assert [child.is_alive for child in children] == [True, True, False, True]
    assert all(child.is_alive for child in up.children())

    up.assert_stops()
    logs = {log: (up.home / "logs" / f"{log}.log").read_text() for log in ("code-server", "webserver", "daemon", "api")}
    assert all(logs.values())
    assert not any(token in log for log in logs.values())


def cancellations(graphql: DagsterGraphql) -> list[str]:
    """Return the recorded reasons of the cancelled runs."""
    query = """{ runsOrError(filter: {statuses: [CANCELED]}) { ... on Runs { results {
        eventConnection { events { ... on RunCancelingEvent { message } } } } } } }"""
    found: list[dict[str, Any]] = graphql.query(query)["runsOrError"]["results"]
    return ["".join(event.get("message", "") for event in run["eventConnection"]["events"]) for run in found]


@pytest.mark.slow
def test_runs_that_are_stopped_are_cancelled_and_resumed() -> None:
    with temporary_installation() as installation:
        up = RunningUp(installation)
        graphql = DagsterGraphql(f"http://127.0.0.1:{installation.variables['LEDGER_UI_PORT']}")
        up.wait_for_output("The ERP is being copied")
        up.wait_until(lambda: "STARTED" in run_statuses(graphql))
        children = up.children()
        for number in (signal.SIGHUP, signal.SIGTERM):  # a log-out and systemd send both
            up.process.send_signal(number)
        assert up.process.wait(60) == 0, up.output.read_text()
        assert not any(child.is_alive for child in children)
        assert not up.output_contains("ERROR")
        assert (up.home / "up.lock").read_text() == ""

        with running_up(installation) as up:
            up.wait_for_output("It is executed again")
            # Runs: the ledger, the copy of the ERP, and both reconciliations, each launched once.
            up.wait_until(lambda: run_statuses(graphql).count("SUCCESS") == 4)
            reasons = cancellations(graphql)
            assert len(run_statuses(graphql)) == 4 + len(reasons)
            assert set(reasons) == {"ledger up was stopped. The next start of ledger up executes this run again."}
