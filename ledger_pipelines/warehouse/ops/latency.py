"""`ops.realtime_batches`: latency of changes, from the change to the updated balances."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.change_queue import PendingChange
from ledger_pipelines.warehouse.tables import realtime_batches

_KEPT_DAYS = 30
_MILLISECOND = timedelta(milliseconds=1)
_batch = realtime_batches.c


@dataclass(frozen=True)
class AppliedBatch:
    """Changes that were applied in one transaction.

    Attributes:
        customers: Number of recalculated customers.
        changes: Number of applied changes.
        first_month: The earliest recalculated month.
        since_change_ms: Milliseconds since each row's own time of change; rows without one are left out.
        since_notice_ms: Milliseconds since each change was queued.
    """

    customers: int
    changes: int
    first_month: str
    since_change_ms: tuple[int, ...]
    since_notice_ms: tuple[int, ...]


@dataclass(frozen=True)
class LatencySummary:
    """Latency from change to balance in milliseconds.

    Attributes:
        changes: Number of changes.
        slow: Number of changes above the objective.
        median: The median.
        p95: The 95th percentile.
        maximum: The maximum.
    """

    changes: int
    slow: int
    median: int
    p95: int
    maximum: int


def record_batch(
    connection: sa.Connection, run_id: str, changes: Collection[PendingChange], customers: Collection[int]
) -> AppliedBatch:
    """Record the latency of applied changes; call it last in the transaction that applies them."""
    now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    batch = AppliedBatch(
        customers=len(customers),
        changes=len(changes),
        first_month=min(change.first_month for change in changes),
        since_change_ms=tuple(_ms(now, change.changed_at) for change in changes if change.changed_at is not None),
        since_notice_ms=tuple(_ms(now, change.noticed_at) for change in changes),
    )
    values = {name: getattr(batch, name) for name in AppliedBatch.__dataclass_fields__} | {"run_id": run_id}
    values |= {name: list(values[name]) for name in ("since_change_ms", "since_notice_ms")}
    connection.execute(sa.insert(realtime_batches), values)
    return batch


def delete_old_batches(connection: sa.Connection) -> None:
    """Delete batches older than 30 days."""
    since = sa.func.now() - sa.literal_column(f"interval '{_KEPT_DAYS} days'")
    connection.execute(sa.delete(realtime_batches).where(_batch.committed_at < since))


def latency_summary(connection: sa.Connection, objective_ms: int) -> LatencySummary | None:
    """Return the latency of the changes applied in the last hour; None if there were none."""
    since = sa.func.now() - sa.literal_column("interval '1 hour'")
    unnested = sa.select(sa.func.unnest(_batch.since_change_ms).label("ms")).where(_batch.committed_at >= since)
    latencies = unnested.subquery()
    percentiles = [sa.func.percentile_disc(share).within_group(latencies.c.ms) for share in (0.5, 0.95)]
    slow = sa.func.count().filter(latencies.c.ms > objective_ms)
    found = connection.execute(
        sa.select(sa.func.count(), slow, *percentiles, sa.func.max(latencies.c.ms)).select_from(latencies)
    ).one()
    return LatencySummary(*found) if found[0] else None


def min_median_max(values: Sequence[int]) -> tuple[int, int, int] | None:
    """Return the minimum, median and maximum of some values; None without any."""
    ordered = sorted(values)
    return (ordered[0], ordered[len(ordered) // 2], ordered[-1]) if ordered else None


def _ms(now: datetime, then: datetime) -> int:
    return max(0, (now - then) // _MILLISECOND)
