"""How fresh the warehouse is: what was taken up last, and what waits."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import pending_changes, realtime_batches, stale_months

_pending, _batch = pending_changes.c, realtime_batches.c


@dataclass(frozen=True)
class Freshness:
    """What was taken up last, and what waits.

    Attributes:
        asked_at: The server's time.
        last_batch_at: When changes of the billing application were last taken up; None: never, or long ago.
        last_batch_changes: How many changes that were.
        pending: Changes that wait to be taken up; those put aside (`held`) do not count.
        failing: Those of them that could not be taken up and are tried again.
        held: Changes of customers that automatic recalculation leaves alone.
        oldest_pending: When the oldest that waits was noticed.
        stale: Months of a ledger table that are to be recalculated.
    """

    asked_at: datetime
    last_batch_at: datetime | None
    last_batch_changes: int | None
    pending: int
    failing: int
    held: int
    oldest_pending: datetime | None
    stale: int


def freshness(connection: sa.Connection) -> Freshness:
    """How fresh the warehouse is, in one statement and so at one moment."""
    last = sa.select(_batch.committed_at, _batch.changes).order_by(_batch.committed_at.desc()).limit(1).subquery()
    waits = ~_pending.held
    pending = sa.select(
        sa.func.count().filter(waits).label("pending"),
        sa.func.count().filter(waits, _pending.error.is_not(None)).label("failing"),
        sa.func.count().filter(_pending.held).label("held"),
        sa.func.min(_pending.noticed_at).filter(waits).label("oldest"),
    ).subquery()
    stale = sa.select(sa.func.count()).select_from(stale_months).scalar_subquery()
    statement = sa.select(sa.func.now(), last.c.committed_at, last.c.changes, *pending.c, stale).select_from(
        sa.outerjoin(pending, last, sa.true())
    )
    return Freshness(*connection.execute(statement).one())
