"""Audit log of commands that arrive over HTTP, by the API or the dashboard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from fastapi.concurrency import contextmanager_in_threadpool

from ledger_pipelines.serving.access.auditing import CommandResult, audited
from ledger_pipelines.serving.access.tokens import Caller
from ledger_pipelines.serving.web.context import AppContext
from ledger_pipelines.serving.web.errors import ApiError, to_api_error
from ledger_pipelines.warehouse.ops.audit import Command


def client_address(request: Request) -> str:
    """Return the client's address; behind a trusted proxy, the address in its `X-Forwarded-For`."""
    return request.client.host if request.client else "unknown"


def command_of(request: Request, action: str, target: str | None, caller: Caller | None) -> Command:
    """Describe a request's command for the audit log.

    Args:
        request: The request, for the client's address.
        action: What the command does, such as `POST /api/sync/start`.
        target: What the command acts on; None: nothing in particular.
        caller: The authenticated caller; None: unknown.
    """
    actor, token_id = (caller.name, caller.token_id) if caller else (None, None)
    return Command(action, target, actor=actor, token_id=token_id, address=client_address(request))


@asynccontextmanager
async def audited_request(request: Request, act: Command) -> AsyncIterator[CommandResult]:
    """Log a command before the body runs, and its outcome afterwards, with the message that the client gets.

    Raises:
        WarehouseError: the log entry cannot be written; the body does not run.
    """
    app_context: AppContext = request.app.state.app_context
    async with contextmanager_in_threadpool(audited(app_context.warehouse, act)) as result:
        try:
            yield result
        except Exception as error:
            api_error = to_api_error(error)
            result.outcome = "refused" if api_error.status < 500 else "failed"
            result.message = api_error.message
            raise


def refuse_unauthenticated(request: Request, refusal: ApiError) -> tuple[ApiError, bool]:
    """Return the error for a command without a valid token, and whether the audit log stores the refusal."""
    app_context: AppContext = request.app.state.app_context
    address = client_address(request)
    decision = app_context.unauthenticated_limiter.record_refusal(address)
    if decision.wait_seconds and refusal.status != 429:
        message = f"Too many requests without a valid token from {address} were refused."
        refusal = too_many_requests(message, decision.wait_seconds)
    return refusal, decision.is_audited


def too_many_requests(message: str, seconds: int) -> ApiError:
    """Return error 429 with the seconds to wait, in the message and in `Retry-After`."""
    return ApiError(429, f"{message} Try again in {seconds} seconds.", headers={"Retry-After": str(seconds)})
