"""What happens to every request: headers that protect, a bound for its body, an answer to faults of ours."""

import logging
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger_pipelines.serving.api.errors import ApiError, told_of

MOST_BODY_BYTES = 65_536
_TOO_LARGE = f"The body is larger than {MOST_BODY_BYTES:,} bytes."
_logger = logging.getLogger(__name__)

PROTECTING: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Headers of every answer that has none of its own by that name."""

_TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}


class Outermost:
    """Adds the headers that protect, and answers faults of ours, which are logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_protected(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                wanted = {**PROTECTING, **_TLS_ONLY} if scope["scheme"] == "https" else PROTECTING
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_protected)
        except Exception as error:
            _logger.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            await told_of(error).answer()(scope, receive, send_protected)


class BoundedBody:
    """Refuses bodies that are too large, by what they say or by what they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "0")
        if not said.isdecimal() or int(said) > MOST_BODY_BYTES:
            await ApiError(413, _TOO_LARGE).answer()(scope, receive, send)
            return
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MOST_BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, receive_bounded, send)
