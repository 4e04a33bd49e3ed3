"""/health: for whoever watches over the process. Open to all, so it tells little."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from ledger_pipelines.serving.api.answers import Answer
from ledger_pipelines.serving.api.exact import ExactJson
from ledger_pipelines.serving.api.parts import Has
from ledger_pipelines.warehouse import schema
from ledger_pipelines.warehouse.incidents import count_open
from ledger_pipelines.warehouse.schema import WarehouseError

router = APIRouter(prefix="/health", tags=["health"])


class Live(Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Answer):
    """Whether requests can be answered, and what that hangs on."""

    status: Literal["ready", "not ready"]
    warehouse: Literal["up", "away"]
    schema_version: Literal["current", "other", "unknown"]
    dagster: Literal["up", "away"]
    ledger: Literal["healthy", "blocked", "unknown"] = Field(
        description="blocked: incidents are open, so balances may be wrong; unknown: the warehouse cannot say"
    )
    open_incidents: int | None = Field(description="How many incidents are open; null: unknown")


@router.get("/live", response_model=Live)
async def live() -> ExactJson:
    """Whether the process answers."""
    return ExactJson(Live())


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready, "description": "Not ready"}})
def ready(parts: Has) -> ExactJson:
    """Return whether the warehouse answers and has the schema of this program; the rest is shown, not required."""
    current, incidents = None, None
    try:
        with parts.reading() as connection:
            current = schema.is_current(connection)
            incidents = sum(count_open(connection).values()) if current else None
    except WarehouseError:
        current = None
    found = Ready(
        status="ready" if current else "not ready",
        warehouse="away" if current is None else "up",
        schema_version="unknown" if current is None else "current" if current else "other",
        dagster="up" if parts.dagster_answers() else "away",
        ledger="unknown" if incidents is None else "blocked" if incidents else "healthy",
        open_incidents=incidents,
    )
    return ExactJson(found, status_code=200 if current else 503)
