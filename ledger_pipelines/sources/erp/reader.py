"""Reader of the ERP: tables and views of any SQLAlchemy URL, in production SQL Server by pyodbc.

A table is read in one pass, on one connection. The pass is one snapshot if the server supports that. It is read-only if
the server enforces that; at SQL Server only the rights of the login prevent writes. The pass reads the fingerprints of
the table's days, which show the differences from the copy, then the rows of some days, in chunks as the driver returns
them. An unreadable ERP raises an error; it is never returned as an empty table.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Shape
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.connection import pymssql as erp_pymssql
from ledger_pipelines.sources.erp.connection.causes import SourceInterruptedError, SourceUnreachableError
from ledger_pipelines.sources.erp.connection.errors import explained, lone_surrogate_error, timeout_error
from ledger_pipelines.sources.erp.connection.session import Handover, SourceConnection, open_session
from ledger_pipelines.sources.erp.connection.table_connection import Chunk, TableConnection
from ledger_pipelines.sources.erp.schemas import TableSchemas, schemas_of
from ledger_pipelines.sources.erp.spans import EVERYTHING, Span, Wanted
from ledger_pipelines.sources.erp.statements import Statements
from ledger_pipelines.sources.erp.table_shape import read_shape
from ledger_pipelines.sources.erp.texts import CHANGES_LONE_SURROGATES, with_texts
from ledger_pipelines.sources.prefetch import StatementTimeoutError, run_with_timeout

__all__ = [
    "ErpSource",
    "Fingerprint",
    "Shape",
    "SourceInterruptedError",
    "SourceUnreachableError",
    "Span",
    "TableReader",
    "Wanted",
]

CHUNK_ROWS = 10_000
STATEMENT_SECONDS = 600

_DAYS_IN_NOTE = 3


@dataclass(frozen=True)
class Fingerprint:
    """Fingerprint of the rows of one day: shows changes without reading the rows.

    Attributes:
        rows: Number of rows.
        sums: Sum of each decimal column whose type at the source is an exact number; NULL counts as 0. A column is
            missing if it has values that are too large for the server's sums.
        digest: Text that changes with the rows, as far as the server can detect that. It also changes with the kind of
            server, the types of the columns and the algorithm.
    """

    rows: int
    sums: Mapping[str, Decimal]
    digest: str


class ErpSource:
    """The ERP's database.

    Args:
        engine: Engine of the ERP, made by `connection.engine.erp_engine`.
        statement_seconds: Time limit for the answer to a statement, and for each further chunk of rows.
        chunk_rows: Number of rows in a chunk.
        schemas: Schema of each table; the server resolves the names of tables without one.

    Attributes:
        by_bytes: Tables with a text that the driver could not read; their texts are read as bytes.
    """

    def __init__(
        self,
        engine: sa.Engine,
        statement_seconds: int = STATEMENT_SECONDS,
        chunk_rows: int = CHUNK_ROWS,
        schemas: Mapping[str, str] | None = None,
    ) -> None:
        self.engine = engine
        self.statement_seconds = statement_seconds
        self.chunk_rows = chunk_rows
        self.schemas = schemas or {}
        self.by_bytes: set[str] = set()

    def check(self, table: ErpTable) -> Shape:
        """Return the shape of a table, after checking that it exists, has every catalogue column and may be read.

        Raises:
            SourceError: a check failed, or the ERP cannot be reached.
        """
        with self.reading(table) as reading:
            return reading.shape

    @contextmanager
    def reading(self, table: ErpTable) -> Iterator["TableReader"]:
        """Read a table in one pass, on its own connection.

        Raises:
            SourceError: as `check`.
            SourceInterruptedError: the connection was lost, or another transaction conflicted; a retry may succeed.
        """
        table = replace(table, schema=self.schemas.get(table.name))
        session = self.session()
        connection = TableConnection(
            session,
            table,
            url=self.engine.url,
            errors=self.errors,
            statement_seconds=self.statement_seconds,
            chunk_rows=self.chunk_rows,
        )
        try:
            shape = connection.run(lambda: read_shape(session.connection, table, self.engine.url))
            yield TableReader(self, connection, shape)
        except BaseException:
            connection.usable = False
            raise
        finally:
            connection.end()

    def session(self) -> SourceConnection:
        """Return a connection that is set up for reading.

        Raises:
            SourceError: the ERP cannot be reached, or it rejects the login.
        """
        seconds = self.statement_seconds
        try:
            with Handover() as handover:
                return run_with_timeout(
                    lambda: handover.offer(open_session(self.engine, seconds)), handover.abandon, seconds
                )
        except StatementTimeoutError:
            raise timeout_error(self.engine.url, None, self.statement_seconds) from None
        except self.errors as error:
            raise explained(error, self.engine.url, connecting=True) from error

    def reads_bytes_of(self, table: ErpTable) -> bool:
        """Return whether the texts of a table are read as bytes."""
        return self.engine.dialect.driver in CHANGES_LONE_SURROGATES or table.name in self.by_bytes

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """Exceptions of the driver, and of SQLAlchemy around it."""
        driver: Any = self.engine.dialect.loaded_dbapi
        more = erp_pymssql.errors(driver) if self.engine.dialect.driver == erp_pymssql.NAME else ()
        # Every driver raises ValueError for a value that it cannot convert to a Python object.
        return (driver.Error, *more, sa.exc.SQLAlchemyError, OSError, ValueError, ArithmeticError)


class TableReader:
    """Reader of one table in one pass, on one connection.

    Attributes:
        shape: Shape of the table at the ERP.
        dated: Whether rows can be selected by day; false for snapshots, and if the month columns are no dates.
    """

    def __init__(self, erp: ErpSource, connection: TableConnection, shape: Shape) -> None:
        self._erp = erp
        self._connection = connection
        self._statements = Statements(connection.table, shape)
        self._days_without_sum: dict[str, list[date | None]] = {}
        self.shape = shape
        self.dated = shape.dated

    @property
    def consistent(self) -> bool:
        """Whether the pass reads one snapshot; final after the fingerprints have been read."""
        return self._connection.session.consistent

    @property
    def shows_every_change(self) -> bool:
        """Whether a fingerprint changes with every change of a row, apart from a chance of 1 in 2^64."""
        return self._statements.shows_every_change

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the log on how this table is read; complete after the fingerprints have been read."""
        name, refusal = self._connection.table.name, self._connection.refusal
        notes = []
        if refusal is not None:
            notes.append(
                f"{name} is read without a snapshot, so it may change meanwhile. The ERP refused one: {refusal}"
            )
        if not self.shape.hashed:
            notes.append(
                f"The ERP's server cannot hash the rows of {name}. A change that alters no sum, extreme or length is "
                "missed in months that are not read anyway; a full sync (--full) finds it."
            )
        notes += (self._note_on_sum(column, days) for column, days in self._days_without_sum.items() if days)
        return tuple(notes)

    def _note_on_sum(self, column: str, days: Sequence[date | None]) -> str:
        """Return the remark on a column that has no sum on some days; rows without a date are rejected in any case."""
        named = [day.isoformat() for day in sorted(filter(None, days))]
        where = f" on {', '.join(named[:_DAYS_IN_NOTE])}" if named else ""
        more = f" and {len(named) - _DAYS_IN_NOTE} more days" if len(named) > _DAYS_IN_NOTE else ""
        return (
            f"{column} of {self._connection.table.name} has values of magnitude {self._statements.sum_limits[column]} "
            f"or more{where}{more}: too large for the sums of the ERP's server. These sums are not compared with the "
            "copy; the rows are copied, counted and hashed as usual. Check whether the values are right."
        )

    def find_schemas(self) -> TableSchemas:
        """Return the schemas that hold a table of this name.

        Raises:
            SourceError: the server cannot be asked.
        """
        return self._connection.run(lambda: schemas_of(self._connection.session.connection, self._connection.table))

    def fingerprints(self, wanted: Wanted = EVERYTHING) -> dict[date | None, Fingerprint]:
        """Return the fingerprint of each day's rows; the key None stands for the rows without a day.

        A table that is not `dated` has a single fingerprint, with the key None.

        Args:
            wanted: Restricts a `dated` table to these days.

        Raises:
            SourceError: the table cannot be read.
            SourceInterruptedError: the read was interrupted; a retry may succeed.
        """
        conditions = [None] if wanted.everything or not self.dated else self._statements.conditions(wanted)
        statements = [self._statements.fingerprints(condition) for condition in conditions]
        chunks = self._connection.chunks
        rows = self._connection.run(lambda: [row for each in statements for chunk in chunks(each) for row in chunk])
        found = dict(map(self._fingerprint, rows))
        self._days_without_sum = {
            column: [day for day, each in found.items() if column not in each.sums]
            for column in self._statements.sum_limits
        }
        return found

    def rows(self, wanted: Wanted) -> Generator[Chunk]:
        """Yield the wanted rows in chunks, with the driver's values in the catalogue's order of columns.

        Raises:
            SourceError: the table cannot be read.
            SourceInterruptedError: the read was interrupted; a retry from the start may succeed.
        """
        if self._erp.reads_bytes_of(self._connection.table):
            return self._connection.stream(self._chunks_by_bytes(list(self._statements.rows(wanted, by_bytes=True))))
        return self._connection.stream(self._chunks(list(self._statements.rows(wanted))))

    def _chunks(self, statements: Sequence[sa.Select[Any]]) -> Callable[[], Iterator[Chunk]]:
        def chunks() -> Iterator[Chunk]:
            try:
                yield from chain.from_iterable(map(self._connection.chunks, statements))
            except UnicodeDecodeError as error:
                if not self._statements.read_by_bytes:
                    raise
                # The rows of this chunk are lost, and without an order of rows they cannot be selected again.
                self._erp.by_bytes.add(self._connection.table.name)
                raise lone_surrogate_error(self._erp.engine.url, self._connection.table.full_name) from error

        return chunks

    def _chunks_by_bytes(self, statements: Sequence[sa.Select[Any]]) -> Callable[[], Iterator[Chunk]]:
        names, by_bytes = self._connection.table.names, self._statements.read_by_bytes
        positions = [position for position, name in enumerate(names) if name in by_bytes]
        chunks = chain.from_iterable(map(self._connection.chunks, statements))
        return lambda: (with_texts(chunk, positions, self.shape) for chunk in chunks)

    def _fingerprint(self, row: tuple[Any, ...]) -> tuple[date | None, Fingerprint]:
        day, count, *rest = row
        limited = self._statements.sum_limits
        parts = rest[: len(rest) - len(limited)]
        beyond = dict(zip(limited, rest[len(parts) :], strict=True))
        summed = zip(self._statements.summed, parts, strict=False)
        sums = {name: Decimal(value or 0) for name, value in summed if not beyond.get(name)}
        text = "\x1f".join([self._statements.algorithm, str(count), *map(str, parts)])
        digest = hashlib.sha256(text.encode()).hexdigest()
        return day, Fingerprint(int(count), sums, digest)
