"""Bulk insert of text rows into a table, by the fastest method of each driver; memory use stays constant."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

import sqlalchemy as sa

TextRow = tuple[str | None, ...]
"""Values of one row as text, which the database converts into the column types; `None` is NULL."""

_INSERT = 1_000  # rows per INSERT; a statement must stay well below MySQL's max_allowed_packet
_COPY = 250  # rows per write to COPY
_NEEDS_ESCAPE = re.compile(r"['\\]").search
_NULL = "\0"  # placeholder of NULL until the line is complete: PostgreSQL text cannot contain this character
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


def bulk_insert(connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], rows: Iterable[TextRow]) -> None:
    """Write rows: with COPY (psycopg 3), INSERT of literals (PyMySQL), or multi-row inserts (other drivers).

    Args:
        connection: its transaction is left open.
        table: the target table.
        columns: the columns of each row, in the row's order.
        rows: consumed while they are written.
    """
    driver = connection.connection.driver_connection
    quote = connection.dialect.identifier_preparer.quote
    names = f"{quote(table.name)} ({', '.join(map(quote, columns))})"
    if connection.dialect.driver == "psycopg" and driver is not None:
        _copy(driver, f"COPY {names} FROM STDIN", rows)
    elif connection.dialect.driver == "pymysql" and driver is not None:
        _insert_literals(driver, f"INSERT INTO {names} VALUES ", rows)  # noqa: S608 - quoted names from the declaration
    else:
        # Untyped columns let the database convert the text into the column types.
        target, remaining = sa.table(table.name, *map(sa.column, columns)).insert(), iter(rows)
        while chunk := [dict(zip(columns, row, strict=True)) for row in islice(remaining, _INSERT)]:
            connection.execute(target, chunk)


def _copy(driver: Any, statement: str, rows: Iterable[TextRow]) -> None:
    """Write rows in COPY's text format."""
    remaining = map(_copy_line, rows)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        while lines := "".join(islice(remaining, _COPY)):
            copy.write(lines)


def _copy_line(row: TextRow) -> str:
    """Return a row in COPY's text format. Few lines need escaping, so the joined line is checked first."""
    line = "\t".join([_NULL if value is None else value for value in row])
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(row):
        line = "\t".join(_NULL if value is None else _escaped(value) for value in row)
    return line.replace(_NULL, "\\N") + "\n"


def _escaped(value: str) -> str:
    for character, escape in _ESCAPES:
        value = value.replace(character, escape)
    return value


def _insert_literals(driver: Any, statement: str, rows: Iterable[TextRow]) -> None:
    """Insert rows as literals, several times as fast as parameters, which the driver escapes one by one in Python.

    The driver escapes only values that need it.
    """
    with driver.cursor() as cursor:

        def literal(value: str | None) -> str:
            plain = value is not None and not _NEEDS_ESCAPE(value)
            return f"'{value}'" if plain else str(cursor.mogrify("%s", (value,)))

        remaining = (f"({','.join(map(literal, row))})" for row in rows)
        while values := ",".join(islice(remaining, _INSERT)):
            cursor.execute(statement + values)
