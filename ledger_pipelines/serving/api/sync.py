"""/api/sync: start, watch and cancel syncs of the ERP, and query their history."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.dagster.sync_job import SyncMonths, resolve_tables
from ledger_pipelines.serving.sync import SyncRequest
from ledger_pipelines.serving.web import commands
from ledger_pipelines.serving.web.context import AppContextDep
from ledger_pipelines.serving.web.errors import error_responses, invalid_parameter, not_found
from ledger_pipelines.serving.web.exact_json import ExactJsonResponse
from ledger_pipelines.serving.web.guarded_route import CallerDep, GuardedRoute
from ledger_pipelines.serving.web.models import ErrorResponse, Pagination, ResponseModel, pagination_of
from ledger_pipelines.serving.web.parameters import (  # fmt: skip
    DEFAULT_PER_PAGE,
    CancelSyncId,
    Days,
    DecimalsParameter,
    Month,
    Page,
    PerPage,
    SyncId,
    SyncStatusFilter,
    SyncTypeFilter,
    check_month_in_horizon,
)
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops.sync_logs import SyncSummary
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines.warehouse.queries.sync_history import SyncStatisticsData

_DEFAULT_DAYS = 7

router = APIRouter(
    prefix="/api/sync",
    tags=["syncs"],
    route_class=GuardedRoute,
    responses=error_responses(401, 403, 413, 422, 429, 503),
)


class SyncRunning(ErrorResponse):
    """Error: another sync is running."""

    running_sync_id: int


_RUNNING: dict[int | str, dict[str, Any]] = {409: {"model": SyncRunning, "description": "Another sync is running"}}


def _known_table(name: str) -> str:
    try:
        resolve_tables([name])
    except ServingError as error:
        raise ValueError(str(error)) from error
    return name


_Table = Annotated[
    str, AfterValidator(_known_table), WithJsonSchema({"type": "string", "enum": [table.name for table in ERP_TABLES]})
]


class SyncStartRequest(BaseModel):
    """Options of a sync. Default: the last two months, months never loaded, and months that differ from the source."""

    model_config = ConfigDict(extra="forbid")

    month: Month | None = Field(default=None, description="Sync only this month; excludes from_month and to_month")
    from_month: Month | None = Field(
        default=None, description="First month of a range. Default if to_month is given: the first month of the ledger"
    )
    to_month: Month | None = Field(
        default=None, description="Last month of a range. Default if from_month is given: the current month"
    )
    tables: list[_Table] = Field(
        default=[], max_length=len(ERP_TABLES), description="Sync only these tables. Default: all"
    )
    full: bool = Field(
        default=False, strict=True, description="Read every month that was ever loaded, even if nothing differs"
    )
    accept_deletions: bool = Field(
        default=False, strict=True, description="Accept the deletion of more rows than the deletion guard allows"
    )


class SyncStarted(ResponseModel):
    """Started sync."""

    success: Literal[True] = True
    message: str
    sync_log_id: int
    status: Literal["running"] = "running"


@router.post("/start", response_model=SyncStarted, responses=_RUNNING)
def start(app_context: AppContextDep, body: Annotated[SyncStartRequest | None, Body()] = None) -> ExactJsonResponse:
    """Start a sync without waiting for its end. Only one sync runs at a time."""
    options = body or SyncStartRequest()
    _check(options, app_context.horizon)
    months = SyncMonths(options.month, options.from_month, options.to_month)
    job = commands.start_sync(
        app_context.settings, SyncRequest(months, tuple(options.tables), options.full, options.accept_deletions)
    )
    message = f"Sync {job.log_id} of {job.first} to {job.last} is running."
    return ExactJsonResponse(SyncStarted(message=message, sync_log_id=job.log_id))


class SyncCancelled(ResponseModel):
    """Cancelled sync."""

    success: Literal[True] = True
    message: str
    sync_log_id: int


@router.post("/cancel", response_model=SyncCancelled, responses={**error_responses(404), **_RUNNING})
def cancel(app_context: AppContextDep, caller: CallerDep, only: CancelSyncId = None) -> ExactJsonResponse:
    """Cancel the running sync and its statements. Finished tables stay; the others keep their old rows."""
    log = commands.cancel_sync(app_context.settings, only, by=f"{caller.name!r} through the API")
    return ExactJsonResponse(SyncCancelled(message=f"Cancelled sync {log.id}.", sync_log_id=log.id))


class SyncStatus(ResponseModel):
    """One sync."""

    success: Literal[True] = True
    data: SyncSummary


class NoSyncYet(ResponseModel):
    """Response while there has been no sync yet."""

    success: Literal[True] = True
    data: None = None
    message: str


@router.get("/status", response_model=SyncStatus | NoSyncYet, responses=error_responses(404))
def status(
    app_context: AppContextDep, sync_id: SyncId = None, decimals: DecimalsParameter = "number"
) -> ExactJsonResponse:
    """Return a sync, by default the latest."""
    with app_context.read_connection() as connection:
        log = sync_history.latest(connection) if sync_id is None else sync_history.by_id(connection, sync_id)
    if log is not None:
        return ExactJsonResponse(SyncStatus(data=log), decimals)
    if sync_id is not None:
        raise not_found(f"There is no sync {sync_id}. /api/sync/logs lists all syncs.")
    has_erp = database_urls.has_erp(app_context.settings)
    message = "There has been no sync yet." if has_erp else database_urls.NO_ERP_MESSAGE
    return ExactJsonResponse(NoSyncYet(message=message))


class SyncLogs(ResponseModel):
    """Page of syncs, newest first."""

    success: Literal[True] = True
    data: Sequence[SyncSummary]
    pagination: Pagination


@router.get("/logs", response_model=SyncLogs)
def logs(
    app_context: AppContextDep,
    per_page: PerPage = None,
    page: Page = None,
    status: SyncStatusFilter = None,
    sync_type: SyncTypeFilter = None,
    decimals: DecimalsParameter = "number",
) -> ExactJsonResponse:
    """Return the syncs, newest first."""
    with app_context.snapshot() as connection:
        found = sync_history.page(
            connection, per_page=per_page or DEFAULT_PER_PAGE, number=page or 1, status=status, sync_type=sync_type
        )
    return ExactJsonResponse(SyncLogs(data=found.items, pagination=pagination_of(found)), decimals)


class SyncStatistics(ResponseModel):
    """Statistics of the syncs."""

    success: Literal[True] = True
    data: SyncStatisticsData


@router.get("/statistics", response_model=SyncStatistics)
def statistics(
    app_context: AppContextDep, days: Days = None, decimals: DecimalsParameter = "number"
) -> ExactJsonResponse:
    """Return statistics of the syncs of the last days, and the five newest syncs."""
    with app_context.snapshot() as connection:
        found = sync_history.statistics(connection, days or _DEFAULT_DAYS)
    return ExactJsonResponse(SyncStatistics(data=found), decimals)


def _check(options: SyncStartRequest, horizon: Horizon) -> None:
    """Check the months of a request.

    Raises:
        ApiError: a month or the range is invalid (422, by parameter).
    """
    for name, month in (("month", options.month), ("from_month", options.from_month), ("to_month", options.to_month)):
        if month is not None:
            check_month_in_horizon(horizon, name, month)
    if options.month is not None and (options.from_month, options.to_month) != (None, None):
        raise invalid_parameter("month", "give either month, or a range with from_month and to_month")
    if (options.to_month or horizon.current) < (options.from_month or horizon.first):
        raise invalid_parameter("to_month", f"the range ends before from_month, {options.from_month}")
