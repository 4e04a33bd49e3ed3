"""Readings that move to another month or customer: never in two places, nor in none.

One that comes into a load's scope leaves where it was; one that left the scope is followed to where it is now; one that
became unusable on the way is among the rejected rows. The months that lose or gain one are noted as stale.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.billing_records import Reading
from ledger_pipelines.warehouse.confirmations import confirmed_rows
from ledger_pipelines.warehouse.months import Counts, CountsByMonth, one_of, qualified, rows_of
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines.warehouse.rejected import bigint_of, of_customers
from ledger_pipelines.warehouse.stale import note_stale
from ledger_pipelines.warehouse.tables import meter_readings, rejected_rows, transaction_calculations


def left_behind(
    connection: sa.Connection,
    scope: Scope,
    horizon: Horizon,
    staged: sa.Table,
    rejections: sa.Table,
    guard: DeletionGuard,
) -> list[int]:
    """The readings, loaded or rejected, that the scope had and that the source did not give for it any more.

    None for a scope of everything: what it does not see is gone.

    Raises:
        DeletionRefusedError: they are implausibly many.
    """
    if scope.whole and set(horizon.months) <= set(scope.months):
        return []
    seen = _seen(staged, rejections)
    columns = (meter_readings.c.reading_id, meter_readings.c.year_month, meter_readings.c.customer_id)
    present = sa.select(*columns).where(rows_of(meter_readings, scope))
    gone = connection.execute(present.where(meter_readings.c.reading_id.not_in(seen))).all()
    if gone:
        _ask(connection, guard, gone, _by_month(connection, present))
    known = rejected_rows.c
    of_scope = sa.or_(known.year_month.in_(scope.months), known.year_month.is_(None))
    usable = sa.exists().where(staged.c.reading_id == bigint_of(known.source_id))
    still_rejected = sa.exists().where(rejections.c.source_id == known.source_id)
    rejected = sa.select(known.source_id).where(
        known.asset == meter_readings.name, of_scope, of_customers(scope), ~usable, ~still_rejected
    )
    return [*(row.reading_id for row in gone), *map(ids.of_text, connection.scalars(rejected))]


def _ask(
    connection: sa.Connection, guard: DeletionGuard, gone: Sequence[sa.Row[int, str, int]], before: Mapping[str, int]
) -> None:
    """Ask the guard whether readings may leave their months, those aside that a person has confirmed.

    Raises:
        DeletionRefusedError: they are implausibly many.
    """
    # How many rows were confirmed is asked when they are deleted: of these, some may only have moved.
    allowed = confirmed_rows(connection, qualified(meter_readings))
    confirmed = Counter(row.year_month for row in gone if row.customer_id in allowed)
    for month, count in Counter(row.year_month for row in gone).items():
        counts = Counts(deleted=count, unchanged=before[month] - count)
        guard.check(f"{qualified(meter_readings)} of {month}", counts, confirmed=confirmed[month])


def evict(connection: sa.Connection, scope: Scope, staged: sa.Table, rejections: sa.Table) -> CountsByMonth:
    """Delete what is staged, as usable or as rejected, where it was loaded outside the scope; count by month.

    It relies on what it keeps so: that no reading is in two places.
    """
    reading_id = meter_readings.c.reading_id
    seen = _seen(staged, rejections)
    come: sa.ColumnElement[bool] = reading_id.in_(seen)
    if not scope.whole:  # most are where they were, and to look for each of them in every month takes long
        present = sa.select(reading_id).where(rows_of(meter_readings, scope))
        come = one_of(reading_id, connection.scalars(sa.except_(seen, present)).all())
    moved = (
        sa.delete(meter_readings)
        .where(come, ~rows_of(meter_readings, scope))
        .returning(meter_readings.c.customer_id, meter_readings.c.year_month)
    )
    places = connection.execute(moved).all()
    for customer_id, month in set(places):
        note_stale(connection, transaction_calculations, [month], [customer_id])
    return {month: Counts(deleted=count) for month, count in Counter(month for _, month in places).items()}


def relocate(connection: sa.Connection, readings: Iterable[Reading]) -> CountsByMonth:
    """Write readings that left the scope to the month and customer that they have now; count by month."""
    counts: Counter[tuple[str, str]] = Counter()
    for reading in readings:
        here = meter_readings.c.reading_id == reading.reading_id
        for month in connection.scalars(sa.delete(meter_readings).where(here).returning(meter_readings.c.year_month)):
            counts[month, "deleted"] += 1
        ensure_partition(connection, meter_readings, reading.year_month)
        connection.execute(sa.insert(meter_readings), reading._asdict())
        counts[reading.year_month, "inserted"] += 1
        note_stale(connection, transaction_calculations, [reading.year_month], [reading.customer_id])
    return {
        month: Counts(inserted=counts[month, "inserted"], deleted=counts[month, "deleted"])
        for month in {month for month, _ in counts}
    }


def _seen(staged: sa.Table, rejections: sa.Table) -> sa.CompoundSelect[Any]:
    """The ids of all readings that this load has read and that may have been loaded before."""
    refused = bigint_of(rejections.c.source_id)
    return sa.union_all(sa.select(staged.c.reading_id), sa.select(refused).where(refused.is_not(None)))


def _by_month(connection: sa.Connection, readings: sa.Select[Any]) -> dict[str, int]:
    found = readings.subquery()
    counted = sa.select(found.c.year_month, sa.func.count()).group_by(found.c.year_month)
    return dict(connection.execute(counted).all())
