"""Dagster's application on a temporary instance, with and without the guard."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from httpx2 import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from ledger_pipelines.serving.dagster_ui.guard import Guard
from ledger_pipelines.serving.dagster_ui.rules import AccessRules
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.support.dagster_internals import (
    EmptyWorkspaceTarget,
    WorkspaceProcessContext,
    create_app_from_workspace_process_context,
)

HOST = "127.0.0.1:3000"
OWN = f"http://{HOST}"
PROXY = "https://dagster.example.com"
ASSET = dg.AssetKey("attacked")
POOL = "attacked"


@dataclass(frozen=True)
class Dagster:
    """Dagster's application and its instance."""

    app: Starlette
    instance: dg.DagsterInstance

    def changed(self) -> bool:
        """Return whether the attacked pool has a limit or the attacked asset an event, and delete both."""
        pool = POOL in self.instance.event_log_storage.get_concurrency_keys()
        asset = self.instance.has_asset_key(ASSET)
        self.instance.event_log_storage.delete_concurrency_limit(POOL)
        self.instance.wipe_assets([ASSET])
        return pool or asset


def rules_of(**settings: str) -> AccessRules:
    """Return the rules for these settings; all others have their defaults."""
    return AccessRules.of(Settings(**settings))


def client_of(app: ASGIApp) -> TestClient:
    """Return a client that sends no browser headers by default."""
    return TestClient(app, base_url=OWN, follow_redirects=False, raise_server_exceptions=False)


def refused(response: Response) -> bool:
    """Return whether a response is the guard's refusal."""
    return response.status_code == 403 and response.text.startswith("Refused: ")


@pytest.fixture(scope="module")
def dagster() -> Iterator[Dagster]:
    with (
        dg.DagsterInstance.local_temp() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        yield Dagster(create_app_from_workspace_process_context(context), instance)


@pytest.fixture
def unguarded(dagster: Dagster) -> Iterator[TestClient]:
    """Client of Dagster's application without the guard."""
    with client_of(dagster.app) as client:
        yield client


@pytest.fixture
def guarded(dagster: Dagster) -> Iterator[TestClient]:
    """Client of the same application behind the guard, with a proxy's origin in the settings."""
    with client_of(Guard(dagster.app, rules_of(ui_origins=PROXY))) as client:
        yield client
