"""`ops.pending_changes`: the queue of changes in the billing application that the ledger has not applied yet.

A poller enqueues a change in the transaction that advances its watermark. The process that applies the change removes
it in the transaction that writes the ledger. A change therefore stays queued until it is in the balances, even if a
process dies in between. A row that changes again while it is being applied gets a new number and stays in the queue.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.merge import is_any_of
from ledger_pipelines.warehouse.tables import pending_changes

_FIRST_RETRY_SECONDS = 30
LAST_RETRY_SECONDS = 3600
_change = pending_changes.c


@dataclass(frozen=True, order=True)
class QueuedChange:
    """A change to enqueue.

    Attributes:
        source_table: The table of the billing application.
        source_id: The row's id there.
        customer_id: The customer it affects; `ids.UNSTORABLE_ID`: a customer whose id the ledger cannot hold.
        first_month: The earliest month it can affect.
        digest: Digest of the row when the change was found; empty: the row was deleted.
        changed_at: The row's own time of change; None if the row has none.
    """

    source_table: str
    source_id: int
    customer_id: int
    first_month: str
    digest: str
    changed_at: datetime | None


@dataclass(frozen=True)
class PendingChange:
    """A change in the queue."""

    number: int
    customer_id: int
    first_month: str
    changed_at: datetime | None
    noticed_at: datetime


def enqueue(connection: sa.Connection, changes: Iterable[QueuedChange]) -> int:
    """Enqueue changes and return how many were new or different; identical queued changes stay as they are."""
    table = pending_changes
    addition = insert(table)
    updated = {
        "number": sa.text("DEFAULT"),
        "digest": addition.excluded.digest,
        "first_month": sa.func.least(_change.first_month, addition.excluded.first_month),
        "changed_at": sa.func.least(_change.changed_at, addition.excluded.changed_at),
        "retry_at": None,
    }
    differs = sa.or_(_change.digest != addition.excluded.digest, _change.first_month > addition.excluded.first_month)
    statement = addition.on_conflict_do_update(constraint=table.primary_key, set_=updated, where=differs)
    # Sorted, so that two processes that enqueue the same changes lock the rows in the same order: no deadlock.
    rows = [asdict(change) for change in sorted(changes, key=lambda change: _key(change))]
    if not rows:
        return 0
    return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount


def _key(change: QueuedChange) -> tuple[str, int, int]:
    return change.source_table, change.source_id, change.customer_id


def newest_due(connection: sa.Connection) -> int | None:
    """Return the number of the newest change that can be applied now, or None."""
    number: int | None = connection.scalar(sa.select(sa.func.max(_change.number)).where(_is_due()))
    return number


def oldest_queued_at(connection: sa.Connection) -> datetime | None:
    """Return the queueing time of the oldest change that is neither held nor scheduled for a retry, or None."""
    is_waiting = sa.and_(~_change.held, _change.retry_at.is_(None))
    since: datetime | None = connection.scalar(sa.select(sa.func.min(_change.noticed_at)).where(is_waiting))
    return since


def has_failing(connection: sa.Connection) -> bool:
    """Return whether the queue has a change whose last attempt failed; held changes do not count."""
    failing = sa.exists().where(~_change.held, _change.error.is_not(None))
    return bool(connection.scalar(sa.select(failing)))


def dequeue(connection: sa.Connection, limit: int, of: Collection[int] | None = None) -> list[PendingChange]:
    """Return the oldest changes that can be applied now, and all other queued changes of the same customers.

    Args:
        connection: Within the transaction that applies them.
        limit: Maximum number of changes that select the customers.
        of: Only changes of these customers.
    """
    customers = sa.select(_change.customer_id).where(_is_due()).order_by(_change.number).limit(limit)
    if of is not None:
        customers = customers.where(is_any_of(_change.customer_id, of))
    fields = [_change[name] for name in PendingChange.__dataclass_fields__]
    statement = sa.select(*fields).where(_change.customer_id.in_(customers)).order_by(_change.number)
    return [PendingChange(**row) for row in connection.execute(statement).mappings()]


def mark_applied(connection: sa.Connection, changes: Collection[PendingChange]) -> None:
    """Remove applied changes from the queue; a row that changed again in the meantime has a new number and stays."""
    connection.execute(sa.delete(pending_changes).where(_is_one_of(changes)))


def hold(connection: sa.Connection, changes: Collection[PendingChange]) -> None:
    """Hold changes until their customers are released."""
    connection.execute(sa.update(pending_changes).where(_is_one_of(changes)).values(held=True))


def release(connection: sa.Connection, customers: Collection[int]) -> int:
    """Release the held changes of customers and return how many."""
    statement = sa.update(pending_changes).where(_change.held, is_any_of(_change.customer_id, customers))
    return connection.execute(statement.values(held=False), execution_options={"preserve_rowcount": True}).rowcount


def retry_now(connection: sa.Connection, customers: Collection[int]) -> None:
    """Make changes that wait for a retry due immediately."""
    statement = sa.update(pending_changes).where(is_any_of(_change.customer_id, customers))
    connection.execute(statement.values(retry_at=None))


def mark_failed(
    connection: sa.Connection, changes: Collection[PendingChange], error: str, max_seconds: int = LAST_RETRY_SECONDS
) -> None:
    """Schedule a retry of changes with exponential backoff: after 30 s, doubling each time up to the maximum.

    Args:
        connection: Within a transaction.
        changes: The changes whose attempt failed.
        error: The error message to store.
        max_seconds: Maximum delay; shorter than an hour where a person or a server may fix the cause at any moment.
    """
    seconds = sa.func.least(max_seconds, _FIRST_RETRY_SECONDS * sa.func.power(2, sa.func.least(_change.attempts, 10)))
    retry_at = sa.func.clock_timestamp() + seconds * sa.literal_column("interval '1 second'")
    values: dict[str, Any] = {"attempts": _change.attempts + 1, "retry_at": retry_at, "error": error}
    connection.execute(sa.update(pending_changes).where(_is_one_of(changes)).values(values))


def _is_one_of(changes: Collection[PendingChange]) -> sa.ColumnElement[bool]:
    return is_any_of(_change.number, [change.number for change in changes])


def _is_due() -> sa.ColumnElement[bool]:
    return sa.and_(~_change.held, sa.or_(_change.retry_at.is_(None), _change.retry_at <= sa.func.clock_timestamp()))
