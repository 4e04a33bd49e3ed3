"""Fake of Dagster's web server: a small HTTP server that answers GraphQL requests as a test sets."""

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
LAUNCHED: dict[str, Any] = {
    "launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "00000000-0000-0000-0000-000000000000"}}
}
REFUSED = {"launchRun": {"__typename": "PythonError", "message": "no such job"}}


@dataclass
class FakeDagster:
    """Fake of Dagster's web server, its response to a launch, and the launches that it received."""

    launch_response: dict[str, Any] | bytes = field(default_factory=lambda: LAUNCHED)
    launched: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, request: dict[str, Any]) -> bytes:
        """Return the body of the response to a GraphQL request."""
        if "runOrError" in request["query"]:
            return json.dumps({"data": _RUNNING}).encode()
        if "launchRun" not in request["query"]:
            return json.dumps({"data": _LOADED}).encode()
        self.launched.append(request["variables"]["parameters"])
        return (
            self.launch_response
            if isinstance(self.launch_response, bytes)
            else json.dumps({"data": self.launch_response}).encode()
        )


@contextmanager
def serve_fake_dagster(port: int) -> Iterator[FakeDagster]:
    """Yield a fake that listens at a port of loopback."""
    fake = FakeDagster()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = fake.reply(request)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
