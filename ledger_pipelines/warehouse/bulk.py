"""Rows from Python into a table by COPY, the way PostgreSQL loads fastest."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from typing import Any, cast

import psycopg
import sqlalchemy as sa

_ROWS_UNTOLD = 100_000  # written before it is asked whether the server has taken them: it may have refused the first
_NULL = "\\N"
_NONE = type(None)
_FEW = frozenset((date, bool, _NONE))  # of which a column has few different values, however many rows
_NUMBERS = frozenset((int, Decimal, _NONE))
_TEXTS = frozenset((str, _NONE))
_SPECIAL = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_ESCAPES = str.maketrans(_SPECIAL)


def copy_rows(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Append ``rows`` to a table in the connection's transaction and return how many there were.

    Args:
        connection: To PostgreSQL by psycopg 3.
        table: The table to fill.
        columns: The columns that each row gives, in order.
        rows: Values as psycopg adapts them; streamed, never held together.
    """
    count = 0
    with _driver(connection).cursor() as cursor, cursor.copy(_statement(connection, table, columns)) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


class ColumnCopy:
    """Rows into a table, given column by column, by a COPY that stays open from one chunk to the next.

    The server takes one chunk in while the next is made. As long as it is open, the connection is good for nothing
    else: `pause` it first. Several times as fast as `copy_rows` for wide rows: each column is written out at once.

    Args:
        connection: To PostgreSQL by psycopg 3; the rows come in its transaction.
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
        """Append rows and return how many there were.

        Args:
            columns: The values of each column, as many in each, the same columns each time: text, None, or what `str`
                writes as PostgreSQL reads it (numbers, dates, truth values).
        """
        lines = list(map("\t".join, zip(*map(_written, columns.values()), strict=True)))
        if self._rows >= _ROWS_UNTOLD:
            self.pause()
        if self._copy is None:
            cursor = self._open.enter_context(_driver(self._connection).cursor())
            statement = _statement(self._connection, self._table, columns)
            self._copy = self._open.enter_context(cursor.copy(statement))
        self._copy.write("\n".join([*lines, ""]))
        self._rows += len(lines)
        return len(lines)

    def pause(self) -> None:
        """Wait until the server has taken in, or refused, what was written."""
        self._copy, self._rows = None, 0
        self._open.close()


def _written(values: Sequence[Any]) -> Sequence[str]:
    """A column's values as COPY's text format has them."""
    types = set(map(type, values))
    if types <= _FEW:
        texts = {value: _NULL if value is None else str(value) for value in set(values)}
        return list(map(texts.__getitem__, values))
    if types <= _TEXTS and not _special("".join(filter(None, values))):
        return [_NULL if value is None else value for value in values] if _NONE in types else values
    write = str if types <= _NUMBERS else _escaped
    return [_NULL if value is None else write(value) for value in values]


def _special(text: str) -> bool:
    """True if a character means something to COPY: looked for one by one, which is faster than all at once."""
    return any(map(text.__contains__, _SPECIAL))


def _escaped(value: Any) -> str:
    return str(value).translate(_ESCAPES)


def _statement(connection: sa.Connection, table: sa.Table, columns: Iterable[str]) -> str:
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.quote(name) for name in columns)
    return f"COPY {preparer.format_table(table)} ({names}) FROM STDIN"


def _driver(connection: sa.Connection) -> "psycopg.Connection[Any]":
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
