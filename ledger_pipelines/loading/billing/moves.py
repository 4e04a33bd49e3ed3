"""Readings that move to another month or customer: each stays loaded exactly once.

A reading that moves into a load's scope is deleted from its old place. A reading that moves out of the scope is written
to its new place. A reading that became unusable is rejected. The transactions of months that lose or gain a reading
are invalidated.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.billing.records import MeterReading
from ledger_pipelines.warehouse.invalidations import invalidate
from ledger_pipelines.warehouse.merge import Counts, CountsByMonth, is_any_of, is_in_scope, qualified_name
from ledger_pipelines.warehouse.ops.confirmations import confirmed_row_counts
from ledger_pipelines.warehouse.ops.rejected_rows import as_bigint, is_of_customers
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines.warehouse.tables import meter_readings, rejected_rows, transaction_calculations


def find_missing_readings(
    connection: sa.Connection,
    scope: Scope,
    horizon: Horizon,
    staged: sa.Table,
    rejections: sa.Table,
    guard: DeletionGuard,
) -> list[int]:
    """Return the readings of the scope, loaded or rejected, that the source no longer returned for it.

    For a scope of all months and customers the list is empty: a reading that it does not find is deleted.

    Raises:
        DeletionRefusedError: An implausible number of readings is missing.
    """
    if scope.covers_all_customers and set(horizon.months) <= set(scope.months):
        return []
    seen = _read_ids(staged, rejections)
    columns = (meter_readings.c.reading_id, meter_readings.c.year_month, meter_readings.c.customer_id)
    present = sa.select(*columns).where(is_in_scope(meter_readings, scope))
    missing = connection.execute(present.where(meter_readings.c.reading_id.not_in(seen))).all()
    if missing:
        _check_guard(connection, guard, missing, _by_month(connection, present))
    known = rejected_rows.c
    of_scope = sa.or_(known.year_month.in_(scope.months), known.year_month.is_(None))
    usable = sa.exists().where(staged.c.reading_id == as_bigint(known.source_id))
    still_rejected = sa.exists().where(rejections.c.source_id == known.source_id)
    rejected = sa.select(known.source_id).where(
        known.asset == meter_readings.name, of_scope, is_of_customers(scope), ~usable, ~still_rejected
    )
    return [*(row.reading_id for row in missing), *map(ids.parse_id, connection.scalars(rejected))]


def _check_guard(
    connection: sa.Connection, guard: DeletionGuard, missing: Sequence[sa.Row[int, str, int]], before: Mapping[str, int]
) -> None:
    """Check the readings that leave their months, except those of customers with a confirmed deletion.

    Raises:
        DeletionRefusedError: An implausible number of readings is missing.
    """
    # The number of confirmed rows is checked at the deletion: some of these readings may only have moved.
    allowed = confirmed_row_counts(connection, qualified_name(meter_readings))
    confirmed = Counter(row.year_month for row in missing if row.customer_id in allowed)
    for month, count in Counter(row.year_month for row in missing).items():
        counts = Counts(deleted=count, unchanged=before[month] - count)
        guard.check(f"{qualified_name(meter_readings)} of {month}", counts, confirmed=confirmed[month])


def delete_outside_scope(
    connection: sa.Connection, scope: Scope, staged: sa.Table, rejections: sa.Table
) -> CountsByMonth:
    """Delete the readings loaded outside the scope that are now staged or rejected in it; count them by month.

    This relies on every reading being loaded at most once, which it also preserves.
    """
    reading_id = meter_readings.c.reading_id
    seen = _read_ids(staged, rejections)
    moved_in: sa.ColumnElement[bool] = reading_id.in_(seen)
    if (
        not scope.covers_all_customers
    ):  # most readings have not moved, and searching for each of them in every month is slow
        present = sa.select(reading_id).where(is_in_scope(meter_readings, scope))
        moved_in = is_any_of(reading_id, connection.scalars(sa.except_(seen, present)).all())
    moved = (
        sa.delete(meter_readings)
        .where(moved_in, ~is_in_scope(meter_readings, scope))
        .returning(meter_readings.c.customer_id, meter_readings.c.year_month)
    )
    places = connection.execute(moved).all()
    for customer_id, month in set(places):
        invalidate(connection, transaction_calculations, [month], [customer_id])
    return {month: Counts(deleted=count) for month, count in Counter(month for _, month in places).items()}


def relocate(connection: sa.Connection, readings: Iterable[MeterReading]) -> CountsByMonth:
    """Write readings that moved out of the scope to their present month and customer; count them by month.

    The old place lies in the scope, but the merge that follows finds it without the reading, so it is invalidated here.
    """
    counts: Counter[tuple[str, str]] = Counter()
    old_place = (meter_readings.c.customer_id, meter_readings.c.year_month)
    for reading in readings:
        is_same = meter_readings.c.reading_id == reading.reading_id
        for customer_id, month in connection.execute(sa.delete(meter_readings).where(is_same).returning(*old_place)):
            counts[month, "deleted"] += 1
            invalidate(connection, transaction_calculations, [month], [customer_id])
        ensure_partition(connection, meter_readings, reading.year_month)
        connection.execute(sa.insert(meter_readings), reading._asdict())
        counts[reading.year_month, "inserted"] += 1
        invalidate(connection, transaction_calculations, [reading.year_month], [reading.customer_id])
    return {
        month: Counts(inserted=counts[month, "inserted"], deleted=counts[month, "deleted"])
        for month in {month for month, _ in counts}
    }


def _read_ids(staged: sa.Table, rejections: sa.Table) -> sa.CompoundSelect[Any]:
    """Return a query for the ids of all readings that this load has read, usable or rejected."""
    rejected = as_bigint(rejections.c.source_id)  # NULL where no BIGINT holds the id: never loaded
    return sa.union_all(sa.select(staged.c.reading_id), sa.select(rejected).where(rejected.is_not(None)))


def _by_month(connection: sa.Connection, readings: sa.Select[Any]) -> dict[str, int]:
    found = readings.subquery()
    counted = sa.select(found.c.year_month, sa.func.count()).group_by(found.c.year_month)
    return dict(connection.execute(counted).all())
