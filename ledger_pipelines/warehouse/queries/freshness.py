"""Freshness of the warehouse: the last applied batch of changes, and the queued changes."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import pending_changes, realtime_batches, stale_months

_pending, _batch = pending_changes.c, realtime_batches.c


@dataclass(frozen=True)
class Freshness:
    """The last applied batch of changes, and the queued changes.

    Attributes:
        asked_at: The server's time.
        last_batch_at: When changes of the billing application were last applied; None: not within the last 30 days.
        last_batch_changes: Number of those changes.
        pending: Number of queued changes, except held ones.
        failing: Number of queued changes whose last attempt failed and that are retried.
        held: Number of changes of customers without automatic recalculation.
        oldest_pending: When the oldest queued change was found, held ones excluded.
        stale: Number of invalidations: months of a ledger table to recalculate.
    """

    asked_at: datetime
    last_batch_at: datetime | None
    last_batch_changes: int | None
    pending: int
    failing: int
    held: int
    oldest_pending: datetime | None
    stale: int

    @property
    def oldest_pending_seconds(self) -> float | None:
        """Age of the oldest queued change, held ones excluded; None for an empty queue."""
        return None if self.oldest_pending is None else (self.asked_at - self.oldest_pending).total_seconds()


def freshness(connection: sa.Connection) -> Freshness:
    """Return the freshness, read in one statement and so as of one moment."""
    last = sa.select(_batch.committed_at, _batch.changes).order_by(_batch.committed_at.desc()).limit(1).subquery()
    is_pending = ~_pending.held
    pending = sa.select(
        sa.func.count().filter(is_pending).label("pending"),
        sa.func.count().filter(is_pending, _pending.error.is_not(None)).label("failing"),
        sa.func.count().filter(_pending.held).label("held"),
        sa.func.min(_pending.noticed_at).filter(is_pending).label("oldest"),
    ).subquery()
    stale = sa.select(sa.func.count()).select_from(stale_months).scalar_subquery()
    statement = sa.select(sa.func.now(), last.c.committed_at, last.c.changes, *pending.c, stale).select_from(
        sa.outerjoin(pending, last, sa.true())
    )
    return Freshness(*connection.execute(statement).one())
