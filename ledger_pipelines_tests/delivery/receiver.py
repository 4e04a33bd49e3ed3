"""A web server that receives alerts, and answers as a test wants it to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "whoever-knows-this-may-sign"  # noqa: S105 - of the tests' own server


@dataclass(frozen=True)
class Received:
    """A message as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A running server.

    Attributes:
        answers: What it answers to the next messages, then always 200. A status; "silence": nothing, until the server
            ends; "hang up": nothing; "drip": a byte of a header now and then; a URL: a redirect.
        received: The messages.
    """

    port: int = 0
    answers: list[int | str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens, with what a real URL may have."""
        return f"http://127.0.0.1:{self.port}/alerts?of=balances"


class _Server(ThreadingHTTPServer):
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Take a message down, and answer."""
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
        """Say nothing on stderr."""


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A server of its own on loopback."""
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
