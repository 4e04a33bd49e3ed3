"""Server that speaks enough TDS 7.4 to answer statements with canned rows; it tests drivers, not SQL."""

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Context, Decimal

_COLLATION = bytes.fromhex("0904d00034")
_DONE = struct.pack("<BHHQ", 0xFD, 0x00, 0xC1, 0)
_FAILED = struct.pack("<BHHQ", 0xFD, 0x02, 0xC1, 0)
_CANCELLED = struct.pack("<BHHQ", 0xFD, 0x20, 0, 0)
_PRELOGIN = bytes.fromhex("00000b0006 0100110001 ff 100003e80000 02")  # SQL Server 16, no encryption
_BROWSER_PORT = 1434
_CALL = 0x03
SILENCE = b""
"""Answer to a statement that never ends."""


class Cut(bytes):
    """Answer that ends too early: the server closes the connection after it."""


class Reset(Cut):
    """Answer that ends too early: the server resets the connection, which may discard it."""


Type = tuple[bytes, Callable[[object], bytes]]
"""Type of a column: its description, and how a value is written."""


def _text(text: str, length: str = "<B") -> bytes:
    return struct.pack(length, len(text)) + text.encode("utf-16-le", "surrogatepass")


def nvarchar(value: object) -> bytes:
    """Return a text as its bytes, lone surrogates included."""
    content = str(value).encode("utf-16-le", "surrogatepass")
    return struct.pack("<H", len(content)) + content


def _decimal(value: object) -> bytes:
    unscaled = int(Decimal(str(value)).scaleb(10, Context(prec=50)))
    return b"\x11" + bytes([unscaled >= 0]) + abs(unscaled).to_bytes(16, "little")


def _in_chunks(content: bytes) -> bytes:
    """Write a value of unlimited length; its chunks split surrogate pairs, as those of a server may."""
    chunks = [content[start : start + 4002] for start in range(0, len(content), 4002)]
    return struct.pack("<Q", len(content)) + b"".join(struct.pack("<I", len(each)) + each for each in chunks) + bytes(4)


def _long_text(value: object) -> bytes:
    return _in_chunks(str(value).encode("utf-16-le", "surrogatepass"))


def _moment(value: object) -> bytes:
    """Write a day, or a day and a time in units of 100 ns."""
    day, time = value if isinstance(value, tuple) else (value, 0)
    return b"\x08" + int(time).to_bytes(5, "little") + int(day).to_bytes(3, "little")


NVARCHAR: Type = (b"\xe7\xa0\x0f" + _COLLATION, nvarchar)
NVARCHAR_4000: Type = (b"\xe7\x40\x1f" + _COLLATION, nvarchar)
NVARCHAR_MAX: Type = (b"\xe7\xff\xff" + _COLLATION, _long_text)
VARCHAR_MAX: Type = (b"\xa7\xff\xff" + _COLLATION, lambda value: _in_chunks(str(value).encode("cp1252")))
VARBINARY_MAX: Type = (b"\xa5\xff\xff", _long_text)
DECIMAL_38_10: Type = (b"\x6a\x11\x26\x0a", _decimal)
MONEY: Type = (
    b"\x6e\x08",
    lambda value: b"\x08" + struct.pack("<iI", *divmod(int(Decimal(str(value)) * 10_000), 1 << 32)),
)
INT: Type = (b"\x26\x04", lambda value: b"\x04" + struct.pack("<i", value))
DATE: Type = (b"\x28", lambda value: b"\x03" + int(str(value)).to_bytes(3, "little"))
DATETIME2: Type = (b"\x2a\x07", _moment)


def result(columns: Mapping[str, Type], *rows: tuple[object, ...], error: bytes = b"") -> bytes:
    """Return the tokens of a result; days are numbered from 0001-01-01 as 0."""
    described = b"".join(struct.pack("<IH", 0, 9) + of[0] + _text(name) for name, of in columns.items())
    written = b"".join(
        b"\xd1" + b"".join(of[1](value) for of, value in zip(columns.values(), row, strict=True)) for row in rows
    )
    return struct.pack("<BH", 0x81, len(columns)) + described + written + error + (_FAILED if error else _DONE)


def error_token(number: int, severity: int, message: str) -> bytes:
    """Return the token of an error of the server."""
    body = struct.pack("<iBB", number, 1, severity) + _text(message, "<H") + _text("fake") + _text("") + bytes(4)
    return struct.pack("<BH", 0xAA, len(body)) + body


def failure(number: int, severity: int, message: str) -> bytes:
    """Return the tokens of a statement that fails."""
    return error_token(number, severity, message) + _FAILED


@dataclass
class TdsServer:
    """Answers of a running server, and the statements that it received.

    Attributes:
        port: Port at the address.
        answers: Tokens of the answer by a pattern of the statement; other statements return no rows.
        statements: Statements that were received.
        reads_only: Whether the latest login asked to read only (`ApplicationIntent=ReadOnly`).
        closed: Set when a client closes its connection.
    """

    port: int
    answers: dict[str, bytes]
    statements: list[str] = field(default_factory=list)
    reads_only: bool = False
    closed: threading.Event = field(default_factory=threading.Event)

    def answer(self, kind: int, body: bytes) -> bytes:
        """Return the answer to a message of a client."""
        if kind == 0x12:
            return _PRELOGIN
        if kind == 0x10:
            self.reads_only = bool(body[26] & 0x20)
            acknowledged = b"\x01\x74\x00\x00\x04" + _text("fake") + b"\x10\x00\x03\xe8"
            return struct.pack("<BH", 0xAD, len(acknowledged)) + acknowledged + _DONE
        if kind == 0x06:
            return _CANCELLED
        content = body[struct.unpack_from("<I", body)[0] :]
        # A call with parameters mixes texts with numbers; its texts are ASCII, each character followed by a zero.
        called = content.replace(b"\0", b"").decode("latin-1")
        statement = called if kind == _CALL else content.decode("utf-16-le")
        self.statements.append(statement)
        return next((tokens for pattern, tokens in self.answers.items() if re.search(pattern, statement)), _DONE)


@contextmanager
def running(answers: dict[str, bytes], address: str = "127.0.0.1") -> Iterator[TdsServer]:
    """Run a server until the context ends."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            body = b""
            while header := self.rfile.read(8):
                body += self.rfile.read(int.from_bytes(header[2:4], "big") - 8)
                if header[1] & 1:
                    tokens, body = made.answer(header[0], body), b""
                    for start in range(0, len(tokens), 4000):
                        part = tokens[start : start + 4000]
                        last = start + 4000 >= len(tokens) and not isinstance(tokens, Cut)
                        self.wfile.write(struct.pack(">BBHHBB", 4, last, len(part) + 8, 51, 1, 0) + part)
                    if isinstance(tokens, Reset):
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        self.connection.close()
                    if isinstance(tokens, Cut):
                        break
            made.closed.set()

    with socketserver.ThreadingTCPServer((address, 0), Handler) as server:
        server.daemon_threads = True
        made = TdsServer(server.server_address[1], answers)
        with _serving(server):
            yield made


@contextmanager
def running_browser(address: str, port: int) -> Iterator[None]:
    """Answer every question for the port of an instance, as SQL Server Browser does, until the context ends."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, connection = self.request
            name = question[1:].rstrip(b"\0").decode()
            answer = f"ServerName;ERP;InstanceName;{name};IsClustered;No;Version;16.0.1000.6;tcp;{port};;".encode()
            connection.sendto(b"\x05" + struct.pack("<H", len(answer)) + answer, self.client_address)

    with socketserver.UDPServer((address, _BROWSER_PORT), Handler) as server, _serving(server):
        yield


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Serve in a thread until the context ends."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
