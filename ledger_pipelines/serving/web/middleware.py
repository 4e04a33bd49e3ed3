"""Middleware for every request: security headers, a body size limit, and the response to unexpected errors."""

import logging
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger_pipelines.serving.web.errors import ApiError, to_api_error

MAX_BODY_BYTES = 65_536
_TOO_LARGE = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
_logger = logging.getLogger(__name__)

SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Default headers of every response; a header that a route sets takes precedence."""

_TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}


class OutermostMiddleware:
    """Middleware that adds the security headers, and logs unexpected errors and answers them with 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                defaults = {**SECURITY_HEADERS, **_TLS_ONLY} if scope["scheme"] == "https" else SECURITY_HEADERS
                for name, value in defaults.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            _logger.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            await to_api_error(error).to_response()(scope, receive, send_with_headers)


class BodyLimitMiddleware:
    """Middleware that refuses bodies above the limit, by `Content-Length` or by the bytes received."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > MAX_BODY_BYTES:
            await ApiError(413, _TOO_LARGE).to_response()(scope, receive, send)
            return
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, receive_bounded, send)
