"""Web server that receives messages of a webhook and answers as a test requires."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "a-secret-key-for-signatures"  # noqa: S105 - of the tests' own server


@dataclass(frozen=True)
class Received:
    """Message as received."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Running server.

    Attributes:
        port: Port of the server.
        answers: Answers to the next messages; 200 if empty. A number is a status, a URL a redirect. "silence" sends no
            answer until the server ends, "hang up" closes the connection, "drip" sends a byte of a header now and then.
        received: The received messages.
        closing: Set when the server ends.
    """

    port: int = 0
    answers: list[int | str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """URL of the server, with a path and a query."""
        return f"http://127.0.0.1:{self.port}/alerts?of=balances"


class _Server(ThreadingHTTPServer):
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Record a message and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver = self.server.receiver
        receiver.received.append(Received(self.path, headers, body))
        answer = receiver.answers.pop(0) if receiver.answers else 200
        if answer == "silence":
            receiver.closing.wait(60)
        elif answer == "drip":
            self._drip(receiver)
        elif answer != "hang up":
            self._answer(answer)

    def _answer(self, answer: int | str) -> None:
        self.send_response(answer if isinstance(answer, int) else 307)
        if isinstance(answer, str):
            self.send_header("Location", answer)
        self.end_headers()
        self.wfile.write(b"what the \x00receiver\n says")

    def _drip(self, receiver: Receiver) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        with suppress(OSError):
            while not receiver.closing.wait(0.1):
                self.wfile.write(b"x")

    def log_message(self, *_: object) -> None:
        """Log nothing to stderr."""


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Yield a server of its own on loopback."""
    made = Receiver()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.receiver, made.port = made, server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
