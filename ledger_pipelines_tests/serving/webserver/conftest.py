"""Dagster's own application on an instance of its own, guarded and unguarded."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from httpx2 import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from ledger_pipelines.serving.webserver.guard import Guard
from ledger_pipelines.serving.webserver.rules import Rules
from ledger_pipelines.settings import Settings

HOST = "127.0.0.1:3000"
OWN = f"http://{HOST}"
PROXY = "https://dagster.example.com"
ASSET = dg.AssetKey("attacked")
POOL = "attacked"


@dataclass(frozen=True)
class Dagster:
    """Dagster's application, and whether a request has changed anything in its instance."""

    app: Starlette
    instance: dg.DagsterInstance

    def changed(self) -> bool:
        """Return whether the attacked pool has a limit or the attacked asset an event; forget both."""
        pool = POOL in self.instance.event_log_storage.get_concurrency_keys()
        asset = self.instance.has_asset_key(ASSET)
        self.instance.event_log_storage.delete_concurrency_limit(POOL)
        self.instance.wipe_assets([ASSET])
        return pool or asset


def rules_of(**settings: str) -> Rules:
    """Return the rules of some settings, all others being the defaults."""
    return Rules.of(Settings(**settings))


def client_of(app: ASGIApp) -> TestClient:
    """Return a client that sends no header of a browser unless asked to."""
    return TestClient(app, base_url=OWN, follow_redirects=False, raise_server_exceptions=False)


def refused(answer: Response) -> bool:
    """Return whether an answer is the guard's refusal."""
    return answer.status_code == 403 and answer.text.startswith("Refused: ")


@pytest.fixture(scope="module")
def dagster() -> Iterator[Dagster]:
    with (
        dg.DagsterInstance.local_temp() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        yield Dagster(create_app_from_workspace_process_context(context), instance)


@pytest.fixture
def unguarded(dagster: Dagster) -> Iterator[TestClient]:
    """A client of Dagster's application as it is."""
    with client_of(dagster.app) as client:
        yield client


@pytest.fixture
def guarded(dagster: Dagster) -> Iterator[TestClient]:
    """A client of the same application behind the guard, with a proxy named in the settings."""
    with client_of(Guard(dagster.app, rules_of(ui_origins=PROXY))) as client:
        yield client
