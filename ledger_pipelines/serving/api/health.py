"""/health: for whoever watches over the process. Open to all, so it tells little."""

from typing import Literal

from fastapi import APIRouter

from ledger_pipelines.serving.api.answers import Answer
from ledger_pipelines.serving.api.exact import ExactJson
from ledger_pipelines.serving.api.parts import Has
from ledger_pipelines.warehouse import schema
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


@router.get("/live", response_model=Live)
async def live() -> ExactJson:
    """Whether the process answers."""
    return ExactJson(Live())


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready, "description": "Not ready"}})
def ready(parts: Has) -> ExactJson:
    """Whether the warehouse answers and has the schema of this program; Dagster is told of, but reads need it not."""
    try:
        with parts.reading() as connection:
            current = schema.is_current(connection)
    except WarehouseError:
        current = None
    found = Ready(
        status="ready" if current else "not ready",
        warehouse="away" if current is None else "up",
        schema_version="unknown" if current is None else "current" if current else "other",
        dagster="up" if parts.dagster_answers() else "away",
    )
    return ExactJson(found, status_code=200 if current else 503)
