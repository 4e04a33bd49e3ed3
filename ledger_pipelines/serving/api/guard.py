"""The guard before every address of the API: who asks, whether they may, and the audit log of what changes something.

Whoever reads needs the role viewer; a method that changes something needs admin, and leaves a row in the audit log
whatever becomes of it (of strangers only so many). A parameter that an address does not know is refused, not passed
over: a misspelt month must not be answered with another one's figures. So a new address is guarded before anybody
thinks of it.
"""

from collections.abc import Callable, Coroutine, Set
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from ledger_pipelines.serving.access.tokens import Caller, TokenRefusedError, authenticate
from ledger_pipelines.serving.api.acting import act_of, address_of, refused_stranger, too_often, written_down
from ledger_pipelines.serving.api.errors import ApiError, invalid
from ledger_pipelines.serving.api.parts import Parts
from ledger_pipelines.warehouse.api_tokens import Role
from ledger_pipelines.warehouse.engine import reachable

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY: dict[str, Any] = {"security": [{"bearer": []}]}
_SCHEME = "bearer "
_REALM = 'Bearer realm="ledger"'


class GuardedRoute(APIRoute):
    """A route that asks for a token first."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["openapi_extra"] = {**(options.get("openapi_extra") or {}), **SECURITY}
        super().__init__(path, endpoint, **options)

    @property
    def role(self) -> Role:
        """The role that it needs."""
        return "viewer" if (self.methods or set()) <= SAFE_METHODS else "admin"

    def get_route_handler(self) -> Handler:
        """What answers a request, behind the guard."""
        answer, role = super().get_route_handler(), self.role
        known = _query_parameters(self.dependant)

        async def handler(request: Request) -> Response:
            _see_that_all_is_known(request, known)
            return await answer(request)

        async def guarded(request: Request) -> Response:
            if role == "viewer":
                request.state.caller = await run_in_threadpool(identified, request)
                return await handler(request)
            return await _act(request, handler, f"{request.method} {self.path}")

        return guarded


def identified(request: Request) -> Caller:
    """Who asks.

    Raises:
        ApiError: nobody who is known: 401, or 429 after too many of those.
        WarehouseError: the warehouse is away.
    """
    parts: Parts = request.app.state.parts
    given = request.headers.get("authorization", "")
    if not given.lower().startswith(_SCHEME):
        message = "A token is needed: send Authorization: Bearer TOKEN."
        raise ApiError(401, message, headers={"WWW-Authenticate": _REALM})
    try:
        with reachable(parts.warehouse), parts.at_once.connect() as connection:
            return authenticate(connection, given[len(_SCHEME) :].strip())
    except TokenRefusedError as error:
        raise _refused(request, str(error)) from error


def demand(caller: Caller, role: Role) -> None:
    """See that somebody has a role.

    Raises:
        ApiError: they have not.
    """
    if not caller.may(role):
        raise ApiError(403, f"The token {caller.name!r} may only read; this needs a token with the role {role}.")


def _query_parameters(dependant: Dependant) -> set[str]:
    """The names that an address, and what it depends on, take from the query."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*map(_query_parameters, dependant.dependencies))


def _see_that_all_is_known(request: Request, known: Set[str]) -> None:
    """See that a query has known parameters alone, each once.

    Raises:
        ApiError: it has others, or one of them twice.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    there_are = f"there are {', '.join(sorted(known))}" if known else "this address takes none"
    errors = {name: [f"there is no such parameter; {there_are}"] for name in names if name not in known}
    errors |= {name: ["given more than once"] for name in known if names.count(name) > 1}
    if errors:
        raise invalid(errors)


def _refused(request: Request, reason: str) -> ApiError:
    parts: Parts = request.app.state.parts
    address = address_of(request)
    if wait := parts.failures.failed(address).wait_seconds:
        return too_often(f"Too many tokens from {address} were refused.", wait)
    challenge = f'{_REALM}, error="invalid_token", error_description="{reason}"'
    return ApiError(401, f"{reason} `ledger token create` makes another.", headers={"WWW-Authenticate": challenge})


async def _act(request: Request, handler: Handler, action: str) -> Response:
    """Let an admin act, and write down that somebody wanted to; of strangers only as much as the limit allows."""
    try:
        caller = await run_in_threadpool(identified, request)
    except ApiError as error:
        refusal, is_kept = refused_stranger(request, error)
        if is_kept:
            async with written_down(request, act_of(request, action, await _target(request), None)):
                raise refusal from None
        raise refusal from None
    async with written_down(request, act_of(request, action, await _target(request), caller)) as record:
        demand(caller, "admin")
        request.state.caller = caller
        response = await handler(request)
        record.message = orjson.loads(response.body).get("message")
        return response


async def _target(request: Request) -> str:
    """What an act is about: its address as it was asked for, and its body."""
    query = f"?{request.url.query}" if request.url.query else ""
    body = (await request.body()).decode(errors="replace")
    return f"{request.url.path}{query} {body}".strip()


async def _caller(request: Request) -> Caller:  # else it would be called in a thread of its own
    caller: Caller = request.state.caller
    return caller


Asks = Annotated[Caller, Depends(_caller)]
"""The parameter by which an endpoint gets who asks."""
