"""Route classes of the pages: request context, access control, audit log, and errors as pages.

`GuardedPage` requires a login. For requests that change something it also requires a form of our own pages and the role
admin, and records the request in the audit log, even if it is refused. A new page is therefore protected by default.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from ledger_pipelines.serving.access.sessions import SESSION_HOURS, verify_form_token
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.request_context import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    RequestContext,
    load_request_context,
    negotiate_language,
)
from ledger_pipelines.serving.dashboard.translations import Translator
from ledger_pipelines.serving.dashboard.translations.formats import Formats
from ledger_pipelines.serving.web.context import AppContext
from ledger_pipelines.serving.web.errors import ApiError, to_api_error
from ledger_pipelines.serving.web.guarded_route import SAFE_METHODS
from ledger_pipelines.serving.web.request_audit import audited_request, command_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_YEAR_SECONDS = 365 * 24 * 3600
_FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field
_KNOWN_ERRORS = (403, 404, 409, 422, 429, 503)


class PublicPage(APIRoute):
    """Route of a page that needs no login, such as the login page."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "include_in_schema": False, "response_model": None})

    def get_route_handler(self) -> Handler:
        """Return a handler that answers errors with pages."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            context: RequestContext | None = None
            try:
                context = await run_in_threadpool(load_request_context, request)
                request.state.context = context
                response = await self._respond(context, handler)
            except Exception as error:  # rendered as a page, or raised again
                api_error = to_api_error(error)
                if api_error.status == 500:
                    raise
                response = _error_page(context or _anonymous_context(request), api_error)
            return _with_cookies(response, context)

        return handle

    async def _respond(self, context: RequestContext, handler: Handler) -> Response:
        request = context.request
        if request.method not in SAFE_METHODS:
            await _require_own_form(context)
        return await handler(request)


class GuardedPage(PublicPage):
    """Route of a page that requires a login."""

    async def _respond(self, context: RequestContext, handler: Handler) -> Response:
        request = context.request
        if context.caller is None:
            return _redirect_to_login(request)
        if request.method in SAFE_METHODS:
            return await handler(request)
        return await self._respond_audited(context, handler)

    async def _respond_audited(self, context: RequestContext, handler: Handler) -> Response:
        """Run a request that changes something, for administrators only; record it in the audit log."""
        request = context.request
        act = command_of(request, f"{request.method} {self.path}", await _target(request), context.caller)
        async with audited_request(request, act):
            await _require_own_form(context)
            require_admin(context)
            return await handler(request)


async def answer_unknown_path(request: Request, error: Exception) -> Response:
    """Answer a path without a route: with a page for browsers, with JSON for programs and below `/api/`."""
    api_error = to_api_error(error)
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if not wants_page:
        return api_error.to_response()
    try:
        context = await run_in_threadpool(load_request_context, request)
    except Exception as cause:  # the user cannot be identified; an error of the server is raised again
        if to_api_error(cause).status == 500:
            raise
        context = _anonymous_context(request)
    unknown_page = ApiError(api_error.status, context.translate.plain("site.page_not_found"), headers=api_error.headers)
    return _with_cookies(_error_page(context, unknown_page), context)


def require_admin(context: RequestContext) -> None:
    """Require the role admin.

    Raises:
        ApiError: The user is not an administrator.
    """
    if not context.is_admin:
        raise ApiError(403, context.translate.plain("site.need_admin"))


def _request_context(request: Request) -> RequestContext:
    context: RequestContext = request.state.context
    return context


RequestContextDep = Annotated[RequestContext, Depends(_request_context)]
"""Parameter type of pages for their request context."""


async def _require_own_form(context: RequestContext) -> None:
    """Require that a form comes from one of our pages in this browser.

    Raises:
        ApiError: The form token is wrong, or another site sent the form.
    """
    request = context.request
    given = (await request.form()).get(_FORM_TOKEN, "")
    elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    ours = isinstance(given, str) and any(verify_form_token(secret, given) for secret in context.browser_secrets)
    if elsewhere or not ours:
        raise ApiError(403, context.translate.plain("site.stale_form"))


async def _target(request: Request) -> str:
    """Return the path and the form fields of a request, for the audit log."""
    fields = [f"{name}={value}" for name, value in (await request.form()).multi_items() if name != _FORM_TOKEN]
    return f"{request.url.path} {' '.join(fields)}".strip()


def _redirect_to_login(request: Request) -> Response:
    if request.url.path.startswith("/fragments/"):
        return Response(status_code=401)
    next_path = request.url.path if request.method == "GET" else "/"
    query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
    return RedirectResponse(f"/login?next={quote(next_path + query, safe='')}", 303)


def _anonymous_context(request: Request) -> RequestContext:
    """Return a context without a user, for when the warehouse does not answer."""
    language = negotiate_language(request)
    app_context: AppContext = request.app.state.app_context
    formats = Formats(language, app_context.settings.zone)
    return RequestContext(request, app_context, None, "", ("",), Translator(language), formats)


def _error_page(context: RequestContext, api_error: ApiError) -> Response:
    heading = context.translate(f"site.error_{api_error.status if api_error.status in _KNOWN_ERRORS else 'other'}")
    in_english = context.translate.language != "en" and api_error.status not in (403, 404, 405)
    response = render_page(
        context,
        "error.html",
        status_code=api_error.status,
        heading=heading,
        message=api_error.message,
        in_english=in_english,
    )
    response.headers.update(api_error.headers)
    return response


def _with_cookies(response: Response, context: RequestContext | None) -> Response:
    """Set the language cookie if the request selects a language, and the form cookie if the browser has no secret."""
    if context is None:
        return response
    if context.requested_language is not None:
        response.set_cookie(
            LANGUAGE_COOKIE,
            context.requested_language,
            _YEAR_SECONDS,
            secure=context.is_secure,
            httponly=True,
            samesite="lax",
        )
    if context.needs_form_cookie:
        # Not the session cookie: a link from another site comes without it, and overwriting it would end the session.
        _set_secret_cookie(response, context, FORM_COOKIE, context.secret, samesite="lax")
    return response


def set_session_cookie(response: Response, context: RequestContext, secret: str) -> None:
    """Store a session's secret in the browser, hidden from scripts and from requests of other sites."""
    _set_secret_cookie(response, context, SESSION_COOKIE, secret, samesite="strict")


def _set_secret_cookie(
    response: Response, context: RequestContext, name: str, secret: str, *, samesite: Literal["lax", "strict"]
) -> None:
    response.set_cookie(name, secret, SESSION_HOURS * 3600, secure=context.is_secure, httponly=True, samesite=samesite)
