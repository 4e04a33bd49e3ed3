"""`ledger.stale_months`: the notes by which one step tells the next that a month's inputs changed.

A step that changes rows notes the months; the step that recalculates them takes the notes first and reads the
inputs afterwards, in one transaction, so a change committed in between leaves its note for the next run.
"""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.months import qualified
from ledger_pipelines.warehouse.tables import MonthKey, stale_months


def note_stale(
    connection: sa.Connection,
    table: sa.Table,
    months: Collection[str],
    customers: Collection[int] | None,
    *,
    covered: Scope | None = None,
) -> None:
    """Note that some months of a table are to be recalculated.

    Args:
        connection: Within the transaction that changes what they are computed from.
        table: The table.
        months: The months.
        customers: Of these customers; None: of all.
        covered: What is recalculated within the same transaction anyway: if that is all of it, nothing is noted.
    """
    if covered is not None and covered.covers(months, customers):
        return
    who = [None] if customers is None else sorted(set(customers))
    every_month = sa.select(
        sa.func.unnest(sa.literal(sorted(set(months)), sa.ARRAY(MonthKey))).label("month")
    ).subquery()
    everybody = sa.select(sa.func.unnest(sa.literal(who, sa.ARRAY(sa.BigInteger))).label("customer")).subquery()
    notes = sa.select(sa.literal(qualified(table)), every_month.c.month, everybody.c.customer)
    noting = insert(stale_months).from_select(
        ["table_name", "year_month", "customer_id"], notes.select_from(sa.join(every_month, everybody, sa.true()))
    )
    # Not "do nothing": a note that somebody is taking at this moment must be there again when they are done.
    renewed = noting.on_conflict_do_update(
        index_elements=["table_name", "year_month", "customer_id"], set_={"noted_at": sa.func.now()}
    )
    connection.execute(renewed)


def take_stale(connection: sa.Connection, table: sa.Table, scope: Scope, until: str) -> Scope:
    """Remove the notes up to the month ``until`` that a recalculation settles and return the scope it has to cover.

    That is the given scope, widened by the months noted and, where it names customers, by the customers noted: a
    reading that moved from one customer to another changes both. Notes for all customers widen the months of a scope
    of some, but stay for the others.
    """
    notes = stale_months.c
    named = sa.and_(notes.table_name == qualified(table), notes.year_month <= until)
    taking = sa.delete(stale_months).where(named).returning(notes.year_month, notes.customer_id)
    if scope.customers is None:
        months = {note.year_month for note in connection.execute(taking)}
        return Scope(tuple(sorted({*scope.months, *months})))
    own = connection.execute(taking.where(notes.customer_id.is_not(None))).all()
    shared = connection.scalars(sa.select(notes.year_month).where(named, notes.customer_id.is_(None))).all()
    return Scope(
        tuple(sorted({*scope.months, *shared, *(note.year_month for note in own)})),
        tuple(sorted({*scope.customers, *(note.customer_id for note in own)})),
    )
