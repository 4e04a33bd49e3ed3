"""Guard: middleware around Dagster's application that refuses requests by the rules."""

import logging
import time
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ledger_pipelines.serving.dagster_ui.rules import AccessRules, Refusal, Rule

#: Below Dagster's own logger, so that lines have the same format and destination.
LOGGER = "dagster-webserver.guard"
#: A page that retries must not fill the log or the terminal, which shows warnings.
QUIET_SECONDS = 60.0

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_logger = logging.getLogger(LOGGER)


class Guard:
    """Middleware that answers refused requests and handshakes with 403, and forbids other origins to frame pages."""

    def __init__(self, app: ASGIApp, rules: AccessRules, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._rules = rules
        self._clock = clock
        self._logged: dict[Rule, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it to Dagster's application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if refusal := self._rules.refusal(HTTPConnection(scope)):
            self._log(refusal)
            # Closing the handshake makes uvicorn send 403; denying it with a text would make uvicorn log an error.
            is_http = scope["type"] == "http"
            response = PlainTextResponse(f"{refusal.sentence}\n", 403, _HEADERS) if is_http else WebSocketClose()
            await response(scope, receive, send)
            return

        async def send_unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("Content-Security-Policy", "frame-ancestors 'self'")
                headers.append("X-Frame-Options", "SAMEORIGIN")
            await send(message)

        await self._app(scope, receive, send_unframed)

    def _log(self, refusal: Refusal) -> None:
        """Log a refusal as a warning, at most one per rule and minute."""
        now = self._clock()
        if now - self._logged.get(refusal.rule, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._logged[refusal.rule] = now
            _logger.warning("%s", refusal.sentence)
