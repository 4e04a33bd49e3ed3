"""What stands before every page: who visits, whether they may, and how an error becomes a page.

A page needs somebody logged in; a form that does something needs, besides, to come from one of our own pages and a
visitor who may act, and leaves a row in the audit log, also when it is refused. So a new page is guarded before anybody
thinks of it.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from ledger_pipelines.serving.access.sessions import HOURS, belongs
from ledger_pipelines.serving.api.acting import act_of, written_down
from ledger_pipelines.serving.api.errors import ApiError, told_of
from ledger_pipelines.serving.api.guard import SAFE_METHODS
from ledger_pipelines.serving.dashboard.formats import Formats
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.visit import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    Visit,
    language_of,
    visit_of,
)
from ledger_pipelines.serving.dashboard.words import Words

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_YEAR_SECONDS = 365 * 24 * 3600
_FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field
_KNOWN_ERRORS = (403, 404, 409, 422, 429, 503)


class OpenPage(APIRoute):
    """A page for whoever comes, such as the one for logging in."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "include_in_schema": False, "response_model": None})

    def get_route_handler(self) -> Handler:
        """What answers a request, with errors as pages."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            visit: Visit | None = None
            try:
                visit = await run_in_threadpool(visit_of, request)
                request.state.visit = visit
                response = await self._answer(visit, handler)
            except Exception as error:  # whatever it is becomes a page, or is raised again
                told = told_of(error)
                if told.status == 500:
                    raise
                response = _error_page(visit or _stranger(request), told)
            return _with_cookies(response, visit)

        return answered

    async def _answer(self, visit: Visit, handler: Handler) -> Response:
        request = visit.request
        if request.method not in SAFE_METHODS:
            await _see_that_it_is_ours(visit)
        return await handler(request)


class GuardedPage(OpenPage):
    """A page for who is logged in."""

    async def _answer(self, visit: Visit, handler: Handler) -> Response:
        request = visit.request
        if visit.caller is None:
            return _to_log_in(request)
        if request.method in SAFE_METHODS:
            return await handler(request)
        return await self._act(visit, handler)

    async def _act(self, visit: Visit, handler: Handler) -> Response:
        """Let an administrator act, and write down that somebody wanted to."""
        request = visit.request
        act = act_of(request, f"{request.method} {self.path}", await _target(request), visit.caller)
        async with written_down(request, act):
            await _see_that_it_is_ours(visit)
            demand_admin(visit)
            return await handler(request)


async def lost(request: Request, error: Exception) -> Response:
    """What is answered at an address that is none: to a browser a page, to programs and below the API's JSON."""
    told = told_of(error)
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if not wants_page:
        return told.answer()
    try:
        visit = await run_in_threadpool(visit_of, request)
    except Exception as away:  # whatever it is, who visits cannot be told; a fault of ours is raised again
        if told_of(away).status == 500:
            raise
        visit = _stranger(request)
    page_told = ApiError(told.status, visit.words.plain("site.lost"), headers=told.headers)
    return _with_cookies(_error_page(visit, page_told), visit)


def demand_admin(visit: Visit) -> None:
    """See that the visitor may act.

    Raises:
        ApiError: only reading is allowed.
    """
    if not visit.may_act:
        raise ApiError(403, visit.words.plain("site.need_admin"))


def _visit(request: Request) -> Visit:
    visit: Visit = request.state.visit
    return visit


Visited = Annotated[Visit, Depends(_visit)]
"""The parameter by which a page learns who looks at it."""


async def _see_that_it_is_ours(visit: Visit) -> None:
    """See that a form was filled in on one of our pages, by this browser.

    Raises:
        ApiError: it was not.
    """
    request = visit.request
    given = (await request.form()).get(_FORM_TOKEN, "")
    elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    ours = isinstance(given, str) and any(belongs(secret, given) for secret in visit.shown)
    if elsewhere or not ours:
        raise ApiError(403, visit.words.plain("site.stale_form"))


async def _target(request: Request) -> str:
    """What an act is about: its address, and what was filled in."""
    fields = [f"{name}={value}" for name, value in (await request.form()).multi_items() if name != _FORM_TOKEN]
    return f"{request.url.path} {' '.join(fields)}".strip()


def _to_log_in(request: Request) -> Response:
    if request.url.path.startswith("/fragments/"):
        return Response(status_code=401)
    next_path = request.url.path if request.method == "GET" else "/"
    query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
    return RedirectResponse(f"/login?next={quote(next_path + query, safe='')}", 303)


def _stranger(request: Request) -> Visit:
    """A visitor of whom nothing can be known, because the warehouse is away."""
    language, parts = language_of(request), request.app.state.parts
    return Visit(request, parts, None, "", ("",), Words(language), Formats(language, parts.settings.zone))


def _error_page(visit: Visit, told: ApiError) -> Response:
    heading = visit.words(f"site.error_{told.status if told.status in _KNOWN_ERRORS else 'other'}")
    foreign = visit.words.language != "en" and told.status not in (403, 404, 405)
    response = page(
        visit, "error.html", status_code=told.status, heading=heading, message=told.message, foreign=foreign
    )
    response.headers.update(told.headers)
    return response


def _with_cookies(response: Response, visit: Visit | None) -> Response:
    """The answer, with what the browser is to keep: the language if it was chosen, a secret for its first form."""
    if visit is None:
        return response
    if visit.chosen_language is not None:
        response.set_cookie(
            LANGUAGE_COOKIE, visit.chosen_language, _YEAR_SECONDS, secure=visit.is_secure, httponly=True, samesite="lax"
        )
    if visit.is_new:
        # Never the session's cookie: a link from another site comes without it, and must not end the session.
        _keep(response, visit, FORM_COOKIE, visit.secret, samesite="lax")
    return response


def keep_session(response: Response, visit: Visit, secret: str) -> None:
    """Let the browser keep a session's secret: no script reads it, and no other site's request carries it."""
    _keep(response, visit, SESSION_COOKIE, secret, samesite="strict")


def _keep(response: Response, visit: Visit, name: str, secret: str, *, samesite: Literal["lax", "strict"]) -> None:
    response.set_cookie(name, secret, HOURS * 3600, secure=visit.is_secure, httponly=True, samesite=samesite)
