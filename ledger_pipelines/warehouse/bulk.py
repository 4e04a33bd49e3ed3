"""Rows from Python into a table by COPY, the way PostgreSQL loads fastest."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import psycopg
import sqlalchemy as sa


def copy_rows(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Append ``rows`` to a table in the connection's transaction and return how many there were.

    Args:
        connection: To PostgreSQL by psycopg 3.
        table: The table to fill.
        columns: The columns that each row gives, in order.
        rows: Values as psycopg adapts them; streamed, never held together.
    """
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.quote(name) for name in columns)
    count = 0
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {preparer.format_table(table)} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
            count += 1
    return count
