"""/health: checks for process monitors. They need no token, so they expose few details."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from ledger_pipelines.serving.web.context import AppContextDep
from ledger_pipelines.serving.web.exact_json import ExactJsonResponse
from ledger_pipelines.serving.web.models import ResponseModel
from ledger_pipelines.warehouse import schema
from ledger_pipelines.warehouse.ops.incidents import count_open
from ledger_pipelines.warehouse.schema import WarehouseError

router = APIRouter(prefix="/health", tags=["health"])


class Live(ResponseModel):
    """Liveness of the process."""

    status: Literal["alive"] = "alive"


class Ready(ResponseModel):
    """Readiness of the API, and the state of what it depends on."""

    status: Literal["ready", "not ready"]
    warehouse: Literal["up", "away"]
    schema_version: Literal["current", "other", "unknown"]
    dagster: Literal["up", "away"]
    ledger: Literal["healthy", "blocked", "unknown"] = Field(
        description="blocked: incidents are open, so balances may be wrong; "
        "unknown: the warehouse is down or has another schema version"
    )
    open_incidents: int | None = Field(description="Number of open incidents; null if unknown")


@router.get("/live", response_model=Live)
async def live() -> ExactJsonResponse:
    """Return 200 while the process is running."""
    return ExactJsonResponse(Live())


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready, "description": "Not ready"}})
def ready(app_context: AppContextDep) -> ExactJsonResponse:
    """Return 200 if the warehouse is up and has the current schema, else 503; the other fields are only informative."""
    current, incidents = None, None
    try:
        with app_context.read_connection() as connection:
            current = schema.is_current(connection)
            incidents = sum(count_open(connection).values()) if current else None
    except WarehouseError:
        current = None
    found = Ready(
        status="ready" if current else "not ready",
        warehouse="away" if current is None else "up",
        schema_version="unknown" if current is None else "current" if current else "other",
        dagster="up" if app_context.dagster_is_up() else "away",
        ledger="unknown" if incidents is None else "blocked" if incidents else "healthy",
        open_incidents=incidents,
    )
    return ExactJsonResponse(found, status_code=200 if current else 503)
