"""Parts of pages that the page's script refreshes: Dagster's state, a sync, a run."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from ledger_pipelines.serving.dagster.graphql import dagster_graphql_from_settings
from ledger_pipelines.serving.dashboard.cache import DashboardCacheDep
from ledger_pipelines.serving.dashboard.dagster_state import CheckResults, fetch_check_results, fetch_run_state
from ledger_pipelines.serving.dashboard.pages.syncs import SyncId, load_sync
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.request_context import RequestContext
from ledger_pipelines.serving.dashboard.routes import GuardedPage, RequestContextDep

router = APIRouter(prefix="/fragments", route_class=GuardedPage)
_SECONDS = 5.0
#: Header that tells the page's script to stop refreshing.
_FINISHED = "X-Finished"


@router.get("/dagster")
def dagster(context: RequestContextDep, cache: DashboardCacheDep) -> Response:
    """Show Dagster's state and the results of its checks."""
    graphql = dagster_graphql_from_settings(context.app_context.settings, timeout_seconds=_SECONDS)
    checks: CheckResults | None = None
    if context.app_context.dagster_is_up():
        with suppress(OSError):  # Dagster has stopped since the check above
            checks = cache.checks.get("checks", lambda: fetch_check_results(graphql))
    return render_page(
        context, "dagster.html", dagster_up=checks is not None, checks=checks, dagster_address=graphql.address
    )


@router.get("/syncs/{id}")
def sync(context: RequestContextDep, log_id: SyncId) -> Response:
    """Show the progress of a sync."""
    log, tables = load_sync(context, log_id)
    return _render_fragment(context, "sync_progress.html", finished=log.status != "running", log=log, tables=tables)


@router.get("/runs/{run_id}")
def run(context: RequestContextDep, run_id: UUID) -> Response:
    """Show the state of a recalculation."""
    return _render_run(context, run_id, "customer.run_")


@router.get("/reconciliations/{run_id}")
def reconciliation(context: RequestContextDep, run_id: UUID) -> Response:
    """Show the state of a reconciliation."""
    return _render_run(context, run_id, "reconciliation.run_")


def _render_run(context: RequestContext, run_id: UUID, texts: str) -> Response:
    state = fetch_run_state(context.app_context.settings, run_id, _SECONDS)
    return _render_fragment(context, "run_state.html", finished=not state.unfinished, run=state, run_texts=texts)


def _render_fragment(context: RequestContext, template: str, *, finished: bool, **values: Any) -> Response:
    response = render_page(context, template, **values)
    if finished:
        response.headers[_FINISHED] = "yes"
    return response
