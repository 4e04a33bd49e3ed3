"""Writing many rows of text into a table, by the fastest way that the driver has; memory stays flat.

Every value goes as text, which the database reads into the column's own type; `None` is NULL.
"""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

import sqlalchemy as sa

Row = tuple[str | None, ...]
"""Values of one row as text, which every database reads into its own types; `None` is NULL."""

_INSERT = 1_000  # rows in an INSERT; a statement must stay well below MySQL's max_allowed_packet
_COPY = 250  # rows handed to COPY at a time
_NEEDS_ESCAPE = re.compile(r"['\\]").search
_NULL = "\0"  # stands for NULL until the line is whole: no text in PostgreSQL holds this character
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


def write(connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    """Write rows: by psycopg 3 with COPY, by PyMySQL with literals, by any other driver with multi-row inserts.

    Args:
        connection: within a transaction, which is left open.
        table: where to.
        columns: the columns that each row has values for, in its order.
        rows: consumed as they are written.
    """
    driver = connection.connection.driver_connection
    quote = connection.dialect.identifier_preparer.quote
    names = f"{quote(table.name)} ({', '.join(map(quote, columns))})"
    if connection.dialect.driver == "psycopg" and driver is not None:
        _copy(driver, f"COPY {names} FROM STDIN", rows)
    elif connection.dialect.driver == "pymysql" and driver is not None:
        _insert_literals(driver, f"INSERT INTO {names} VALUES ", rows)  # noqa: S608 - names of our own
    else:
        # Untyped columns let the database read the text into its own types.
        target, remaining = sa.table(table.name, *map(sa.column, columns)).insert(), iter(rows)
        while chunk := [dict(zip(columns, row, strict=True)) for row in islice(remaining, _INSERT)]:
            connection.execute(target, chunk)


def _copy(driver: Any, statement: str, rows: Iterable[Row]) -> None:
    """Send rows in COPY's text format."""
    remaining = map(_copy_line, rows)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        while lines := "".join(islice(remaining, _COPY)):
            copy.write(lines)


def _copy_line(row: Row) -> str:
    """A row as COPY's text format has it; hardly a line holds anything to escape, and one look tells."""
    line = "\t".join([_NULL if value is None else value for value in row])
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(row):
        line = "\t".join(_NULL if value is None else _escaped(value) for value in row)
    return line.replace(_NULL, "\\N") + "\n"


def _escaped(value: str) -> str:
    for character, escape in _ESCAPES:
        value = value.replace(character, escape)
    return value


def _insert_literals(driver: Any, statement: str, rows: Iterable[Row]) -> None:
    """Insert rows of literals: several times as fast as parameters, which the driver escapes one by one in Python.

    It is left to the driver only where there is something to escape.
    """
    with driver.cursor() as cursor:

        def literal(value: str | None) -> str:
            plain = value is not None and not _NEEDS_ESCAPE(value)
            return f"'{value}'" if plain else str(cursor.mogrify("%s", (value,)))

        remaining = (f"({','.join(map(literal, row))})" for row in rows)
        while values := ",".join(islice(remaining, _INSERT)):
            cursor.execute(statement + values)
