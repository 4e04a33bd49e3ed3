"""Reader of the ERP: tables and views of any SQLAlchemy URL, in production SQL Server by pyodbc.

A table is read in one pass, on one connection. The pass is one snapshot if the server supports that. It is read-only if
the server enforces that; at SQL Server only the rights of the login prevent writes. The pass reads the fingerprints of
the table's days, which show the differences from the copy, then the rows of some days, in chunks as the driver returns
them. An unreadable ERP raises an error; it is never returned as an empty table.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.dialects.parts import Span
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.connection.cursor import Chunk
from ledger_pipelines.sources.erp.connection.drivers import cursor_of
from ledger_pipelines.sources.erp.connection.errors import lone_surrogate_error
from ledger_pipelines.sources.erp.connection.source_connection import SourceConnection
from ledger_pipelines.sources.erp.schemas import TableSchemas, schemas_of
from ledger_pipelines.sources.erp.shape import Shape
from ledger_pipelines.sources.erp.spans import EVERYTHING, Wanted
from ledger_pipelines.sources.erp.statements import Statements
from ledger_pipelines.sources.erp.table_shape import read_shape
from ledger_pipelines.sources.erp.texts import with_texts
from ledger_pipelines.sources.errors import SourceInterruptedError, SourceUnreachableError

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
        connection = self.connect(table)
        try:
            shape = connection.call(lambda: read_shape(connection.connection, table, self.engine.url))
            yield TableReader(self, table, connection, shape)
        except BaseException:
            connection.usable = False
            raise
        finally:
            connection.end()

    def connect(self, table: ErpTable | None = None) -> SourceConnection:
        """Return a connection that is set up for reading, in errors named after a table.

        Raises:
            SourceError: the ERP cannot be reached, or it rejects the login.
        """
        return SourceConnection(self.engine, self.statement_seconds, table).open()

    def reads_bytes_of(self, table: ErpTable) -> bool:
        """Return whether the texts of a table are read as bytes."""
        return cursor_of(self.engine.dialect.driver).changes_lone_surrogates or table.name in self.by_bytes


class TableReader:
    """Reader of one table in one pass, on one connection.

    Attributes:
        shape: Shape of the table at the ERP.
        dated: Whether rows can be selected by day; false for snapshots, and if the month columns are no dates.
    """

    def __init__(self, erp: ErpSource, table: ErpTable, connection: SourceConnection, shape: Shape) -> None:
        self._erp = erp
        self._table = table
        self._connection = connection
        self._statements = Statements(table, shape)
        self._days_without_sum: dict[str, list[date | None]] = {}
        self.shape = shape
        self.dated = shape.dated

    @property
    def consistent(self) -> bool:
        """Whether the pass reads one snapshot; final after the fingerprints have been read."""
        return self._connection.consistent

    @property
    def shows_every_change(self) -> bool:
        """Whether a fingerprint changes with every change of a row, apart from a chance of 1 in 2^64."""
        return self._statements.shows_every_change

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the log on how this table is read; complete after the fingerprints have been read."""
        name, refusal = self._table.name, self._connection.refusal
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
            f"{column} of {self._table.name} has values of magnitude {self._statements.sum_limits[column]} "
            f"or more{where}{more}: too large for the sums of the ERP's server. These sums are not compared with the "
            "copy; the rows are copied, counted and hashed as usual. Check whether the values are right."
        )

    def find_schemas(self) -> TableSchemas:
        """Return the schemas that hold a table of this name.

        Raises:
            SourceError: the server cannot be asked.
        """
        return self._connection.call(lambda: schemas_of(self._connection.connection, self._table))

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
        rows = self._connection.call(
            lambda: [row for each in statements for batch in self._batches(each) for row in batch]
        )
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
        by_bytes = self._erp.reads_bytes_of(self._table)
        statements = list(self._statements.rows(wanted, by_bytes=by_bytes))
        return self._connection.stream(lambda: self._chunks(statements, by_bytes=by_bytes))

    def _batches(self, statement: sa.Select[Any]) -> Iterator[Chunk]:
        return self._connection.batches(statement, self._erp.chunk_rows)

    def _chunks(self, statements: Sequence[sa.Select[Any]], *, by_bytes: bool) -> Iterator[Chunk]:
        readable = self._statements.read_by_bytes
        positions = [position for position, name in enumerate(self._table.names) if by_bytes and name in readable]
        try:
            for chunk in chain.from_iterable(map(self._batches, statements)):
                yield with_texts(chunk, positions, self.shape.server) if positions else chunk
        except UnicodeDecodeError as error:
            if by_bytes or not readable:
                raise
            # The rows of this chunk are lost, and without an order of rows they cannot be selected again.
            self._erp.by_bytes.add(self._table.name)
            raise lone_surrogate_error(self._erp.engine.url, self._table.full_name) from error

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
