"""`ops.audit_log`: what was done or asked for in vain, by whom. A row is written before the act and closed after it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import audit_log

Outcome = Literal["done", "refused", "failed"]

_LONGEST = 1_000
_entry = audit_log.c


@dataclass(frozen=True)
class Act:
    """What somebody asks for.

    Attributes:
        action: What is to be done.
        target: Of what; None: of nothing in particular.
        actor: The token's name, or a user of the command line; None: not known.
        token_id: The token, where one is used.
        address: From where; None: on the machine itself.
    """

    action: str
    target: str | None = None
    actor: str | None = None
    token_id: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class Entry:
    """An act as it was written down."""

    id: int
    started_at: datetime
    actor: str | None
    address: str | None
    action: str
    target: str | None
    outcome: Outcome | None
    message: str | None
    ended_at: datetime | None


def begin(connection: sa.Connection, act: Act) -> int:
    """Write down that somebody asks for something; the number of the entry."""
    values = {item.name: _kept(getattr(act, item.name)) for item in fields(act)}
    number: int = connection.execute(sa.insert(audit_log).values(values).returning(_entry.id)).scalar_one()
    return number


def end(connection: sa.Connection, entry_id: int, outcome: Outcome, message: str | None) -> None:
    """Write down what became of it."""
    connection.execute(
        sa.update(audit_log)
        .where(_entry.id == entry_id)
        .values(outcome=outcome, message=_kept(message), ended_at=sa.func.clock_timestamp())
    )


def latest(connection: sa.Connection, *, limit: int, offset: int = 0) -> Sequence[Entry]:
    """The newest entries, the newest first."""
    columns = [_entry[item.name] for item in fields(Entry)]
    statement = sa.select(*columns).order_by(_entry.id.desc()).limit(limit).offset(offset)
    return [Entry(*row) for row in connection.execute(statement)]


def count(connection: sa.Connection) -> int:
    """How many entries there are."""
    return connection.scalar(sa.select(sa.func.count()).select_from(audit_log)) or 0


def _kept(value: str | int | None) -> str | int | None:
    """A value as it is written down: what a stranger sends may be long, and hold what a text cannot."""
    if not isinstance(value, str):
        return value
    readable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)
    return readable if len(readable) <= _LONGEST else f"{readable[: _LONGEST - 1]}…"
