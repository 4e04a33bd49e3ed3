"""Settings and resources of one transaction: write locks, temporary tables, planner options."""

from collections.abc import Collection
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.merge import qualified_name
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.tables import write_locks


def lock_tables(connection: sa.Connection, *tables: sa.Table) -> None:
    """Acquire the write locks of tables, waiting for them, and hold them until the transaction ends.

    Dagster's pools separate runs only; the locks also exclude other processes. The transaction may idle while it waits
    for its source, so the server's idle timeout is switched off.

    Raises:
        WarehouseError: `ops.write_locks` has no row for a table.
    """
    connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    _check_known(connection.scalars(_lock_rows(tables).with_for_update()).all(), tables)


def try_lock_tables(connection: sa.Connection, tables: Collection[sa.Table]) -> bool:
    """Acquire the write locks of all these tables without waiting; False if another transaction holds one of them.

    A transaction that writes several tables acquires all its locks first: waiting for one while holding rows of
    another table can deadlock. After False, the locks that were free stay held until the transaction ends.

    Raises:
        WarehouseError: `ops.write_locks` has no row for a table.
    """
    acquired = connection.scalars(_lock_rows(tables).with_for_update(skip_locked=True)).all()
    if len(acquired) == len(tables):
        return True
    _check_known(connection.scalars(_lock_rows(tables)).all(), tables)
    return False


def _lock_rows(tables: Collection[sa.Table]) -> sa.Select[Any]:
    """One row: the write lock of a table, always in the same order.

    Rows instead of advisory locks: any role that can connect can take an advisory lock, but only a role that may write
    here can lock these rows.
    """
    name = write_locks.c.table_name
    return sa.select(name).where(name.in_([qualified_name(table) for table in tables])).order_by(name)


def _check_known(found: Collection[str], tables: Collection[sa.Table]) -> None:
    if missing := {qualified_name(table) for table in tables} - set(found):
        raise WarehouseError(
            f"ops.write_locks has no row of {', '.join(sorted(missing))}, and a table cannot be written without its "
            "row there. Run `ledger db upgrade` to create it."
        )


def avoid_nested_loops(connection: sa.Connection, scope: Scope) -> None:
    """Disable nested loops for the rest of the transaction if the scope covers every customer.

    Rows written in this transaction have no statistics yet. A plan for a handful of rows does not finish on millions.
    """
    if scope.covers_all_customers:
        connection.execute(sa.text("SET LOCAL enable_nestloop = off"))


@cache
def staging_table(table: sa.Table) -> sa.Table:
    """Return the declaration of a temporary table with the columns of ``table``."""
    columns = (sa.Column(column.name, column.type, nullable=column.nullable) for column in table.columns)
    return temporary_table(f"staged_{table.name}", *columns)


def temporary_table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """Return the declaration of a temporary table, emptied at each commit; `create_temporary_tables` creates it."""
    options: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DELETE ROWS"}
    return sa.Table(name, sa.MetaData(), *columns, **options)


def create_temporary_tables(connection: sa.Connection, *tables: sa.Table) -> None:
    """Create temporary tables unless they exist in this session."""
    for table in tables:
        connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
