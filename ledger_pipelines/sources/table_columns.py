"""Columns and column types of a table or view of a source, as its server describes them."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER


def column_types(connection: sa.Connection, table: str, schema: str | None = None) -> Mapping[str, str]:
    """Return the server's type name of each column of a table or view; empty if the table does not exist.

    Args:
        connection: Connection to the source.
        table: Name of the table or view.
        schema: Schema of the table, in MySQL and MariaDB its database; None: the server resolves the name.

    Raises:
        Exception: any error of the driver.
    """
    queries = {POSTGRESQL: _POSTGRESQL, MYSQL: _MYSQL, MARIADB: _MYSQL, SQL_SERVER: _SQL_SERVER}
    query = queries.get(connection.dialect.name)
    if query is None:
        return dict(_inspect(connection, table, schema))
    path = quoted(connection.dialect, table, schema)
    if query is _SQL_SERVER:
        found = connection.exec_driver_sql(query.replace("<table>", path.replace("'", "''")))
    else:
        found = connection.execute(sa.text(query), {"name": table, "schema": schema, "path": path})
    # SQL Server has no name for the types of spatial and other CLR columns.
    return {as_text(column): as_text(type_name or "CLR type") for column, type_name in found if column is not None}


def quoted(dialect: Dialect, table: str, schema: str | None = None) -> str:
    """Return the name of a table in the server's quotes, with its schema if that is given."""
    names = (table,) if schema is None else (schema, table)
    return ".".join(map(dialect.identifier_preparer.quote_identifier, names))


_POSTGRESQL = """
SELECT a.attname, format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid),
                              CASE WHEN t.typbasetype <> 0 THEN t.typtypmod ELSE a.atttypmod END)
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(:path) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_MYSQL = """
SELECT column_name, column_type FROM information_schema.columns
WHERE table_schema = coalesce(:schema, database()) AND table_name = :name
ORDER BY ordinal_position
"""
# Describes the columns of a query as SQL Server resolves them: through views, synonyms and user-defined types.
_SQL_SERVER = """
SELECT name, system_type_name
FROM sys.dm_exec_describe_first_result_set(N'SELECT * FROM <table>', NULL, 0)
WHERE is_hidden = 0 AND error_number IS NULL
ORDER BY column_ordinal
"""


def as_text(value: object) -> str:
    """Return a name of the server's catalogue as text; some drivers return bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _inspect(connection: sa.Connection, table: str, schema: str | None) -> Iterator[tuple[str, str]]:
    inspector = sa.inspect(connection)
    if inspector.has_table(table, schema) or table in inspector.get_view_names(schema):
        for column in inspector.get_columns(table, schema):
            yield column["name"], str(column["type"]).lower()
