"""Displays of incidents of a running `ledger up`: what each of the seven shows before, during and after an incident."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import httpx2
import sqlalchemy as sa

from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.serving.api import bearer
from ledger_pipelines_tests.support.serving.installation import Installation
from ledger_pipelines_tests.support.serving.running_up import RunningUp
from ledger_pipelines_tests.support.webhook_receiver import Receiver

_LOG = logging.getLogger(__name__)
QUIET = {"test-system": "0", "status": "operational", "metrics": "0", "ready": "healthy 0", "overview": "no"}
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


@dataclass
class System:
    """Running `ledger up` with a webhook receiver, an API client and a logged-in browser.

    Attributes:
        up: The running `ledger up`.
        receiver: Receiver of the webhook.
        api: Client of the API.
        browser: Client that is logged in to the dashboard.
        token: An administrator's token.
        test_system: Return the exit code of `ledger balance test-system`.
    """

    up: RunningUp
    receiver: Receiver
    api: httpx2.Client
    browser: httpx2.Client
    token: str
    test_system: Callable[[], int]

    @property
    def installation(self) -> Installation:
        """The installation of `ledger up`."""
        return self.up.installation

    def log_in(self) -> None:
        """Log the browser in; a session ends after some hours."""
        form = FORM_TOKEN.search(self.browser.get("/login").text)
        assert form
        self.browser.post("/login", data={"form_token": form[1], "token": self.token, "next": "/"})

    def displays(self, kind: str) -> dict[str, str]:
        """Return what each display shows for incidents of a kind, in a word or two."""
        status = self.api.get("/api/realtime-balance/status").json()
        gauge = re.search(
            rf'^ledger_open_incidents{{kind="{kind}"}} (\d+)', self.api.get("/metrics").text, re.MULTILINE
        )
        ready = self.api.get("/health/ready").json()
        page = self.browser.get("/").text
        return {
            "test-system": str(self.test_system()),
            "status": status["status"],
            "metrics": gauge[1] if gauge else "missing",
            "ready": f"{ready['ledger']} {ready['open_incidents']}",
            "overview": "yes" if 'id="incidents"' in page else "no",
        }

    def announced(self, kind: str) -> dict[str, int]:
        """Return how often incidents of a kind were printed on the terminal and posted to the webhook."""
        bodies = [json.loads(message.body) for message in self.receiver.received]
        posted = [body for body in bodies if body["type"] == "incident.opened" and body["data"]["kind"] == kind]
        printed = re.findall(rf"Incident \d+: {kind.replace('_', ' ')}, ", self.up.output.read_text())
        return {"terminal": len(printed), "webhook": len(posted)}

    def wait_for(self, kind: str, displays: dict[str, str]) -> None:
        """Wait until all displays show the expected values."""
        self.up.wait_until(lambda: self.displays(kind) == displays, lambda: (kind, self.displays(kind)))

    def source(self, database: str) -> AbstractContextManager[sa.Connection]:
        """Connect to a database of the embedded server, with autocommit."""
        return self.installation.connection(database_urls.embedded_server(self.installation.settings).url(database))


@contextmanager
def open_system(up: RunningUp, receiver: Receiver, token: str, test_system: Callable[[], int]) -> Iterator[System]:
    """Yield a running `ledger up` with its clients, logged in with an administrator's token."""
    address = api_url(up.installation.settings)
    with (
        httpx2.Client(base_url=address, headers=bearer(token), timeout=30) as api,
        httpx2.Client(base_url=address, timeout=30) as browser,
    ):
        system = System(up, receiver, api, browser, token, test_system)
        system.log_in()
        yield system


def alarmed(count: int) -> dict[str, str]:
    """Return what the displays show while the given number of incidents is open."""
    numbers = {"metrics": str(count), "ready": f"blocked {count}"}
    return {"test-system": "1", "status": "blocked", "overview": "yes"} | numbers


@contextmanager
def caused_and_resolved(system: System, kind: str, count: int = 1) -> Iterator[None]:
    """Expect an incident that was caused before and is resolved in the body; check all displays before and after."""
    before = system.announced(kind)
    system.wait_for(kind, alarmed(count))
    once = {name: number + count for name, number in before.items()}
    system.up.wait_until(lambda: system.announced(kind) == once, lambda: (kind, system.announced(kind)))
    _LOG.info("%s during: %s %s", kind, system.displays(kind), system.announced(kind))
    yield
    system.wait_for(kind, QUIET)
    system.up.wait_for_output("is closed: " + kind.replace("_", " "))
    assert system.announced(kind) == once
    _LOG.info("%s after: %s %s", kind, system.displays(kind), system.announced(kind))
