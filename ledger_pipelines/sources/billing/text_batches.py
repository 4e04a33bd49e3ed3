"""Reader of many rows of the billing application: batches of text columns, as the server sends the values.

Numbers and timestamps travel as text, so every digit stays as it is, and no Python object is made of a value that is
only passed on. The rows of a batch that need it get the values that a row-by-row read returns (`TextBatch.rows`).
The statement runs in a thread of its own; it can be cancelled, and a server that hangs ends it with an error.
"""

import asyncio
import inspect
import os
import socket
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import asyncmy.connection
import asyncmy.converters
import asyncmy.cursors
import asyncmy.errors
import psycopg
import pyarrow as pa
import pymysql.converters
import sqlalchemy as sa
from psycopg.pq import Format
from psycopg.types.string import TextLoader
from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy

from ledger_pipelines.sources.prefetch import prefetch

_CANCEL_SECONDS = 5
#: Encoders of parameters only: without decoders, asyncmy returns every value as text.
_TEXT_ONLY = {key: encode for key, encode in asyncmy.converters.conversions.items() if not isinstance(key, int)}

_ASYNCMY_OPTIONS = inspect.signature(asyncmy.connection.connect).parameters.keys() - {"autocommit", "conv"}
#: Errors of the drivers, and of SQLAlchemy around one of them.
DRIVER_ERRORS = (sa.exc.DBAPIError, psycopg.Error, asyncmy.errors.Error, OSError)

Convert = Callable[[str], Any]
T = TypeVar("T")


@dataclass(frozen=True)
class TextBatch:
    """Rows of a statement, column by column.

    Attributes:
        columns: The values as text; NULL is null.
        converters: For each column, the function that makes the row-by-row value of a text; None: the text itself.
    """

    columns: pa.RecordBatch
    converters: Sequence[Convert | None]

    def __len__(self) -> int:
        return len(self.columns)

    def rows(self, which: pa.Array | None = None) -> list[Mapping[str, Any]]:
        """Return all rows, or those at these positions, with the values that a row-by-row read returns."""
        picked = self.columns if which is None else self.columns.take(which)
        values = [
            [value if value is None or convert is None else convert(value) for value in column.to_pylist()]
            for column, convert in zip(picked.columns, self.converters, strict=True)
        ]
        names = picked.schema.names
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


class _Stream(Protocol):
    """Running statement whose rows are read in batches, and that another thread can cancel."""

    def batches(self, chunk_rows: int) -> Iterator[TextBatch]: ...

    def cancel(self) -> None: ...


def can_read(engine: sa.Engine) -> bool:
    """Return whether rows can be read as batches of text with the engine's driver and the options in its URL."""
    driver = engine.dialect.driver
    return driver in _STREAMS and (driver != "pymysql" or _asyncmy_arguments(engine.url).keys() <= _ASYNCMY_OPTIONS)


def read_batches(
    engine: sa.Engine, statement: sa.Select[Any], chunk_rows: int, statement_seconds: int
) -> Generator[TextBatch]:
    """Yield the rows of a statement in batches, one batch in advance.

    Args:
        engine: Engine of a source for which `can_read` is true.
        statement: The statement.
        chunk_rows: Number of rows in a batch.
        statement_seconds: Time limit for the first batch, and for each further one.

    Raises:
        StatementTimeoutError: the server exceeded the time limit.
        Exception: any error of the driver.
    """
    stream = _STREAMS[engine.dialect.driver](engine, statement)
    with closing(prefetch(lambda: stream.batches(chunk_rows), stream.cancel, statement_seconds)) as batches:
        yield from batches


def _asyncmy_arguments(url: sa.URL) -> dict[str, Any]:
    """Return the arguments for asyncmy of a URL for PyMySQL."""
    _, arguments = MySQLDialect_asyncmy().create_connect_args(url)
    return {"charset": "utf8mb4", **arguments}


def _batch(
    names: Sequence[str], rows: Sequence[Sequence[str | None]], converters: Sequence[Convert | None]
) -> TextBatch:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return TextBatch(pa.RecordBatch.from_arrays(columns, names=list(names)), converters)


def _rendered(engine: sa.Engine, statement: sa.Select[Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the SQL text of a statement for the driver, and its parameters."""
    compiled = statement.compile(engine, compile_kwargs={"render_postcompile": True})
    return str(compiled), compiled.params


def _processors(dialect: sa.Dialect, statement: sa.Select[Any], codes: Sequence[int]) -> list[Convert | None]:
    """Return SQLAlchemy's own conversion of each column, after the driver's."""
    types = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
    return [of_column.result_processor(dialect, code) for of_column, code in zip(types, codes, strict=True)]


def _chain(first: Convert | None, second: Convert | None) -> Convert | None:
    if first is None or second is None:
        return first or second
    return lambda text: second(first(text))


class _PsycopgStream:
    """Statement of PostgreSQL in a server-side cursor."""

    def __init__(self, engine: sa.Engine, statement: sa.Select[Any]) -> None:
        self._engine = engine
        self._statement = statement
        self._connection: psycopg.Connection[Any] | None = None

    def batches(self, chunk_rows: int) -> Iterator[TextBatch]:
        with self._engine.begin() as connection:
            driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
            self._connection = driver
            try:
                with driver.cursor(name="ledger_rows") as cursor:
                    for info in psycopg.adapters.types:
                        cursor.adapters.register_loader(info.oid, TextLoader)
                    cursor.execute(*_rendered(self._engine, self._statement))
                    description = cursor.description or []
                    converters = self._converters(driver, [column.type_code for column in description])
                    while rows := cursor.fetchmany(chunk_rows):
                        yield _batch([column.name for column in description], rows, converters)
            finally:
                self._connection = None
                if driver.closed:
                    connection.invalidate()

    def _converters(self, driver: "psycopg.Connection[Any]", codes: Sequence[int]) -> list[Convert | None]:
        text_loader = driver.adapters.get_loader(driver.adapters.types["text"].oid, Format.TEXT)
        loads: list[Convert | None] = []
        for code in codes:
            loader = driver.adapters.get_loader(code, Format.TEXT)
            loads.append(
                None
                if loader is None or loader is text_loader
                else _load_with(loader(code, driver), driver.info.encoding)
            )
        after = _processors(self._engine.dialect, self._statement, codes)
        return list(map(_chain, loads, after))

    def cancel(self) -> None:
        if (connection := self._connection) is None:
            return
        try:
            connection.cancel_safe(timeout=_CANCEL_SECONDS)
        except psycopg.Error:  # the server hangs or is gone; without its connection, the thread that waits for it ends
            with socket.socket(fileno=os.dup(connection.fileno())) as connected:
                connected.shutdown(socket.SHUT_RDWR)


def _load_with(loader: "psycopg.abc.Loader", encoding: str) -> Convert:
    return lambda text: loader.load(text.encode(encoding))


class _AsyncmyStream:
    """Statement of MySQL or MariaDB, read by asyncmy with the engine's address and login."""

    def __init__(self, engine: sa.Engine, statement: sa.Select[Any]) -> None:
        self._engine = engine
        self._statement = statement
        self._task: asyncio.Task[Any] | None = None

    def batches(self, chunk_rows: int) -> Iterator[TextBatch]:
        with asyncio.Runner() as runner:
            connection = self._run(runner, self._connect(conv=_TEXT_ONLY))
            ended = False
            try:
                yield from self._read(runner, connection.cursor(asyncmy.cursors.SSCursor), chunk_rows)
                ended = True
            finally:
                connection.close()
                if not ended:
                    self._kill(runner, connection.thread_id())

    def _read(self, runner: asyncio.Runner, cursor: Any, chunk_rows: int) -> Iterator[TextBatch]:
        self._run(runner, cursor.execute("SET SESSION TRANSACTION READ ONLY"))
        self._run(runner, cursor.execute(*_rendered(self._engine, self._statement)))
        names = [column[0] for column in cursor.description]
        converters = self._converters([column[1] for column in cursor.description])
        while rows := self._run(runner, self._fetch(cursor, chunk_rows)):
            yield _batch(names, rows, converters)

    @staticmethod
    async def _fetch(cursor: Any, chunk_rows: int) -> Sequence[Sequence[str | None]]:
        """Fetch rows, and receive no others meanwhile: asyncmy would buffer what a slow consumer does not take yet."""
        transport = cursor.connection._transport
        transport.resume_reading()
        try:
            rows: Sequence[Sequence[str | None]] = await cursor.fetchmany(chunk_rows)
        finally:
            transport.pause_reading()
        return rows

    def _run(self, runner: asyncio.Runner, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that `cancel` can end from another thread."""
        loop = runner.get_loop()
        self._task = task = loop.create_task(coroutine)
        return loop.run_until_complete(task)

    async def _connect(self, **options: Any) -> Any:
        return await asyncmy.connect(autocommit=True, **_asyncmy_arguments(self._engine.url), **options)

    def _converters(self, codes: Sequence[int]) -> list[Convert | None]:
        """Return the conversions of PyMySQL, which reads the same columns row by row."""
        decoders = [pymysql.converters.decoders.get(code) for code in codes]
        loads = [None if decode is pymysql.converters.through else decode for decode in decoders]
        after = _processors(self._engine.dialect, self._statement, codes)
        return list(map(_chain, loads, after))

    def cancel(self) -> None:
        if (task := self._task) is not None and not task.done():
            task.get_loop().call_soon_threadsafe(task.cancel)

    def _kill(self, runner: asyncio.Runner, thread_id: int) -> None:
        """Ask the server to end the statement; otherwise it would end only when it next sends a row."""

        async def kill() -> None:
            connection = await self._connect()
            try:
                await connection.kill(thread_id)
            finally:
                connection.close()

        with suppress(Exception):  # best effort: the server may be gone or hang
            runner.run(asyncio.wait_for(kill(), _CANCEL_SECONDS))


_STREAMS: Mapping[str, Callable[[sa.Engine, sa.Select[Any]], _Stream]] = {
    "psycopg": _PsycopgStream,
    "pymysql": _AsyncmyStream,
}
