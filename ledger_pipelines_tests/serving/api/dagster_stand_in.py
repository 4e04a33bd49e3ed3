"""A stand-in for Dagster's web server: a small HTTP server that answers its GraphQL, or does not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_LOADED = {
    "workspaceOrError": {
        "__typename": "Workspace",
        "locationEntries": [
            {"name": "ledger", "loadStatus": "LOADED", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        ],
    }
}
_RUNNING = {"runOrError": {"status": "STARTED"}}
TAKEN: dict[str, Any] = {
    "launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "00000000-0000-0000-0000-000000000000"}}
}
REFUSED = {"launchRun": {"__typename": "PythonError", "message": "no such job"}}


@dataclass
class StandIn:
    """What it was asked to launch, and what it answers to that."""

    answer: dict[str, Any] | bytes = field(default_factory=lambda: TAKEN)
    launched: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, asked: dict[str, Any]) -> bytes:
        """The body that answers a query."""
        if "runOrError" in asked["query"]:
            return json.dumps({"data": _RUNNING}).encode()
        if "launchRun" not in asked["query"]:
            return json.dumps({"data": _LOADED}).encode()
        self.launched.append(asked["variables"]["parameters"])
        return self.answer if isinstance(self.answer, bytes) else json.dumps({"data": self.answer}).encode()


@contextmanager
def stand_in(port: int) -> Iterator[StandIn]:
    """A stand-in at a port of loopback."""
    made = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = made.reply(asked)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
