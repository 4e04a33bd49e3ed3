"""What a transaction keeps for itself: temporary tables, the right to write a table, how it is planned."""

from collections.abc import Collection
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.months import qualified


def lock(connection: sa.Connection, table: sa.Table) -> None:
    """Wait for, and hold until the transaction ends, the right to write a table.

    Dagster's pools keep runs apart; this keeps apart whoever else comes. A server that ends transactions which idle is
    told to let this one wait for its source.
    """
    connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(qualified(table), 0))))


def try_lock(connection: sa.Connection, tables: Collection[sa.Table]) -> bool:
    """Hold the right to write these tables until the transaction ends, if nobody else has that of any of them.

    Whoever writes several tables in one transaction takes all these rights before anything else: to wait for one with
    rows of another in hand is how two transactions come to wait for each other.
    """
    keys = [sa.func.hashtextextended(qualified(table), 0) for table in tables]
    taken = [sa.func.pg_try_advisory_xact_lock(key) for key in keys]
    return all(connection.execute(sa.select(*taken)).one())


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
