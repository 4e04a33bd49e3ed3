"""Logging in and out, and the files that every page loads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.access.auditing import audited
from ledger_pipelines.serving.access.sessions import close_session, open_session
from ledger_pipelines.serving.access.tokens import Caller, TokenRefusedError, authenticate
from ledger_pipelines.serving.api.acting import act_of, refused_stranger
from ledger_pipelines.serving.api.errors import ApiError, not_found
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import OpenPage, Visited, keep_session
from ledger_pipelines.serving.dashboard.static_files import is_known, static_file
from ledger_pipelines.serving.dashboard.visit import SESSION_COOKIE, Visit
from ledger_pipelines.warehouse.engine import reachable

router = APIRouter(route_class=OpenPage)
_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/login")
def form(visit: Visited, next: str = "/") -> Response:  # noqa: A002 - the name of the parameter
    """The form for logging in."""
    if visit.caller is not None:
        return RedirectResponse(_inside(next), 303)
    return page(visit, "login.html", next=_inside(next))


@router.post("/login")
def log_in(
    visit: Visited,
    token: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - as above
) -> Response:
    """Open a session, if the token is valid; why it is not stays between us and the audit log."""
    parts = visit.parts
    try:
        with reachable(parts.warehouse), parts.at_once.connect() as connection:
            caller = authenticate(connection, token.strip())
    except TokenRefusedError as error:
        return _refused(visit, _inside(next), str(error))
    with _writing(visit, "POST /login", caller) as connection:
        secret = open_session(connection, caller)
    response = RedirectResponse(_inside(next), 303)
    keep_session(response, visit, secret)
    return response


def _refused(visit: Visit, next_path: str, reason: str) -> Response:
    parts, request = visit.parts, visit.request
    refusal, is_kept = refused_stranger(request, ApiError(401, reason))
    if is_kept:
        with audited(parts.warehouse, act_of(request, "POST /login", None, None)) as record:
            record.outcome, record.message = "refused", refusal.message
    fault = visit.words("access.refused")
    if wait := refusal.headers.get("Retry-After"):
        fault = visit.words("access.too_often", seconds=int(wait))
    response = page(visit, "login.html", status_code=refusal.status, next=next_path, fault=fault)
    response.headers.update(refusal.headers)
    return response


@contextmanager
def _writing(visit: Visit, action: str, caller: Caller) -> Iterator[sa.Connection]:
    """A transaction for what somebody does who is known, which is written down."""
    warehouse = visit.parts.warehouse
    act = act_of(visit.request, action, None, caller)
    with audited(warehouse, act), reachable(warehouse), warehouse.begin() as connection:
        yield connection


@router.post("/logout")
def log_out(visit: Visited) -> Response:
    """End the session, if it has not ended by itself."""
    if visit.caller is not None:
        with _writing(visit, "POST /logout", visit.caller) as connection:
            close_session(connection, visit.secret)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(SESSION_COOKIE, secure=visit.is_secure, httponly=True, samesite="strict")
    return response


static = APIRouter()


@static.get("/static/{digest}/{name}", include_in_schema=False)
def static_content(request: Request, digest: str, name: str) -> Response:
    """A file, for ever: its address changes with its content."""
    if not is_known(name) or static_file(name).digest != digest:
        raise not_found("There is no such file.")
    file = static_file(name)
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.compressed, 200, {**headers, "Content-Encoding": "gzip"}, file.media_type)
    return Response(file.content, 200, headers, file.media_type)


def _inside(path: str) -> str:
    """The path, if it is one of ours; else the overview: nobody is led elsewhere by logging in."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours else "/"
