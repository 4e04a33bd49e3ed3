"""Columns and column types of a table or view of a source, as its server describes them."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER


def column_types(connection: sa.Connection, table: str) -> Mapping[str, str]:
    """Return the server's type name of each column of a table or view; empty if the table does not exist.

    Raises:
        Exception: any error of the driver.
    """
    queries = {POSTGRESQL: _POSTGRESQL, MYSQL: _MYSQL, MARIADB: _MYSQL, SQL_SERVER: _SQL_SERVER}
    query = queries.get(connection.dialect.name)
    if query is None:
        return dict(_inspect(connection, table))
    quoted = connection.dialect.identifier_preparer.quote_identifier(table)
    if query is _SQL_SERVER:
        found = connection.exec_driver_sql(query.replace("<table>", quoted.replace("'", "''")))
    else:
        found = connection.execute(sa.text(query), {"name": table if query is _MYSQL else quoted})
    # SQL Server has no name for the types of spatial and other CLR columns.
    return {_text(column): _text(type_name or "CLR type") for column, type_name in found if column is not None}


_POSTGRESQL = """
SELECT a.attname, format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid),
                              CASE WHEN t.typbasetype <> 0 THEN t.typtypmod ELSE a.atttypmod END)
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(:name) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_MYSQL = """
SELECT column_name, column_type FROM information_schema.columns
WHERE table_schema = database() AND table_name = :name
ORDER BY ordinal_position
"""
# Describes the columns of a query as SQL Server resolves them: through views, synonyms and user-defined types.
_SQL_SERVER = """
SELECT name, system_type_name
FROM sys.dm_exec_describe_first_result_set(N'SELECT * FROM <table>', NULL, 0)
WHERE is_hidden = 0 AND error_number IS NULL
ORDER BY column_ordinal
"""


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _inspect(connection: sa.Connection, table: str) -> Iterator[tuple[str, str]]:
    inspector = sa.inspect(connection)
    if inspector.has_table(table) or table in inspector.get_view_names():
        for column in inspector.get_columns(table):
            yield column["name"], str(column["type"]).lower()
