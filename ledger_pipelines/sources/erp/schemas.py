"""Schemas of the ERP that hold a table or view of the same name, and the one from which it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.table_columns import as_text, quoted


@dataclass(frozen=True)
class TableSchemas:
    """Schemas in which this login sees a table or view of one name; in MySQL and MariaDB, a schema is a database.

    Attributes:
        table: The table.
        names: The schemas in alphabetical order; empty if servers of this kind are not asked.
        read: The schema from which the table is read; None if that lacks the table.
        is_chosen: Whether the settings name the schema; at MySQL and MariaDB, the URL of the ERP does.
    """

    table: ErpTable
    names: tuple[str, ...]
    read: str | None
    is_chosen: bool

    @property
    def is_elsewhere(self) -> bool:
        """Whether the table is missing where it is read, but exists in another schema."""
        return bool(self.names) and self.read is None

    @property
    def listed(self) -> str:
        """The schemas for a message."""
        return f"the {'schema' if len(self.names) == 1 else 'schemas'} {', '.join(self.names)}"

    @property
    def advice_if_missing(self) -> str:
        """What to check or to set if the table is missing where it is read."""
        if self.is_elsewhere:
            return f"It exists in {self.listed}. {self.choices}"
        schema = "" if self.table.schema is None else f", and is {self.table.schema} in LEDGER_ERP_SCHEMA right"
        grant = f"grant this user SELECT on {self.table.full_name}, and nothing else."
        return f"Is LEDGER_ERP_URL the ERP's database{schema}? If so, {grant}"

    @property
    def choices(self) -> str:
        """Advice to name one of the schemas in the settings."""
        written = (name if re.fullmatch(r"\w+", name) else f"[{name}]" for name in self.names)
        settings = " or ".join(f"LEDGER_ERP_SCHEMA={name}.{self.table.name}" for name in written)
        return f"Set {settings}, or the schema alone for all tables."


def schemas_of(connection: sa.Connection, table: ErpTable) -> TableSchemas:
    """Return the schemas that hold a table or view of this name.

    Raises:
        Exception: any error of the driver.
    """
    dialect = connection.dialect
    is_chosen = table.schema is not None or dialect.name in {MYSQL, MARIADB}
    is_read: dict[str, bool] = {}
    if dialect.name in _QUERIES:
        path = quoted(dialect, table.name, table.schema)
        values = {"name": table.name, "schema": table.schema, "path": path}
        found = connection.execute(sa.text(_QUERIES[dialect.name]), values)
        is_read = {as_text(schema): bool(read) for schema, read in found}
    read = next((schema for schema, read in is_read.items() if read), None)
    return TableSchemas(table, tuple(is_read), read, is_chosen)


_POSTGRESQL = """
SELECT n.nspname, CASE WHEN c.oid = to_regclass(:path) THEN 1 ELSE 0 END
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = :name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
ORDER BY n.nspname
"""
_MYSQL = """
SELECT table_schema, CASE WHEN table_schema = coalesce(:schema, database()) THEN 1 ELSE 0 END
FROM information_schema.tables
WHERE table_name = :name AND table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
ORDER BY table_schema
"""
# SQL Server lists only objects on which the login has a right. U: table, V: view, SN: synonym.
_SQL_SERVER = """
SELECT s.name, CASE WHEN o.object_id = OBJECT_ID(:path) THEN 1 ELSE 0 END
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.name = :name AND o.type IN ('U', 'V', 'SN')
ORDER BY s.name
"""
_QUERIES: Mapping[str, str] = {
    POSTGRESQL: _POSTGRESQL,
    MYSQL: _MYSQL,
    MARIADB: _MYSQL,
    SQL_SERVER: _SQL_SERVER,
}
