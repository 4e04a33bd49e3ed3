"""An act asked for by HTTP, of the API or the dashboard: who asks from where, and that it is written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from fastapi.concurrency import contextmanager_in_threadpool

from ledger_pipelines.serving.access.auditing import Record, audited
from ledger_pipelines.serving.access.tokens import Caller
from ledger_pipelines.serving.api.errors import ApiError, told_of
from ledger_pipelines.serving.api.parts import Parts
from ledger_pipelines.warehouse.audit import Act


def address_of(request: Request) -> str:
    """From where a request comes; behind a proxy that is trusted, from where that says it comes."""
    return request.client.host if request.client else "unknown"


def act_of(request: Request, action: str, target: str | None, caller: Caller | None) -> Act:
    """What is asked for, as it is written down.

    Args:
        request: The request.
        action: What is to be done.
        target: Of what; None: of nothing in particular.
        caller: Who asks; None: nobody knows.
    """
    actor, token_id = (caller.name, caller.token_id) if caller else (None, None)
    return Act(action, target, actor=actor, token_id=token_id, address=address_of(request))


@asynccontextmanager
async def written_down(request: Request, act: Act) -> AsyncIterator[Record]:
    """Write an act down, let it be done, and write down what became of it, in the words that are answered.

    Raises:
        WarehouseError: it cannot be written down, and so must not be done.
    """
    parts: Parts = request.app.state.parts
    async with contextmanager_in_threadpool(audited(parts.warehouse, act)) as record:
        try:
            yield record
        except Exception as error:
            told = told_of(error)
            record.outcome = "refused" if told.status < 500 else "failed"
            record.message = told.message
            raise


def refused_stranger(request: Request, refusal: ApiError) -> tuple[ApiError, bool]:
    """What somebody unknown is answered who wants to act, and whether that is to be written down."""
    parts: Parts = request.app.state.parts
    address = address_of(request)
    refused = parts.strangers.refused(address)
    if refused.wait_seconds and refusal.status != 429:
        refusal = too_often(f"Too many acts from {address} were refused.", refused.wait_seconds)
    return refusal, refused.is_kept


def too_often(message: str, seconds: int) -> ApiError:
    """What is answered to who has to wait."""
    return ApiError(429, f"{message} Try again in {seconds} seconds.", headers={"Retry-After": str(seconds)})
