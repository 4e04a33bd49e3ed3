"""Pages of ERP syncs: history, one sync, start and cancel."""

from collections.abc import Sequence
from typing import Annotated, get_args

from fastapi import APIRouter, Form, Path, Query, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.dagster.graphql import dagster_graphql_from_settings
from ledger_pipelines.serving.dagster.sync_job import SyncMonths
from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Locale
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, PageNumber, build_path
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.request_context import RequestContext
from ledger_pipelines.serving.dashboard.routes import GuardedPage, RequestContextDep
from ledger_pipelines.serving.sync import SyncRequest
from ledger_pipelines.serving.web import commands
from ledger_pipelines.serving.web.errors import ApiError, invalid_parameter, not_found
from ledger_pipelines.serving.web.parameters import Id
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncedTable, SyncLog
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines.warehouse.tables.erp import SyncStatus, SyncType

router = APIRouter(prefix="/syncs", route_class=GuardedPage)
_NAV = NavEntry(3, "/syncs", "sync.title")
SyncId = Annotated[Id, Path(alias="id")]
_DAYS = 7
_CHARTED_SYNCS = 30
_TABLES = [table.name for table in ERP_TABLES]
_YES = "yes"
_FilterValue = Annotated[str, Query(max_length=20)]
_FormValue = Annotated[str, Form(max_length=20)]


@router.get("")
def history(
    context: RequestContextDep, number: PageNumber = 1, status: _FilterValue = "", sync_type: _FilterValue = ""
) -> Response:
    """Show the syncs, newest first, with a chart of their durations."""
    wanted = {
        "status": next((value for value in get_args(SyncStatus) if value == status), None),
        "sync_type": next((value for value in get_args(SyncType) if value == sync_type), None),
    }
    app_context = context.app_context
    with app_context.snapshot() as connection:
        found = sync_history.page(connection, per_page=PER_PAGE, number=number, **wanted)
        latest = sync_history.page(connection, per_page=_CHARTED_SYNCS).items
        statistics = sync_history.statistics(connection, _DAYS).statistics
        running = sync_logs.running_sync(connection)
        tables = [] if running is None else sync_history.tables_of(connection, running.id)
    ended = [log for log in latest if log.duration is not None]
    locale = Locale(context.translate, context.formats)
    return render_page(
        context,
        "syncs.html",
        nav_entry=_NAV,
        logs=found,
        page_path=lambda to: build_path("/syncs", status=status, sync_type=sync_type, page=to),
        statistics=statistics,
        days=_DAYS,
        charts=[charts.sync_durations(locale, ended)] if ended else [],
        running={"log": running, "tables": tables} if running else None,
        status=status,
        sync_type=sync_type,
        statuses=get_args(SyncStatus),
        types=get_args(SyncType),
        horizon=list(reversed(app_context.horizon.months)),
        erp_tables=_TABLES,
    )


@router.post("")
def start(
    context: RequestContextDep,
    from_month: _FormValue = "",
    to_month: _FormValue = "",
    tables: Annotated[list[str] | None, Form()] = None,
    full: _FormValue = "",
    accept_deletions: _FormValue = "",
) -> Response:
    """Start a sync; its page shows the progress."""
    wanted = tuple(tables or ())
    if unknown := [name for name in wanted if name not in _TABLES]:
        raise invalid_parameter("tables", f"there is no table {unknown[0]}; expected {', '.join(_TABLES)}")
    months = SyncMonths(None, from_month or None, to_month or None)
    sync_request = SyncRequest(months, wanted, full == _YES, accept_deletions == _YES)
    started = commands.start_sync(context.app_context.settings, sync_request)
    return RedirectResponse(f"/syncs/{started.log_id}", 303)


@router.get("/{id}")
def sync(context: RequestContextDep, log_id: SyncId) -> Response:
    """Show a sync and its result for each table."""
    log, tables = load_sync(context, log_id)
    graphql = dagster_graphql_from_settings(context.app_context.settings)
    address = None if log.run_id is None else graphql.run_url(log.run_id)
    return render_page(context, "sync.html", nav_entry=_NAV, log=log, tables=tables, run_address=address)


@router.post("/{id}/cancel")
def cancel(context: RequestContextDep, log_id: SyncId) -> Response:
    """Cancel a sync, but not another one that has started since."""
    log, _ = load_sync(context, log_id)
    if log.status != "running":
        raise ApiError(409, context.translate.plain("sync.already_ended", id=log_id))
    name = context.caller.name if context.caller else ""
    commands.cancel_sync(context.app_context.settings, log_id, by=f"{name!r} in the dashboard")
    return RedirectResponse(f"/syncs/{log_id}", 303)


def load_sync(context: RequestContext, log_id: int) -> tuple[SyncLog, Sequence[SyncedTable]]:
    """Return a sync and its tables.

    Raises:
        ApiError: There is no sync with this id.
    """
    with context.app_context.snapshot() as connection:
        log = sync_history.by_id(connection, log_id)
        if log is None:
            raise not_found(context.translate.plain("sync.unknown", id=log_id))
        return log, sync_history.tables_of(connection, log_id)
