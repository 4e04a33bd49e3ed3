"""What a transaction keeps for itself: temporary tables, the right to write a table, how it is planned."""

from collections.abc import Collection
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.months import qualified
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.tables import write_locks


def lock(connection: sa.Connection, *tables: sa.Table) -> None:
    """Wait for, and hold until the transaction ends, the right to write a table, or several.

    Dagster's pools keep runs apart; this keeps apart whoever else comes. A server that ends transactions which idle is
    told to let this one wait for its source.

    Raises:
        WarehouseError: the warehouse does not know of this right.
    """
    connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    _check_known(connection.scalars(_rights(tables).with_for_update()).all(), tables)


def try_lock(connection: sa.Connection, tables: Collection[sa.Table]) -> bool:
    """Hold the right to write these tables until the transaction ends, if nobody else has that of any of them.

    Whoever writes several tables in one transaction takes all these rights before anything else: to wait for one with
    rows of another in hand is how two transactions come to wait for each other.

    Raises:
        WarehouseError: the warehouse does not know of one of these rights.
    """
    taken = connection.scalars(_rights(tables).with_for_update(skip_locked=True)).all()
    if len(taken) == len(tables):
        return True
    _check_known(connection.scalars(_rights(tables)).all(), tables)
    return False


def _rights(tables: Collection[sa.Table]) -> sa.Select[Any]:
    """The rows that stand for the right to write these tables, always in the same order.

    Rows, not advisory locks: those can be taken by everybody who can connect, these by who may write here.
    """
    name = write_locks.c.table_name
    return sa.select(name).where(name.in_([qualified(table) for table in tables])).order_by(name)


def _check_known(found: Collection[str], tables: Collection[sa.Table]) -> None:
    if unknown := {qualified(table) for table in tables} - set(found):
        raise WarehouseError(
            f"ops.write_locks has no row of {', '.join(sorted(unknown))}, without which nobody may write there. Let "
            "one be made by: ledger db upgrade"
        )


def plan_for(connection: sa.Connection, scope: Scope) -> None:
    """Rule nested loops out for the rest of the transaction if the scope covers every customer.

    What was written a moment ago has no statistics yet, and a plan made for a handful of rows never ends with millions.
    """
    if scope.whole:
        connection.execute(sa.text("SET LOCAL enable_nestloop = off"))


@cache
def staging(table: sa.Table) -> sa.Table:
    """The declaration of a temporary table with the columns of ``table``."""
    columns = (sa.Column(column.name, column.type, nullable=column.nullable) for column in table.columns)
    return temporary(f"staged_{table.name}", *columns)


def temporary(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """The declaration of a temporary table that is empty at the start of each transaction (`make_temporary`)."""
    options: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DELETE ROWS"}
    return sa.Table(name, sa.MetaData(), *columns, **options)


def make_temporary(connection: sa.Connection, *tables: sa.Table) -> None:
    """Create temporary tables unless this session has them."""
    for table in tables:
        connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
