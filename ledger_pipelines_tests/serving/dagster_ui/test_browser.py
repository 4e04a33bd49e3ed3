"""A running `ledger up` in a real browser: pages of other origins attack it, and its UI launches a run."""

import http.server
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread
from urllib.parse import quote, urlencode

import pytest
from dagster import DagsterRunStatus
from dagster_graphql import DagsterGraphQLClient
from playwright.sync_api import Browser, Page, expect

from ledger_pipelines.serving.dagster.client import JOB
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, dagster_graphql_from_settings
from ledger_pipelines_tests.support.serving.chromium import PATIENCE_MS, running_chromium
from ledger_pipelines_tests.support.serving.running_up import RunningUp, new_running_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EVIL = "evil.example"
TAG = "launched_by"
#: The web server answers a launch within 0.1 s.
SETTLED_SECONDS = 2.0

_RUNS = """
query Runs($tag: ExecutionTag!) { runsOrError(filter: {tags: [$tag]}) { ... on Runs { results { runId } } } }
"""
_IMAGE = "url => new Promise(done => { const i = new Image(); i.onload = i.onerror = () => done(); i.src = url })"
_FETCH = "url => fetch(url, {method: 'POST', mode: 'no-cors', headers: {'Content-Type': 'text/plain'}}).then(() => 0)"
_FRAME = """url => new Promise(done => { const frame = document.createElement('iframe'); frame.onload = () => done();
    frame.src = url; document.body.append(frame) })"""
_FORM = """url => { const form = document.createElement('form'); form.method = 'post'; form.action = url;
    document.body.append(form); form.submit() }"""
_LINK = "url => { const a = document.createElement('a'); a.href = url; document.body.append(a); a.click() }"
_SOCKET = """url => new Promise(done => { const socket = new WebSocket(url, 'graphql-ws');
    socket.onopen = () => done('open'); socket.onerror = () => done('refused') })"""
_OWN_FETCH = """query => fetch('/graphql', {method: 'POST', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({query})}).then(answer => answer.json())"""


@dataclass(frozen=True)
class Target:
    """Web server of a running `ledger up`, and the requests that attack it."""

    up: RunningUp

    @property
    def graphql(self) -> DagsterGraphql:
        """Return the client for the web server."""
        return dagster_graphql_from_settings(self.up.installation.settings)

    @property
    def port(self) -> int:
        """Return the port of the web server."""
        return self.up.installation.settings.ui_port

    @property
    def socket(self) -> str:
        """Return the address of the WebSocket."""
        return f"ws://127.0.0.1:{self.port}/graphql"

    def mutation(self, by: str) -> str:
        """Return a mutation that launches a forced rebuild without the deletion guard, tagged with the attacker."""
        month = json.dumps(self.up.installation.settings.first_month)
        tags = {
            "dagster/asset_partition_range_start": month,
            "dagster/asset_partition_range_end": month,
            TAG: f'"{by}"',
        }
        listed = ", ".join(f'{{key: "{key}", value: {value}}}' for key, value in tags.items())
        return f"""mutation {{ launchRun(executionParams: {{
            selector: {{repositoryLocationName: "ledger", repositoryName: "__repository__", jobName: "{JOB}"}},
            runConfigData: {{resources: {{scope: {{config: {{force: true, accept_deletions: true}}}}}}}},
            executionMetadata: {{tags: [{listed}]}} }}) {{ ... on LaunchRunSuccess {{ run {{ runId }} }} }} }}"""

    def url(self, by: str) -> str:
        """Return a URL that carries the mutation."""
        return f"{self.graphql.address}/graphql?{urlencode({'query': self.mutation(by)}, quote_via=quote)}"

    def launched(self, by: str) -> list[str]:
        """Return the ids of the runs that the mutation launched."""
        runs = self.graphql.query(_RUNS, {"tag": {"key": TAG, "value": by}})["runsOrError"]["results"]
        return [str(run["runId"]) for run in runs]


class _Empty(http.server.BaseHTTPRequestHandler):
    """Handler that serves an empty page, from which a test attacks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Attacker</title>")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """A `ledger up` that has launched no run."""
    with new_running_up("--no-initial-run") as up:
        up.wait_for_output("The ledger is up")
        yield Target(up)


@pytest.fixture(scope="module")
def attacker() -> Iterator[int]:
    """Port of a web server of another origin."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Browser that resolves the attacker's name to this machine, as after DNS rebinding."""
    with running_chromium(f"--host-resolver-rules=MAP {EVIL} 127.0.0.1") as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Browser page in a new context."""
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", EVIL])
def test_a_page_of_another_origin_launches_and_opens_nothing(
    name: str, target: Target, attacker: int, page: Page
) -> None:
    page.goto(f"http://{name}:{attacker}/")
    for attack in (_IMAGE, _FETCH, _FRAME):
        page.evaluate(attack, target.url(name))
    assert page.evaluate(_SOCKET, target.socket) == "refused"
    (frame,) = page.main_frame.child_frames
    assert frame.evaluate("document.body.innerText").startswith("Refused: a page of another origin")
    page.evaluate(_FORM, target.url(name))
    expect(page.locator("body")).to_contain_text("Refused: the page's origin", timeout=PATIENCE_MS)
    time.sleep(SETTLED_SECONDS)
    assert target.launched(name) == []


def test_a_rebound_name_reads_nothing(target: Target, page: Page) -> None:
    answer = page.goto(f"http://{EVIL}:{target.port}/server_info")
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("body")).to_contain_text(f"Refused: the host '{EVIL}:{target.port}'")
    answers = page.evaluate(_OWN_FETCH.replace("json()", "text()"), target.mutation("rebound"))
    assert answers.startswith("Refused: the host")
    assert target.launched("rebound") == []


def test_the_ui_opened_by_a_link_launches_a_run(target: Target, attacker: int, page: Page) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"http://{EVIL}:{attacker}/")
    page.evaluate(_LINK, f"{target.graphql.address}/runs")
    expect(page).to_have_url(re.compile(rf"^{re.escape(target.graphql.address)}/runs"), timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name="Lineage").first).to_be_visible(timeout=PATIENCE_MS)
    page.goto(f"{target.graphql.address}/assets/customers")
    page.get_by_role("button", name=re.compile("Materialize$")).click()
    address = page.get_by_role("listitem").filter(has_text="Launched run").get_by_role("link").get_attribute("href")
    assert address is not None
    run = address.rpartition("/")[2]
    target.up.wait_until(lambda: target.graphql.run_status(run) == "SUCCESS")
    page.goto(target.graphql.run_url(run))
    expect(page.get_by_text("RUN_SUCCESS").first).to_be_visible(timeout=PATIENCE_MS)
    assert target.socket in sockets


@pytest.mark.filterwarnings("ignore:Using variable_values:DeprecationWarning")  # by Dagster's client
def test_the_attacks_requests_work_from_the_ui_and_programs(target: Target, page: Page) -> None:
    """Shows that the attacks fail because of the guard, not for another reason."""
    page.goto(f"{target.graphql.address}/runs")
    page.evaluate(_FETCH, target.url("own page"))
    (run,) = target.launched("own page")
    target.graphql.query(target.mutation("program"))
    assert len(target.launched("program")) == 1
    assert page.evaluate(_SOCKET, target.socket) == "open"
    client = DagsterGraphQLClient("127.0.0.1", port_number=target.port)
    target.up.wait_until(lambda: client.get_run_status(run) is DagsterRunStatus.SUCCESS)
