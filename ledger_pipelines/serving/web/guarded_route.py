"""Route class of the API: authentication, roles, the audit log of commands, and the check for unknown parameters.

Safe methods need the role viewer. All other methods are commands: they need the role admin, and the audit log stores
each request whatever its outcome (without a valid token, up to a limit). An unknown query parameter is refused, not
ignored: a misspelt month must not return another month's figures. As the route class does all this, a new route is
protected by default.
"""

from collections.abc import Callable, Coroutine, Set
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from ledger_pipelines.serving.access.tokens import Caller, TokenRefusedError, authenticate
from ledger_pipelines.serving.web.context import AppContext
from ledger_pipelines.serving.web.errors import ApiError, invalid_parameters
from ledger_pipelines.serving.web.request_audit import (
    audited_request,
    client_address,
    command_of,
    refuse_unauthenticated,
    too_many_requests,
)
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.ops.api_tokens import Role

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SECURITY: dict[str, Any] = {"security": [{"bearer": []}]}
_SCHEME = "bearer "
_REALM = 'Bearer realm="ledger"'


class GuardedRoute(APIRoute):
    """Route that authenticates and authorizes the caller before anything else."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["openapi_extra"] = {**(options.get("openapi_extra") or {}), **_SECURITY}
        super().__init__(path, endpoint, **options)

    @property
    def role(self) -> Role:
        """Role that the route requires."""
        return "viewer" if (self.methods or set()) <= SAFE_METHODS else "admin"

    def get_route_handler(self) -> Handler:
        """Return the route's handler, wrapped by the checks."""
        inner, role = super().get_route_handler(), self.role
        known = _query_parameters(self.dependant)

        async def handler(request: Request) -> Response:
            _refuse_unknown_parameters(request, known)
            return await inner(request)

        async def guarded(request: Request) -> Response:
            if role == "viewer":
                request.state.caller = await run_in_threadpool(authenticate_request, request)
                return await handler(request)
            return await _run_command(request, handler, f"{request.method} {self.path}")

        return guarded


def authenticate_request(request: Request) -> Caller:
    """Return the caller of a request.

    Raises:
        ApiError: the token is missing or refused: 401, or 429 after too many refused tokens.
        WarehouseError: the warehouse is unavailable.
    """
    app_context: AppContext = request.app.state.app_context
    given = request.headers.get("authorization", "")
    if not given.lower().startswith(_SCHEME):
        message = "A token is required. Send the header `Authorization: Bearer TOKEN`."
        raise ApiError(401, message, headers={"WWW-Authenticate": _REALM})
    try:
        with translate_connection_errors(app_context.warehouse), app_context.autocommit_engine.connect() as connection:
            return authenticate(connection, given[len(_SCHEME) :].strip())
    except TokenRefusedError as error:
        raise _token_refused(request, str(error)) from error


def require_role(caller: Caller, role: Role) -> None:
    """Check that a caller has a role.

    Raises:
        ApiError: the caller does not have the role (403).
    """
    if not caller.has_role(role):
        raise ApiError(
            403, f"The token {caller.name!r} has the role {caller.role}. This request needs the role {role}."
        )


def _query_parameters(dependant: Dependant) -> set[str]:
    """Return the names of the query parameters of a route and its dependencies."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*map(_query_parameters, dependant.dependencies))


def _refuse_unknown_parameters(request: Request, known: Set[str]) -> None:
    """Check that every query parameter is known and given once.

    Raises:
        ApiError: a parameter is unknown or repeated (422).
    """
    names = [name for name, _ in request.query_params.multi_items()]
    supported = f"this path takes {', '.join(sorted(known))}" if known else "this path takes no query parameters"
    errors = {name: [f"unknown parameter; {supported}"] for name in names if name not in known}
    errors |= {name: ["it is given more than once"] for name in known if names.count(name) > 1}
    if errors:
        raise invalid_parameters(errors)


def _token_refused(request: Request, reason: str) -> ApiError:
    app_context: AppContext = request.app.state.app_context
    address = client_address(request)
    if wait := app_context.token_limiter.record_failure(address).wait_seconds:
        return too_many_requests(f"Too many tokens from {address} were refused.", wait)
    challenge = f'{_REALM}, error="invalid_token", error_description="{reason}"'
    return ApiError(
        401, f"{reason} Create a new token with `ledger token create`.", headers={"WWW-Authenticate": challenge}
    )


async def _run_command(request: Request, handler: Handler, action: str) -> Response:
    """Run a command of an admin, and log it; without a valid token, refuse it and log it up to the limit."""
    try:
        caller = await run_in_threadpool(authenticate_request, request)
    except ApiError as error:
        refusal, is_audited = refuse_unauthenticated(request, error)
        if is_audited:
            async with audited_request(request, command_of(request, action, await _target(request), None)):
                raise refusal from None
        raise refusal from None
    async with audited_request(request, command_of(request, action, await _target(request), caller)) as result:
        require_role(caller, "admin")
        request.state.caller = caller
        response = await handler(request)
        result.message = orjson.loads(response.body).get("message")
        return response


async def _target(request: Request) -> str:
    """Return the target of a command: path, query and body of its request."""
    query = f"?{request.url.query}" if request.url.query else ""
    body = (await request.body()).decode(errors="replace")
    return f"{request.url.path}{query} {body}".strip()


async def _caller(request: Request) -> Caller:  # async: FastAPI would run a plain function in a thread
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]
"""Endpoint parameter: the authenticated caller."""
