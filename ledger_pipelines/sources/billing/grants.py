"""GRANT statements for a login of the billing application's database: exactly the columns that are read.

A server refuses a GRANT that names a column that does not exist, and MySQL hides the columns that a login may not read.
Hence the columns that exist are granted by one statement, and each column that may exist by a statement of its own.
"""

import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Dialect

from ledger_pipelines.sources.billing.columns import EFFECT_IF_MISSING, REQUIRED, TABLES, ReadableColumns
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.errors import SourceError

_DATABASE_DENIED = re.compile(r"Access denied for user ('.*'@'.*') to database")


def grant_statements(
    connection: sa.Connection, login: str | None, table: sa.Table, readable: ReadableColumns | None
) -> Iterator[str]:
    """Yield the statements that let a login read the columns of a table that are read.

    Args:
        connection: Connection to the billing application.
        login: User of the session; None if the server has no users.
        table: Our declaration of the table.
        readable: Columns that the login may read; None if the table is missing or hidden.
    """
    server = server_of(connection.dialect.name)
    account = server.account(connection.dialect, login or "")
    on = qualified_name(connection, table)
    may_be_hidden = readable is None or (
        server.hides_columns and not may_select(connection, table, sa.literal_column("*"))
    )
    known = () if readable is None else (*readable.types, *readable.denied)
    return _grants(connection.dialect, table.name, on, account, frozenset(known), may_be_hidden=may_be_hidden)


def grants_on_denied_database(engine: sa.Engine, error: SourceError) -> Iterator[str]:
    """Yield the grants for a login that MySQL refuses because it has no right to the database; none otherwise."""
    denied, database = _DATABASE_DENIED.search(str(error)), engine.url.database
    if denied is None or database is None:
        return
    quote = engine.dialect.identifier_preparer.quote
    for table in TABLES:
        on = f"{quote(database)}.{quote(table)}"
        yield from _grants(engine.dialect, table, on, denied[1], frozenset(), may_be_hidden=True)


def qualified_name(connection: sa.Connection, table: sa.Table) -> str:
    """Return the quoted name of a table with its database or schema, if the server has any."""
    quote = connection.dialect.identifier_preparer.quote
    schema = server_of(connection.dialect.name).current_schema(connection)
    return f"{quote(schema)}.{quote(table.name)}" if schema else quote(table.name)


def may_select(connection: sa.Connection, table: sa.Table, column: sa.ColumnElement[Any]) -> bool:
    """Return whether this login may select a column, or all columns, of a table."""
    try:
        connection.execute(sa.select(column).select_from(table).where(sa.false())).close()
    except exc.DBAPIError:
        connection.rollback()
        return False
    return True


def _grants(
    dialect: Dialect, table: str, on: str, account: str, known: frozenset[str], *, may_be_hidden: bool
) -> Iterator[str]:
    effects, quote = EFFECT_IF_MISSING[table], dialect.identifier_preparer.quote
    existing = [name for name, effect in effects.items() if name in known or effect == REQUIRED]
    yield f"GRANT SELECT ({', '.join(map(quote, existing))}) ON {on} TO {account};"
    for name in effects if may_be_hidden else ():
        if name not in existing:
            yield f"GRANT SELECT ({quote(name)}) ON {on} TO {account};  -- if {table} has this column"
