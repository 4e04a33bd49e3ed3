"""A table as a queue of messages: each row is posted at least once, with an id by which the receiver knows it again.

A row is claimed by putting its next attempt off, in a transaction of its own; then it is posted; then the outcome is
noted. A process that dies in between leaves a row that is posted again when its time comes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

#: The first wait after an attempt; it doubles with each, up to the longest.
_FIRST_WAIT_SECONDS = 10
_LONGEST_WAIT_SECONDS = 3600
_DOUBLINGS = 10


@dataclass(frozen=True)
class Message:
    """A claimed row, as it is posted.

    Attributes:
        row: The row's number in its table.
        event_id: Names the message, however often it is posted.
        body: JSON in UTF-8; decimals are text, so that no digit is lost.
    """

    row: int
    event_id: str
    body: bytes


@dataclass(frozen=True)
class Queue:
    """A table whose rows are posted.

    Attributes:
        table: With the columns `id`, `event_id`, `delivered_at`, `attempts`, `next_attempt_at` and `last_error`.
        type: What the receiver knows this kind of message by.
        is_wanted: Which of the undelivered rows are posted.
        since: The oldest by this column is posted first.
        data: What is posted of a row, by the names of the columns.
    """

    table: sa.Table
    type: str
    is_wanted: sa.ColumnElement[bool]
    since: sa.ColumnElement[Any]
    data: Sequence[sa.ColumnElement[Any]]

    def claim(self, warehouse: sa.Engine) -> Message | None:
        """Put the next attempt of the row off whose turn it is, and return it; None: none is due."""
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

    def note_delivered(self, warehouse: sa.Engine, message: Message) -> None:
        """Note that the receiver has accepted a message."""
        self._note(warehouse, message, last_error=None, delivered_at=sa.func.clock_timestamp())

    def note_failed(self, warehouse: sa.Engine, message: Message, reason: str) -> None:
        """Note why the receiver has not accepted a message."""
        self._note(warehouse, message, last_error=reason)

    def _note(self, warehouse: sa.Engine, message: Message, **outcome: Any) -> None:
        with warehouse.begin() as connection:
            connection.execute(sa.update(self.table).where(self.table.c.id == message.row).values(**outcome))


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, int | str | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
