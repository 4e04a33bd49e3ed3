"""Reading the ERP: six tables and views of any SQLAlchemy URL, SQL Server by pyodbc in production.

A table is read in one pass: one connection, one snapshot where the server has such, read-only where the server sees to
it (SQL Server does not: there the login's rights keep us from writing). First the fingerprints of its days, which tell
what differs from the copy, then the rows of some days, in chunks of what the driver gives. An ERP that cannot be read
is an error, never an empty table.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any, TypeVar

import sqlalchemy as sa

from ledger_pipelines.sources import erp_pymssql
from ledger_pipelines.sources.erp_errors import (
    SnapshotRefusedError,
    SourceInterruptedError,
    SourceUnreachableError,
    explained,
    half_a_character,
    place,
    silent,
    words_of,
)
from ledger_pipelines.sources.erp_session import Handover, Session, open_session
from ledger_pipelines.sources.erp_statements import Span, Statements, Wanted
from ledger_pipelines.sources.erp_tables import ErpTable
from ledger_pipelines.sources.erp_texts import CHANGES_LONE_SURROGATES, with_texts
from ledger_pipelines.sources.erp_types import SQL_SERVER, Shape, missing_columns, shape_of
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.sources.prefetch import SilenceError, attended, prefetched
from ledger_pipelines.sources.table_columns import columns_of

__all__ = [
    "Erp",
    "Fingerprint",
    "Reading",
    "Shape",
    "SourceInterruptedError",
    "SourceUnreachableError",
    "Span",
    "Wanted",
]

CHUNK_ROWS = 10_000
STATEMENT_SECONDS = 600
GRACE_SECONDS = 2
"""What the server's own limit is ahead of ours: it knows better what took so long."""

Chunk = list[tuple[Any, ...]]
T = TypeVar("T")


@dataclass(frozen=True)
class Fingerprint:
    """What tells the rows of one day from those that were there before, without reading them.

    Attributes:
        rows: How many there are.
        sums: Of each decimal column whose type at the source is an exact number, NULL counted as 0.
        digest: A text that differs if anything about the rows does, as far as the server can tell; and if another
            kind of server, other types or another way of computing it are behind it.
    """

    rows: int
    sums: Mapping[str, Decimal]
    digest: str


class Erp:
    """The ERP's database.

    Args:
        engine: For it; `erp_engine.erp_engine` makes one.
        statement_seconds: How long it may take to answer a statement, or to give the next rows.
        chunk_rows: How many rows are read at once.

    Attributes:
        by_bytes: The tables in which there was a text that the driver could not read: their texts are read as bytes.
    """

    def __init__(
        self, engine: sa.Engine, statement_seconds: int = STATEMENT_SECONDS, chunk_rows: int = CHUNK_ROWS
    ) -> None:
        self.engine = engine
        self.statement_seconds = statement_seconds
        self.chunk_rows = chunk_rows
        self.by_bytes: set[str] = set()

    def check(self, table: ErpTable) -> Shape:
        """The shape of a table, which is there, has every column of the catalogue and may be read.

        Raises:
            SourceError: it is not, or the ERP cannot be reached; the message says what is wrong where.
        """
        with self.reading(table) as reading:
            return reading.shape

    @contextmanager
    def reading(self, table: ErpTable) -> Iterator["Reading"]:
        """A pass over a table, on a connection of its own.

        Raises:
            SourceError: as `check`.
            SourceInterruptedError: the connection was lost, or another transaction was in the way: worth trying again.
        """
        session = self.session()
        pass_ = _Pass(session, self, table)
        try:
            yield Reading(pass_, pass_.attended(lambda: _shape(session, table, self.engine.url)))
        except BaseException:
            pass_.usable = False
            raise
        finally:
            pass_.end()

    def session(self) -> Session:
        """A connection, set up for reading.

        Raises:
            SourceError: the ERP cannot be reached, or does not let this user in.
        """
        seconds = self.statement_seconds
        try:
            with Handover() as handover:
                return attended(lambda: handover.offer(open_session(self.engine, seconds)), handover.abandon, seconds)
        except SilenceError:
            raise silent(self.engine.url, None, self.statement_seconds) from None
        except self.errors as error:
            raise explained(error, self.engine.url, connecting=True) from error

    def reads_bytes_of(self, table: ErpTable) -> bool:
        """Return whether the texts of a table are read as bytes."""
        return self.engine.dialect.driver in CHANGES_LONE_SURROGATES or table.name in self.by_bytes

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What the driver raises, and SQLAlchemy in its name."""
        driver: Any = self.engine.dialect.loaded_dbapi
        more = erp_pymssql.errors(driver) if self.engine.dialect.driver == erp_pymssql.NAME else ()
        # A value that a driver cannot make an object of is a ValueError of Python's, whatever the driver.
        return (driver.Error, *more, sa.exc.SQLAlchemyError, OSError, ValueError, ArithmeticError)


class _Pass:
    """A connection at work for one table: statements in a thread, cancelled if nobody waits for them."""

    def __init__(self, session: Session, erp: Erp, table: ErpTable) -> None:
        self.session = session
        self.erp = erp
        self.table = table
        self.usable = True
        self.refusal: str | None = None
        self._running: Generator[Any] | None = None

    def end(self) -> None:
        """Cancel what is still running, and give the connection back."""
        try:
            if self._running is not None:
                self._running.close()
        finally:
            self.session.leave(usable=self.usable)

    def attended(self, work: Callable[[], T]) -> T:
        """The result of some work with the connection; done again without a snapshot if it cannot be done in one.

        Raises:
            SourceError: the ERP cannot be read.
        """
        try:
            return self._attended(work)
        except SnapshotRefusedError as error:
            if not self.session.consistent:
                raise
            self.refusal = words_of(error.__cause__ or error, self.erp.engine.url)
        self.usable = True
        self._attended(self.session.show_no_moment)
        return self._attended(work)

    def _attended(self, work: Callable[[], T]) -> T:
        with closing(self.prefetched(lambda: iter((work(),)))) as results:
            (result,) = results
        return result

    def prefetched(self, work: Callable[[], Iterator[T]]) -> Generator[T]:
        """The items of some work with the connection; if they are not all taken, nothing more can be done with it.

        Raises:
            SourceError: the ERP cannot be read.
        """
        self._running = items = self._prefetched(work)
        return items

    def _prefetched(self, work: Callable[[], Iterator[T]]) -> Generator[T]:
        url, seconds = self.erp.engine.url, self.erp.statement_seconds
        finished = False
        try:
            yield from prefetched(work, self.session.cancel, seconds + GRACE_SECONDS)
            finished = True
        except SilenceError:
            raise silent(url, self.table.name, seconds) from None
        except self.erp.errors as error:
            raise explained(error, url, self.table.name) from error
        finally:
            self.usable = self.usable and finished

    def chunks(self, statement: sa.Select[Any]) -> Iterator[Chunk]:
        """The rows of a statement as the driver gives them: SQLAlchemy would make an object of each."""
        cursor = self.session.run(statement)
        while chunk := cursor.fetchmany(self.erp.chunk_rows):
            yield list(chunk) if isinstance(chunk[0], tuple) else list(map(tuple, chunk))
        cursor.close()  # only then: one with rows left would read them all before it closes


class Reading:
    """A pass over one table.

    Attributes:
        shape: The table as the ERP has it.
        dated: Whether rows can be asked for by day; false for snapshots, and where month columns are no dates.
    """

    def __init__(self, running: _Pass, shape: Shape) -> None:
        self._pass = running
        self._statements = Statements(running.table, shape)
        self.shape = shape
        self.dated = shape.dated

    @property
    def consistent(self) -> bool:
        """Whether everything that this pass gives is of one moment; known once there are fingerprints."""
        return self._pass.session.consistent

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how this table is read; complete once there are fingerprints."""
        name, refusal = self._pass.table.name, self._pass.refusal
        notes = []
        if refusal is not None:
            notes.append(f"{name} is read without a snapshot and may change meanwhile. In one the ERP says: {refusal}")
        if not self.shape.hashed:
            notes.append(
                f"The ERP's server cannot hash the rows of {name}: a change that alters no sum, no extreme and no "
                "length is not noticed in months that are not read anyway. A full sync (--full) finds it."
            )
        return tuple(notes)

    def fingerprints(self, span: Span | None = None) -> dict[date | None, Fingerprint]:
        """The fingerprint of each day's rows; under None that of the rows without a day.

        Of a table that is not `dated` there is one, under None.

        Args:
            span: Only these days, if the table is `dated`.

        Raises:
            SourceError: the table cannot be read.
            SourceInterruptedError: worth trying again.
        """
        statement = self._statements.fingerprints(span)
        rows = self._pass.attended(lambda: list(chain.from_iterable(self._pass.chunks(statement))))
        return dict(self._fingerprint(row) for row in rows)

    def rows(self, wanted: Wanted) -> Generator[Chunk]:
        """The rows wanted, in chunks: the values as the driver gives them, in the catalogue's order of columns.

        Raises:
            SourceError: the table cannot be read.
            SourceInterruptedError: worth trying again, from the start.
        """
        if self._pass.erp.reads_bytes_of(self._pass.table):
            return self._pass.prefetched(self._chunks_by_bytes(list(self._statements.rows(wanted, by_bytes=True))))
        return self._pass.prefetched(self._chunks(list(self._statements.rows(wanted))))

    def _chunks(self, statements: Sequence[sa.Select[Any]]) -> Callable[[], Iterator[Chunk]]:
        def chunks() -> Iterator[Chunk]:
            try:
                yield from chain.from_iterable(map(self._pass.chunks, statements))
            except UnicodeDecodeError as error:
                if not self._statements.read_by_bytes:
                    raise
                # The rows of this chunk are lost, and a server gives no order that they could be asked for again by.
                self._pass.erp.by_bytes.add(self._pass.table.name)
                raise half_a_character(self._pass.erp.engine.url, self._pass.table.name) from error

        return chunks

    def _chunks_by_bytes(self, statements: Sequence[sa.Select[Any]]) -> Callable[[], Iterator[Chunk]]:
        names, by_bytes = self._pass.table.names, self._statements.read_by_bytes
        positions = [position for position, name in enumerate(names) if name in by_bytes]
        chunks = chain.from_iterable(map(self._pass.chunks, statements))
        return lambda: (with_texts(chunk, positions, self.shape) for chunk in chunks)

    def _fingerprint(self, row: tuple[Any, ...]) -> tuple[date | None, Fingerprint]:
        day, count, *rest = row
        summed = self._statements.summed
        sums = {name: Decimal(value or 0) for name, value in zip(summed, rest, strict=False)}
        parts = "\x1f".join([self._statements.algorithm, str(count), *map(str, rest)])
        digest = hashlib.sha256(parts.encode()).hexdigest()
        return day, Fingerprint(int(count), sums, digest)


def _shape(session: Session, table: ErpTable, url: sa.URL) -> Shape:
    """The shape of a table, once it is sure that it can be read."""
    connection = session.connection
    found = columns_of(connection, table.name)
    if not found:
        if connection.dialect.name == SQL_SERVER:  # which does not tell by this question why it has no answer
            connection.execute(Statements.nothing_of(table)).close()
        raise SourceError(
            f"The ERP {place(url)} has no table or view {table.name}, or this user may not see it. "
            "Is LEDGER_ERP_URL the ERP's database? Nothing was changed."
        )
    missing = missing_columns(table, found)
    if missing:
        raise SourceError(
            f"{table.name} of the ERP {place(url)} lacks the {'column' if len(missing) == 1 else 'columns'} "
            f"{', '.join(missing)}. Has the ERP been upgraded? Nothing was changed."
        )
    version = tuple(part for part in connection.dialect.server_version_info or () if isinstance(part, int))
    shape = shape_of(table, connection.dialect.name, version, found)
    connection.execute(Statements(table, shape).no_rows()).close()
    return shape
