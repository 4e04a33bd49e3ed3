"""`ops.pending_changes`: what was noticed in the billing application and has not been taken up by the ledger yet.

Whoever notices a change writes it here, in the transaction that also moves its cursor on; whoever takes it up removes
it in the transaction that changes the ledger. So a change is there until it is in the balances, whoever dies meanwhile.
A row that changes again while it is being taken up gets a new number, and stays.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.months import one_of
from ledger_pipelines.warehouse.tables import pending_changes

_FIRST_RETRY_SECONDS = 30
LAST_RETRY_SECONDS = 3600
_change = pending_changes.c


@dataclass(frozen=True, order=True)
class Noticed:
    """A change that was noticed.

    Attributes:
        source_table: The table of the billing application.
        source_id: The row's id there.
        customer_id: Whom it touches; `ids.NOBODY`: a customer whose id the ledger cannot hold.
        first_month: The earliest month that it can touch.
        digest: The row as it was when it was noticed; empty: it was gone.
        changed_at: When the row says that it changed; None where it does not say.
    """

    source_table: str
    source_id: int
    customer_id: int
    first_month: str
    digest: str
    changed_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """A change that waits to be taken up."""

    number: int
    customer_id: int
    first_month: str
    changed_at: datetime | None
    noticed_at: datetime


def note(connection: sa.Connection, changes: Iterable[Noticed]) -> int:
    """Note changes, unless they wait already, just as they are; return how many are news."""
    table = pending_changes
    adding = insert(table)
    renewed = {
        "number": sa.text("DEFAULT"),
        "digest": adding.excluded.digest,
        "first_month": sa.func.least(_change.first_month, adding.excluded.first_month),
        "changed_at": sa.func.least(_change.changed_at, adding.excluded.changed_at),
        "retry_at": None,
    }
    is_news = sa.or_(_change.digest != adding.excluded.digest, _change.first_month > adding.excluded.first_month)
    statement = adding.on_conflict_do_update(constraint=table.primary_key, set_=renewed, where=is_news)
    # In one order, so that two who note the same changes wait for each other in a row and not in a circle.
    rows = [asdict(change) for change in sorted(changes, key=lambda change: _key(change))]
    if not rows:
        return 0
    return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount


def _key(change: Noticed) -> tuple[str, int, int]:
    return change.source_table, change.source_id, change.customer_id


def newest(connection: sa.Connection) -> int | None:
    """The number of the newest change that can be taken up now; None if there is none."""
    number: int | None = connection.scalar(sa.select(sa.func.max(_change.number)).where(_can_be_taken()))
    return number


def waiting_since(connection: sa.Connection) -> datetime | None:
    """Return since when the oldest change waits that was neither put aside nor put off; None if none does."""
    waits = sa.and_(~_change.held, _change.retry_at.is_(None))
    since: datetime | None = connection.scalar(sa.select(sa.func.min(_change.noticed_at)).where(waits))
    return since


def any_failing(connection: sa.Connection) -> bool:
    """Return whether a change waits that could not be taken up the last time."""
    failing = sa.exists().where(~_change.held, _change.error.is_not(None))
    return bool(connection.scalar(sa.select(failing)))


def take(connection: sa.Connection, most: int, of: Collection[int] | None = None) -> list[Waiting]:
    """The oldest changes that can be taken up now, at most so many, and whatever else waits for the same customers.

    Args:
        connection: Within the transaction that takes them up.
        most: How many.
        of: Only of these customers.
    """
    some = sa.select(_change.customer_id).where(_can_be_taken()).order_by(_change.number).limit(most)
    if of is not None:
        some = some.where(one_of(_change.customer_id, of))
    fields = [_change[name] for name in Waiting.__dataclass_fields__]
    statement = sa.select(*fields).where(_change.customer_id.in_(some)).order_by(_change.number)
    return [Waiting(**row) for row in connection.execute(statement).mappings()]


def done(connection: sa.Connection, taken: Collection[Waiting]) -> None:
    """Remove changes that have been taken up, but for those that changed again meanwhile."""
    connection.execute(sa.delete(pending_changes).where(_numbered(taken)))


def hold(connection: sa.Connection, waiting: Collection[Waiting]) -> None:
    """Put changes aside until their customers are released."""
    connection.execute(sa.update(pending_changes).where(_numbered(waiting)).values(held=True))


def release(connection: sa.Connection, customers: Collection[int]) -> int:
    """Let the changes of customers be taken up that were put aside; return how many."""
    statement = sa.update(pending_changes).where(_change.held, one_of(_change.customer_id, customers))
    return connection.execute(statement.values(held=False), execution_options={"preserve_rowcount": True}).rowcount


def retry_now(connection: sa.Connection, customers: Collection[int]) -> None:
    """Let changes that were put off be taken up immediately."""
    statement = sa.update(pending_changes).where(one_of(_change.customer_id, customers))
    connection.execute(statement.values(retry_at=None))


def failed(
    connection: sa.Connection, waiting: Collection[Waiting], error: str, longest_seconds: int = LAST_RETRY_SECONDS
) -> None:
    """Put changes off that could not be taken up: half a minute at first, twice as long each time, an hour at most.

    Args:
        connection: Within a transaction.
        waiting: The changes.
        error: Why they could not be taken up.
        longest_seconds: Another limit, for what a person or a server may mend at any moment.
    """
    seconds = sa.func.least(
        longest_seconds, _FIRST_RETRY_SECONDS * sa.func.power(2, sa.func.least(_change.attempts, 10))
    )
    later = sa.func.clock_timestamp() + seconds * sa.literal_column("interval '1 second'")
    values: dict[str, Any] = {"attempts": _change.attempts + 1, "retry_at": later, "error": error}
    connection.execute(sa.update(pending_changes).where(_numbered(waiting)).values(values))


def _numbered(waiting: Collection[Waiting]) -> sa.ColumnElement[bool]:
    return one_of(_change.number, [change.number for change in waiting])


def _can_be_taken() -> sa.ColumnElement[bool]:
    return sa.and_(~_change.held, sa.or_(_change.retry_at.is_(None), _change.retry_at <= sa.func.clock_timestamp()))
