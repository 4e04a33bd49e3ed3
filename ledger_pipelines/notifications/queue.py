"""Table as a queue of messages: each row is posted at least once, with an id that lets the receiver drop duplicates.

A transaction claims a row by postponing its next attempt. Then the row is posted, and another transaction records the
outcome. If the process dies in between, the row is posted again at its next attempt.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

#: Wait after the first attempt; it doubles with each further attempt, up to the longest wait.
_FIRST_WAIT_SECONDS = 10
_LONGEST_WAIT_SECONDS = 3600
_DOUBLINGS = 10


@dataclass(frozen=True)
class Message:
    """Message of a claimed row.

    Attributes:
        row: Id of the row in its table.
        event_id: Id of the message, the same for every attempt.
        body: JSON in UTF-8; decimals are strings, so that no digit is lost.
    """

    row: int
    event_id: str
    body: bytes


@dataclass(frozen=True)
class NotificationQueue:
    """Queue of messages in a table.

    Attributes:
        table: Has the columns `id`, `event_id`, `delivered_at`, `attempts`, `next_attempt_at` and `last_error`.
        type: Type of the messages, for the receiver.
        is_wanted: Condition on the undelivered rows that are posted.
        since: Column to order by; the oldest row is posted first.
        data: Columns that are posted, under their names.
    """

    table: sa.Table
    type: str
    is_wanted: sa.ColumnElement[bool]
    since: sa.ColumnElement[Any]
    data: Sequence[sa.ColumnElement[Any]]

    def claim(self, warehouse: sa.Engine) -> Message | None:
        """Claim the next due row by postponing its next attempt, and return its message; None if no row is due."""
        column = self.table.c
        is_due = sa.or_(column.next_attempt_at.is_(None), column.next_attempt_at <= sa.func.now())
        next_one = (
            sa.select(column.id)
            .where(column.delivered_at.is_(None), self.is_wanted, is_due)
            .order_by(self.since, column.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        doubled = sa.func.power(2, sa.func.least(column.attempts, _DOUBLINGS))
        seconds = sa.func.least(_FIRST_WAIT_SECONDS * doubled, _LONGEST_WAIT_SECONDS)
        claiming = (
            sa.update(self.table)
            .values(
                attempts=column.attempts + 1,
                next_attempt_at=sa.func.now() + seconds * sa.literal_column("interval '1 second'"),
            )
            .where(column.id == next_one.scalar_subquery())
            .returning(column.id, column.event_id, *self.data)
        )
        with warehouse.begin() as connection:
            claimed = connection.execute(claiming).one_or_none()
        if claimed is None:
            return None
        row, event_id, *values = claimed
        data = {named.key: _as_json(value) for named, value in zip(self.data, values, strict=True)}
        body = json.dumps({"type": self.type, "data": data}, ensure_ascii=False).encode()
        return Message(row, str(event_id), body)

    def mark_delivered(self, warehouse: sa.Engine, message: Message) -> None:
        """Record that the receiver accepted a message."""
        self._record(warehouse, message, last_error=None, delivered_at=sa.func.clock_timestamp())

    def mark_failed(self, warehouse: sa.Engine, message: Message, reason: str) -> None:
        """Record why the receiver did not accept a message."""
        self._record(warehouse, message, last_error=reason)

    def _record(self, warehouse: sa.Engine, message: Message, **outcome: Any) -> None:
        with warehouse.begin() as connection:
            connection.execute(sa.update(self.table).where(self.table.c.id == message.row).values(**outcome))


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, int | str | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
