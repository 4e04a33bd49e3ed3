"""`ops.realtime_batches`: how long changes had waited by the time they were in the balances."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ledger_pipelines.warehouse.pending import Waiting
from ledger_pipelines.warehouse.tables import realtime_batches

_KEPT_DAYS = 30
_MILLISECOND = timedelta(milliseconds=1)
_batch = realtime_batches.c


@dataclass(frozen=True)
class Batch:
    """Changes that were taken up together.

    Attributes:
        customers: How many customers were recalculated.
        changes: How many changes were taken up.
        first_month: The earliest month that was recalculated.
        since_change_ms: Milliseconds since each changed by its own word; those that say nothing are left out.
        since_notice_ms: Milliseconds since each was noticed.
    """

    customers: int
    changes: int
    first_month: str
    since_change_ms: tuple[int, ...]
    since_notice_ms: tuple[int, ...]


@dataclass(frozen=True)
class Spread:
    """How long changes took, from change to balance, in milliseconds; ``slow`` of them longer than they should."""

    changes: int
    slow: int
    half: int
    most: int
    longest: int


def record(connection: sa.Connection, run_id: str, taken: Collection[Waiting], customers: Collection[int]) -> Batch:
    """Record, as the last thing in the transaction that takes changes up, how long they have waited."""
    now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    batch = Batch(
        customers=len(customers),
        changes=len(taken),
        first_month=min(change.first_month for change in taken),
        since_change_ms=tuple(_ms(now, change.changed_at) for change in taken if change.changed_at is not None),
        since_notice_ms=tuple(_ms(now, change.noticed_at) for change in taken),
    )
    values = {name: getattr(batch, name) for name in Batch.__dataclass_fields__} | {"run_id": run_id}
    values |= {name: list(values[name]) for name in ("since_change_ms", "since_notice_ms")}
    connection.execute(sa.insert(realtime_batches), values)
    return batch


def forget_old(connection: sa.Connection) -> None:
    """Remove batches of more than 30 days ago."""
    since = sa.func.now() - sa.literal_column(f"interval '{_KEPT_DAYS} days'")
    connection.execute(sa.delete(realtime_batches).where(_batch.committed_at < since))


def spread(connection: sa.Connection, minutes: int, objective_ms: int) -> Spread | None:
    """How long the changes of the last minutes took; None if there were none."""
    since = sa.func.now() - minutes * sa.literal_column("interval '1 minute'")
    took = sa.select(sa.func.unnest(_batch.since_change_ms).label("ms")).where(_batch.committed_at >= since).subquery()
    shares = [sa.func.percentile_disc(share).within_group(took.c.ms) for share in (0.5, 0.95)]
    slow = sa.func.count().filter(took.c.ms > objective_ms)
    found = connection.execute(
        sa.select(sa.func.count(), slow, *shares, sa.func.max(took.c.ms)).select_from(took)
    ).one()
    return Spread(*found) if found[0] else None


def of(values: Sequence[int]) -> tuple[int, int, int] | None:
    """The least, the middle and the greatest of some values; None without any."""
    ordered = sorted(values)
    return (ordered[0], ordered[len(ordered) // 2], ordered[-1]) if ordered else None


def _ms(now: datetime, then: datetime) -> int:
    return max(0, (now - then) // _MILLISECOND)
