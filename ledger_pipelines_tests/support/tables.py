"""Statements in a transaction of their own, and rows of whole tables: read, deleted, or altered temporarily."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines.warehouse.ops.audit import AuditEntry


def execute(engine: sa.Engine, *statements: str | sa.Executable) -> None:
    """Execute statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)


def rows_of(engine: sa.Engine, table: sa.Table, *order: str) -> list[sa.RowMapping]:
    """Return the rows of a table, by default in the order of the primary key."""
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).order_by(*(order or table.primary_key))).mappings())


def delete_all_rows(warehouse: sa.Engine) -> None:
    """Delete the rows of a warehouse, except the locks of its tables."""
    emptied = [table for table in reversed(tables.metadata.sorted_tables) if table is not tables.write_locks]
    with warehouse.begin() as connection:
        connection.exec_driver_sql(";".join(str(sa.delete(table)) for table in emptied))


def newest_audit_entry(warehouse: sa.Engine) -> AuditEntry:
    """Return the newest entry of the audit log."""
    with warehouse.connect() as connection:
        return audit.latest(connection, limit=1)[0]


@contextmanager
def altered(engine: sa.Engine, there: str, back: str) -> Iterator[None]:
    """Alter a table temporarily."""
    with engine.begin() as connection:
        connection.exec_driver_sql(there)
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(back)
