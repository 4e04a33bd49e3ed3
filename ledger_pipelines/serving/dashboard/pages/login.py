"""Logging in and out, and the files that every page loads."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.access.sessions import close_session, open_session
from ledger_pipelines.serving.access.tokens import TokenRefusedError
from ledger_pipelines.serving.api.acting import address_of
from ledger_pipelines.serving.api.errors import not_found
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
    """Open a session, if the token is valid; why it is not stays between us and the log."""
    parts = visit.parts
    try:
        with reachable(parts.warehouse), parts.warehouse.begin() as connection:
            secret = open_session(connection, token.strip())
    except TokenRefusedError:
        return _refused(visit, _inside(next))
    response = RedirectResponse(_inside(next), 303)
    keep_session(response, visit, secret)
    return response


def _refused(visit: Visit, next_path: str) -> Response:
    if wait := visit.parts.failures.failed(address_of(visit.request)).wait_seconds:
        fault = visit.words("access.too_often", seconds=wait)
        response = page(visit, "login.html", status_code=429, next=next_path, fault=fault)
        response.headers["Retry-After"] = str(wait)
        return response
    return page(visit, "login.html", status_code=401, next=next_path, fault=visit.words("access.refused"))


@router.post("/logout")
def log_out(visit: Visited) -> Response:
    """End the session."""
    parts = visit.parts
    with reachable(parts.warehouse), parts.warehouse.begin() as connection:
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
