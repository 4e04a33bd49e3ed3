"""Which columns a table or view of a source has, and of which types, as its server says."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from ledger_pipelines.sources.erp_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER


def columns_of(connection: sa.Connection, table: str) -> Mapping[str, str]:
    """The server's words for the type of each column of a table or view, by name; empty if there is none.

    Raises:
        Exception: of the driver.
    """
    known = {POSTGRESQL: _POSTGRESQL, MYSQL: _MYSQL, MARIADB: _MYSQL, SQL_SERVER: _SQL_SERVER}
    query = known.get(connection.dialect.name)
    if query is None:
        return dict(_inspected(connection, table))
    quoted = connection.dialect.identifier_preparer.quote_identifier(table)
    if query is _SQL_SERVER:
        found = connection.exec_driver_sql(query.replace("<table>", quoted.replace("'", "''")))
    else:
        found = connection.execute(sa.text(query), {"name": table if query is _MYSQL else quoted})
    return {_text(column): _text(words) for column, words in found if column is not None}


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
# Says the columns that a query has, through views, synonyms and types of the ERP's own, as SQL Server sees them.
_SQL_SERVER = """
SELECT name, system_type_name
FROM sys.dm_exec_describe_first_result_set(N'SELECT * FROM <table>', NULL, 0)
WHERE is_hidden = 0 AND error_number IS NULL
ORDER BY column_ordinal
"""


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _inspected(connection: sa.Connection, table: str) -> Iterator[tuple[str, str]]:
    inspector = sa.inspect(connection)
    if inspector.has_table(table) or table in inspector.get_view_names():
        for column in inspector.get_columns(table):
            yield column["name"], str(column["type"]).lower()
