"""Bulk loading of rows from Python by COPY, PostgreSQL's fastest way."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import psycopg
import sqlalchemy as sa

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_COPY = 100_000  # then COPY ends, so that an error of the server surfaces: it may have refused the first row
_NULL = "\\N"
_NONE = type(None)
_FEW_VALUES = frozenset((date, bool, _NONE))  # types of which a column has few distinct values
_NUMBERS = frozenset((int, Decimal, _NONE))
_TEXTS = frozenset((str, _NONE))
_SPECIAL = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_ESCAPES = str.maketrans(_SPECIAL)


def copy_rows(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Append ``rows`` to a table in the connection's transaction and return their number.

    Args:
        connection: To PostgreSQL by psycopg 3.
        table: The table to fill.
        columns: The columns of each row, in order.
        rows: Values as psycopg adapts them; streamed, never all in memory.
    """
    count = 0
    with _driver(connection).cursor() as cursor, cursor.copy(_statement(connection, table, columns)) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def copy_columns(connection: sa.Connection, table: sa.Table, rows: "pa.RecordBatch") -> int:
    """Append rows that are given as Arrow columns, in the connection's transaction, and return their number.

    Args:
        connection: To PostgreSQL by psycopg 3.
        table: The table to fill.
        rows: Columns by the names of the table's columns; PostgreSQL reads the text of each value.
    """
    import pyarrow as pa
    from pyarrow import csv

    text = pa.BufferOutputStream()
    csv.write_csv(rows, text, csv.WriteOptions(include_header=False, batch_size=max(len(rows), 1)))
    statement = f"{_statement(connection, table, rows.schema.names)} (FORMAT csv)"
    with _driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(memoryview(text.getvalue()))
    return len(rows)


class ColumnCopy:
    """Bulk load of chunks that are given column by column; the COPY stays open from one chunk to the next.

    The server stores one chunk while the caller prepares the next. While the COPY is open, the connection can run no
    other statement: call `flush` first. Several times as fast as `copy_rows` for wide rows, because each column of a
    chunk is formatted in one pass.

    Args:
        connection: To PostgreSQL by psycopg 3; the rows are part of its transaction.
        table: The table to fill.
    """

    def __init__(self, connection: sa.Connection, table: sa.Table) -> None:
        self._connection = connection
        self._table = table
        self._open = ExitStack()
        self._copy: psycopg.Copy | None = None
        self._rows = 0

    def __enter__(self) -> "ColumnCopy":
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def write(self, columns: Mapping[str, Sequence[Any]]) -> int:
        """Append rows and return their number.

        Args:
            columns: The values of each column, all of the same length; the same columns in every call. A value is
                text, None, or of a type whose `str` PostgreSQL reads (numbers, dates, booleans).
        """
        lines = list(map("\t".join, zip(*map(_formatted, columns.values()), strict=True)))
        if self._rows >= _ROWS_PER_COPY:
            self.flush()
        if self._copy is None:
            cursor = self._open.enter_context(_driver(self._connection).cursor())
            statement = _statement(self._connection, self._table, columns)
            self._copy = self._open.enter_context(cursor.copy(statement))
        self._copy.write("\n".join([*lines, ""]))
        self._rows += len(lines)
        return len(lines)

    def flush(self) -> None:
        """End the open COPY: wait until the server has stored the rows, or raise its error."""
        self._copy, self._rows = None, 0
        self._open.close()


def _formatted(values: Sequence[Any]) -> Sequence[str]:
    """Return a column's values in COPY's text format."""
    types = set(map(type, values))
    if types <= _FEW_VALUES:
        texts = {value: _NULL if value is None else str(value) for value in set(values)}
        return list(map(texts.__getitem__, values))
    if types <= _TEXTS and not _needs_escaping("".join(filter(None, values))):
        return [_NULL if value is None else value for value in values] if _NONE in types else values
    format_value = str if types <= _NUMBERS else _escaped
    return [_NULL if value is None else format_value(value) for value in values]


def _needs_escaping(text: str) -> bool:
    """Return whether a character is special in COPY; one search per character is faster than one for all."""
    return any(map(text.__contains__, _SPECIAL))


def _escaped(value: Any) -> str:
    return str(value).translate(_ESCAPES)


def _statement(connection: sa.Connection, table: sa.Table, columns: Iterable[str]) -> str:
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.quote(name) for name in columns)
    return f"COPY {preparer.format_table(table)} ({names}) FROM STDIN"


def _driver(connection: sa.Connection) -> "psycopg.Connection[Any]":
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
