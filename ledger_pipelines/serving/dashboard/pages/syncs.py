"""The ERP's syncs: their history, one of them, starting and ending them."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, get_args

from fastapi import APIRouter, Form, Path, Query, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.api import acts
from ledger_pipelines.serving.api.errors import ApiError, not_found, wrong
from ledger_pipelines.serving.api.parameters import Whole
from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Reader
from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, Number, path_with
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited
from ledger_pipelines.serving.dashboard.visit import Visit
from ledger_pipelines.serving.sync import Wish
from ledger_pipelines.serving.sync_order import Months
from ledger_pipelines.serving.web_ui import web_ui_of
from ledger_pipelines.sources.erp_tables import ERP_TABLES
from ledger_pipelines.warehouse import sync_history, sync_logs
from ledger_pipelines.warehouse.sync_logs import Status, SyncedTable, SyncLog, SyncType

router = APIRouter(prefix="/syncs", route_class=GuardedPage)
SyncId = Annotated[int, Whole(1, 2**63 - 1), Path(alias="id")]
_DAYS = 7
_DRAWN = 30
_TABLES = [table.name for table in ERP_TABLES]
_YES = "yes"
_Choice = Annotated[str, Query(max_length=20)]
_Field = Annotated[str, Form(max_length=20)]


@router.get("")
def history(visit: Visited, number: Number = 1, status: _Choice = "", sync_type: _Choice = "") -> Response:
    """The syncs, the newest first, and how long they took."""
    wanted = {
        "status": next((one for one in get_args(Status) if one == status), None),
        "sync_type": next((one for one in get_args(SyncType) if one == sync_type), None),
    }
    parts = visit.parts
    with parts.snapshot() as connection:
        found = sync_history.page(connection, per_page=PER_PAGE, number=number, **wanted)
        drawn = sync_history.page(connection, per_page=_DRAWN).items
        statistics = sync_history.statistics(connection, _DAYS)
        running = sync_logs.running(connection)
        tables = [] if running is None else sync_history.tables_of(connection, running.id)
    reader = Reader(visit.words, visit.formats)
    return page(
        visit,
        "syncs.html",
        here="syncs",
        logs=found,
        page_path=partial(_path, status, sync_type),
        statistics=statistics,
        days=_DAYS,
        charts=[charts.sync_durations(reader, drawn)] if drawn else [],
        running={"log": running, "tables": tables} if running else None,
        status=status,
        sync_type=sync_type,
        statuses=get_args(Status),
        types=get_args(SyncType),
        horizon=list(reversed(parts.horizon.months)),
        erp_tables=_TABLES,
    )


def _path(status: str, sync_type: str, to: int) -> str:
    return path_with("/syncs", status=status, sync_type=sync_type, page=to)


@router.post("")
def start(
    visit: Visited,
    from_month: _Field = "",
    to_month: _Field = "",
    tables: Annotated[list[str] | None, Form()] = None,
    full: _Field = "",
    accept_deletions: _Field = "",
) -> Response:
    """Start a sync; how far it is is shown on its page."""
    wanted = tuple(tables or ())
    if unknown := [name for name in wanted if name not in _TABLES]:
        raise wrong("tables", f"there is no table {unknown[0]}; expected {', '.join(_TABLES)}")
    months = Months(None, from_month or None, to_month or None)
    wish = Wish(months, wanted, full == _YES, accept_deletions == _YES)
    order = acts.start_sync(visit.parts.settings, wish)
    return RedirectResponse(f"/syncs/{order.log_id}", 303)


@router.get("/{id}")
def sync(visit: Visited, log_id: SyncId) -> Response:
    """A sync, and what it did to each table."""
    log, tables = sync_of(visit, log_id)
    web_ui = web_ui_of(visit.parts.settings)
    address = None if log.run_id is None else web_ui.address_of_run(log.run_id)
    return page(visit, "sync.html", here="syncs", log=log, tables=tables, run_address=address)


@router.post("/{id}/cancel")
def cancel(visit: Visited, log_id: SyncId) -> Response:
    """End a sync, and no other that began since."""
    log, _ = sync_of(visit, log_id)
    if log.status != "running":
        raise ApiError(409, visit.words.plain("sync.was_quicker", id=log_id))
    who = visit.caller.name if visit.caller else ""
    acts.cancel_sync(visit.parts.settings, log_id, by=f"{who!r} in the dashboard")
    return RedirectResponse(f"/syncs/{log_id}", 303)


def sync_of(visit: Visit, log_id: int) -> tuple[SyncLog, Sequence[SyncedTable]]:
    """A sync and its tables.

    Raises:
        ApiError: there is none of this number.
    """
    with visit.parts.snapshot() as connection:
        log = sync_history.by_id(connection, log_id)
        if log is None:
            raise not_found(visit.words.plain("sync.none_yet"))
        return log, sync_history.tables_of(connection, log_id)
