"""Login, logout, and the static files that every page loads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.access.auditing import audited
from ledger_pipelines.serving.access.sessions import close_session, open_session
from ledger_pipelines.serving.access.tokens import Caller, TokenRefusedError, authenticate
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.request_context import SESSION_COOKIE, RequestContext
from ledger_pipelines.serving.dashboard.routes import PublicPage, RequestContextDep, set_session_cookie
from ledger_pipelines.serving.dashboard.static_files import is_static_file, static_file
from ledger_pipelines.serving.web.errors import ApiError, not_found
from ledger_pipelines.serving.web.request_audit import command_of, refuse_unauthenticated
from ledger_pipelines.warehouse.engine import translate_connection_errors

router = APIRouter(route_class=PublicPage)
_CACHE_FOREVER = "public, max-age=31536000, immutable"


@router.get("/login")
def form(context: RequestContextDep, next: str = "/") -> Response:  # noqa: A002 - name of the query parameter
    """Show the login form."""
    if context.caller is not None:
        return RedirectResponse(_local_path(next), 303)
    return render_page(context, "login.html", next=_local_path(next))


@router.post("/login")
def log_in(
    context: RequestContextDep,
    token: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - as above
) -> Response:
    """Open a session if the token is valid; the reason of a refusal is only written to the audit log."""
    app_context = context.app_context
    try:
        with translate_connection_errors(app_context.warehouse), app_context.autocommit_engine.connect() as connection:
            caller = authenticate(connection, token.strip())
    except TokenRefusedError as error:
        return _refusal_page(context, _local_path(next), str(error))
    with _audited_transaction(context, "POST /login", caller) as connection:
        secret = open_session(connection, caller)
    response = RedirectResponse(_local_path(next), 303)
    set_session_cookie(response, context, secret)
    return response


def _refusal_page(context: RequestContext, next_path: str, reason: str) -> Response:
    app_context, request = context.app_context, context.request
    refusal, is_kept = refuse_unauthenticated(request, ApiError(401, reason))
    if is_kept:
        with audited(app_context.warehouse, command_of(request, "POST /login", None, None)) as record:
            record.outcome, record.message = "refused", refusal.message
    fault = context.translate("access.refused")
    if wait := refusal.headers.get("Retry-After"):
        fault = context.translate("access.too_often", seconds=int(wait))
    response = render_page(context, "login.html", status_code=refusal.status, next=next_path, fault=fault)
    response.headers.update(refusal.headers)
    return response


@contextmanager
def _audited_transaction(context: RequestContext, action: str, caller: Caller) -> Iterator[sa.Connection]:
    """Open a transaction for an action of a known user, recorded in the audit log."""
    warehouse = context.app_context.warehouse
    act = command_of(context.request, action, None, caller)
    with audited(warehouse, act), translate_connection_errors(warehouse), warehouse.begin() as connection:
        yield connection


@router.post("/logout")
def log_out(context: RequestContextDep) -> Response:
    """End the session, if it has not expired."""
    if context.caller is not None:
        with _audited_transaction(context, "POST /logout", context.caller) as connection:
            close_session(connection, context.secret)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(SESSION_COOKIE, secure=context.is_secure, httponly=True, samesite="strict")
    return response


static_router = APIRouter()


@static_router.get("/static/{digest}/{name}", include_in_schema=False)
def static_content(request: Request, digest: str, name: str) -> Response:
    """Serve a static file for permanent caching: its path changes with its content."""
    if not is_static_file(name) or static_file(name).digest != digest:
        raise not_found("There is no such file.")
    file = static_file(name)
    headers = {"Cache-Control": _CACHE_FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.compressed, 200, {**headers, "Content-Encoding": "gzip"}, file.media_type)
    return Response(file.content, 200, headers, file.media_type)


def _local_path(path: str) -> str:
    """Return the path if it is local, else that of the overview: a login must not redirect to another site."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours else "/"
