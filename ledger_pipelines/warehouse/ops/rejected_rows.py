"""`ops.rejected_rows`: source rows that cannot be used, each stored until the source is corrected."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines import ids
from ledger_pipelines.horizon import Scope
from ledger_pipelines.rejection_reasons import REASON_COLUMNS
from ledger_pipelines.warehouse.merge import UNPARTITIONED, is_any_of
from ledger_pipelines.warehouse.tables import rejected_rows

#: The columns of a rejection, except those that record which run found it and when.
REJECTION_COLUMNS = ("source_table", "source_id", "customer_id", "year_month", *REASON_COLUMNS, "raw_row")


def is_of_customers(scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition for rejected rows of the scope's customers."""
    customer_id = rejected_rows.c.customer_id
    if scope.customers is None:
        return sa.true()
    named = is_any_of(customer_id, scope.customers)
    return sa.or_(named, customer_id.is_(None)) if ids.UNSTORABLE_ID in scope.customers else named


def as_bigint(source_id: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    """Return the id in a text as BIGINT, NULL where it does not fit."""
    number = sa.cast(source_id, sa.Numeric)
    fits = sa.and_(number.between(ids.SMALLEST, ids.LARGEST), number == sa.func.trunc(number))
    return sa.case((fits, sa.cast(number, sa.BigInteger)))


def replace_rejections(
    connection: sa.Connection,
    asset: str,
    rejections: sa.Select[Any],
    within: sa.ColumnElement[bool],
    run_id: str,
) -> dict[str, int]:
    """Make an asset's rejected rows that match ``within`` equal to ``rejections`` and return their numbers by month.

    A row that is still rejected keeps its ``first_seen``; one that is no longer rejected is deleted.

    Args:
        connection: Within the transaction that writes the asset's table.
        asset: Name of the asset that rejects the rows.
        rejections: The rejected rows, with the columns of `REJECTION_COLUMNS` in order.
        within: Condition on the rows of `ops.rejected_rows` that ``rejections`` replaces.
        run_id: The run that rejects them.
    """
    seen = rejections.cte("rejections")
    table = rejected_rows
    addition = insert(table).from_select(
        ["asset", *REJECTION_COLUMNS, "run_id", "first_seen", "last_seen"],
        sa.select(
            sa.literal(asset),
            *(seen.c[name] for name in REJECTION_COLUMNS),
            sa.literal(run_id),
            sa.func.now(),
            sa.func.now(),
        ),
    )
    updated = {name: addition.excluded[name] for name in (*REJECTION_COLUMNS, "run_id", "last_seen")}
    upsert = addition.on_conflict_do_update(constraint=table.primary_key, set_=updated).returning(table.c.year_month)
    same = sa.and_(table.c.source_table == seen.c.source_table, table.c.source_id == seen.c.source_id)
    removal = (
        sa.delete(table)
        .where(table.c.asset == asset, within, ~sa.exists(sa.select(1).where(same).correlate(table)))
        .returning(table.c.asset)
    )
    statement = _count_by_month(upsert.cte("added")).add_cte(removal.cte("gone"))
    return dict(connection.execute(statement).all())


def keep_rejections(
    connection: sa.Connection, asset: str, within: sa.ColumnElement[bool], run_id: str
) -> dict[str, int]:
    """Record that an asset still rejects its rows that match ``within``; return their numbers by month."""
    row = rejected_rows.c
    seen = sa.update(rejected_rows).where(row.asset == asset, within).values(run_id=run_id, last_seen=sa.func.now())
    return dict(connection.execute(_count_by_month(seen.returning(row.year_month).cte("kept"))).all())


def _count_by_month(rows: sa.CTE) -> sa.Select[str, int]:
    """One row: a month, and the number of rows in it."""
    month: sa.ColumnElement[str] = sa.func.coalesce(rows.c.year_month, UNPARTITIONED)
    return sa.select(month, sa.func.count()).group_by(month)
