"""Parts of pages that the page's script asks for again and again: Dagster's state, a sync, a run."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from ledger_pipelines.serving.dashboard.dagster_state import Checks, checks_of, run_state
from ledger_pipelines.serving.dashboard.pages.syncs import SyncId, sync_of
from ledger_pipelines.serving.dashboard.remembered import Remembers
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited
from ledger_pipelines.serving.dashboard.visit import Visit
from ledger_pipelines.serving.web_ui import web_ui_of

router = APIRouter(prefix="/fragments", route_class=GuardedPage)
_SECONDS = 5.0
#: Told to the page's script: there will be nothing new.
_FINISHED = "X-Finished"


@router.get("/dagster")
def dagster(visit: Visited, remembered: Remembers) -> Response:
    """How Dagster is."""
    web_ui = web_ui_of(visit.parts.settings, timeout_seconds=_SECONDS)
    checks: Checks | None = None
    if visit.parts.dagster_answers():
        with suppress(OSError):  # it went away just now
            checks = remembered.checks.get("checks", lambda: checks_of(web_ui))
    return page(visit, "dagster.html", dagster_up=checks is not None, checks=checks, dagster_address=web_ui.address)


@router.get("/syncs/{id}")
def sync(visit: Visited, log_id: SyncId) -> Response:
    """How far a sync is."""
    log, tables = sync_of(visit, log_id)
    return _fragment(visit, "progress.html", finished=log.status != "running", log=log, tables=tables)


@router.get("/runs/{run_id}")
def run(visit: Visited, run_id: UUID) -> Response:
    """How a run is getting on."""
    state = run_state(web_ui_of(visit.parts.settings, timeout_seconds=_SECONDS), run_id)
    return _fragment(visit, "run.html", finished=not state.unfinished, run=state)


@router.get("/reconciliations/{run_id}")
def reconciliation(visit: Visited, run_id: UUID) -> Response:
    """How a reconciliation is getting on."""
    state = run_state(web_ui_of(visit.parts.settings, timeout_seconds=_SECONDS), run_id)
    return _fragment(visit, "reconciling.html", finished=not state.unfinished, run=state)


def _fragment(visit: Visit, template: str, *, finished: bool, **values: Any) -> Response:
    response = page(visit, template, **values)
    if finished:
        response.headers[_FINISHED] = "yes"
    return response
