"""`ledger.stale_months`: invalidations of months whose inputs changed.

A step that changes rows invalidates the months computed from them. The step that recalculates the months consumes the
invalidations first and reads the inputs afterwards, in one transaction. An invalidation committed in between stays for
the next run.
"""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.merge import qualified_name
from ledger_pipelines.warehouse.tables import MonthKey, stale_months


@dataclass(frozen=True)
class ConsumedInvalidations:
    """Invalidations that a recalculation consumes.

    Attributes:
        scope: The scope that the recalculation must cover.
        months: The months of the scope with an invalidation of any customer.
    """

    scope: Scope
    months: frozenset[str]


def invalidate(
    connection: sa.Connection,
    table: sa.Table,
    months: Collection[str],
    customers: Collection[int] | None,
    *,
    covered: Scope | None = None,
) -> None:
    """Mark months of a table as to be recalculated.

    Args:
        connection: Within the transaction that changes the inputs of those months.
        table: The table to recalculate.
        months: The months to recalculate.
        customers: The customers to recalculate; None: all.
        covered: The scope that the same transaction recalculates anyway. If it covers everything, nothing is written.
            A recalculation of all customers skips months without an invalidation, so it covers nothing.
    """
    if covered is not None and not covered.covers_all_customers and covered.covers(months, customers):
        return
    customer_ids = [None] if customers is None else sorted(set(customers))
    month = sa.select(sa.func.unnest(sa.literal(sorted(set(months)), sa.ARRAY(MonthKey))).label("month")).subquery()
    customer = sa.select(sa.func.unnest(sa.literal(customer_ids, sa.ARRAY(sa.BigInteger))).label("customer")).subquery()
    invalidations = sa.select(sa.literal(qualified_name(table)), month.c.month, customer.c.customer)
    statement = insert(stale_months).from_select(
        ["table_name", "year_month", "customer_id"], invalidations.select_from(sa.join(month, customer, sa.true()))
    )
    # Not DO NOTHING: where another transaction is deleting the same row, the row must exist again after its commit.
    upsert = statement.on_conflict_do_update(
        index_elements=["table_name", "year_month", "customer_id"], set_={"noted_at": sa.func.now()}
    )
    connection.execute(upsert)


def consume_invalidations(
    connection: sa.Connection, table: sa.Table, scope: Scope, until: str
) -> ConsumedInvalidations:
    """Remove the invalidations up to the month ``until`` and return them with the scope to recalculate.

    The returned scope is the given one plus the invalidated months. A scope of single customers also gains the
    invalidated customers: a reading that moved from one customer to another changes both. An invalidation of all
    customers widens the months of a scope of single customers, but stays in the table for the other customers.
    """
    row = stale_months.c
    of_table = sa.and_(row.table_name == qualified_name(table), row.year_month <= until)
    removal = sa.delete(stale_months).where(of_table).returning(row.year_month, row.customer_id)
    if scope.customers is None:
        months = frozenset(removed.year_month for removed in connection.execute(removal))
        return ConsumedInvalidations(Scope(tuple(sorted({*scope.months, *months}))), months)
    own = connection.execute(removal.where(row.customer_id.is_not(None))).all()
    shared = connection.scalars(sa.select(row.year_month).where(of_table, row.customer_id.is_(None))).all()
    months = frozenset({*shared, *(removed.year_month for removed in own)})
    customers = tuple(sorted({*scope.customers, *(removed.customer_id for removed in own)}))
    return ConsumedInvalidations(Scope(tuple(sorted({*scope.months, *months})), customers), months)
