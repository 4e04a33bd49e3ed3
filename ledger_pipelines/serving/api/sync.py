"""/api/sync: the syncs of the ERP, started, watched, ended and looked back on."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.serving.api import acts
from ledger_pipelines.serving.api import sync_answers as answers
from ledger_pipelines.serving.api.answers import pagination_of
from ledger_pipelines.serving.api.errors import documented, not_found, wrong
from ledger_pipelines.serving.api.exact import ExactJson
from ledger_pipelines.serving.api.guard import Asks, GuardedRoute
from ledger_pipelines.serving.api.parameters import (
    PER_PAGE,
    Days,
    DecimalsAs,
    Month,
    OfType,
    OnlySync,
    Page,
    PerPage,
    SyncId,
    SyncStatus,
    in_horizon,
)  # fmt: skip
from ledger_pipelines.serving.api.parts import Has
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.serving.sync import Wish
from ledger_pipelines.serving.sync_order import Months, known_tables
from ledger_pipelines.sources.erp_tables import ERP_TABLES
from ledger_pipelines.warehouse import servers, sync_history

_DAYS = 7

router = APIRouter(
    prefix="/api/sync", tags=["syncs"], route_class=GuardedRoute, responses=documented(401, 403, 413, 422, 429, 503)
)

_RUNNING: dict[int | str, dict[str, Any]] = {409: {"model": answers.SyncRunning, "description": "Another sync runs"}}


def _known(name: str) -> str:
    try:
        known_tables([name])
    except ServingError as error:
        raise ValueError(str(error)) from error
    return name


_Table = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": [table.name for table in ERP_TABLES]})
]


class SyncWish(BaseModel):
    """What is asked of a sync; nothing: the last two months, those never loaded, and whatever else differs."""

    model_config = ConfigDict(extra="forbid")

    month: Month | None = Field(default=None, description="Only this month")
    from_month: Month | None = Field(default=None, description="The first month")
    to_month: Month | None = Field(default=None, description="The last month")
    tables: list[_Table] = Field(default=[], max_length=len(ERP_TABLES), description="Only these tables")
    full: bool = Field(default=False, strict=True, description="Read every month that was ever loaded")
    accept_deletions: bool = Field(
        default=False, strict=True, description="Go on even if the source lost implausibly many rows"
    )


@router.post("/start", response_model=answers.SyncStarted, responses=_RUNNING)
def start(parts: Has, body: Annotated[SyncWish | None, Body()] = None) -> ExactJson:
    """Start a sync, and answer at once; one runs at a time."""
    asked = body or SyncWish()
    _check(asked, parts.horizon)
    months = Months(asked.month, asked.from_month, asked.to_month)
    order = acts.start_sync(parts.settings, Wish(months, tuple(asked.tables), asked.full, asked.accept_deletions))
    message = f"Sync {order.log_id} of {order.first} to {order.last} is running."
    return ExactJson(answers.SyncStarted(message=message, sync_log_id=order.log_id))


@router.post("/cancel", response_model=answers.SyncCancelled, responses={**documented(404), **_RUNNING})
def cancel(parts: Has, caller: Asks, only: OnlySync = None) -> ExactJson:
    """End the sync that runs: its statements are cancelled, finished tables stay, the others are as they were."""
    log = acts.cancel_sync(parts.settings, only, by=f"{caller.name!r} through the API")
    return ExactJson(answers.SyncCancelled(message=f"Sync {log.id} is cancelled.", sync_log_id=log.id))


@router.get("/status", response_model=answers.SyncStatus | answers.NoSyncYet, responses=documented(404))
def status(parts: Has, sync_id: SyncId = None, decimals: DecimalsAs = "number") -> ExactJson:
    """A sync: how it goes or went."""
    with parts.reading() as connection:
        log = sync_history.latest(connection) if sync_id is None else sync_history.by_id(connection, sync_id)
    if log is not None:
        return ExactJson(answers.SyncStatus(data=answers.Sync.model_validate(log)), decimals)
    if sync_id is not None:
        raise not_found(f"There is no sync {sync_id}; /api/sync/logs lists all.")
    has_erp = servers.has_erp(parts.settings)
    message = "There has been no sync yet." if has_erp else servers.NO_ERP
    return ExactJson(answers.NoSyncYet(message=message))


@router.get("/logs", response_model=answers.SyncLogs)
def logs(
    parts: Has,
    per_page: PerPage = None,
    page: Page = None,
    status: SyncStatus = None,
    sync_type: OfType = None,
    decimals: DecimalsAs = "number",
) -> ExactJson:
    """The syncs, the newest first."""
    with parts.snapshot() as connection:
        found = sync_history.page(
            connection, per_page=per_page or PER_PAGE, number=page or 1, status=status, sync_type=sync_type
        )
    data = [answers.Sync.model_validate(log) for log in found.items]
    return ExactJson(answers.SyncLogs(data=data, pagination=pagination_of(found)), decimals)


@router.get("/statistics", response_model=answers.SyncStatistics)
def statistics(parts: Has, days: Days = None, decimals: DecimalsAs = "number") -> ExactJson:
    """The syncs of the last days in numbers, and the newest five of all."""
    with parts.snapshot() as connection:
        found = sync_history.statistics(connection, days or _DAYS)
    data = answers.SyncStatisticsData.model_validate(found.as_dict())
    return ExactJson(answers.SyncStatistics(data=data), decimals)


def _check(asked: SyncWish, horizon: Horizon) -> None:
    """See that the months can be synced.

    Raises:
        ApiError: they cannot; the parameter is named.
    """
    for name, month in (("month", asked.month), ("from_month", asked.from_month), ("to_month", asked.to_month)):
        if month is not None:
            in_horizon(horizon, name, month)
    if asked.month is not None and (asked.from_month, asked.to_month) != (None, None):
        raise wrong("month", "name either one month, or a range by from_month and to_month")
    if (asked.to_month or horizon.current) < (asked.from_month or horizon.first):
        raise wrong("to_month", f"the range of months ends before it starts, in {asked.from_month}")
