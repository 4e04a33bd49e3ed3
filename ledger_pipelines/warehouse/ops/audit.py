"""`ops.audit_log`: commands with their actor and outcome, refused ones too.

An entry is written before the command runs and closed after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import audit_log

AuditOutcome = Literal["done", "refused", "failed"]

_LONGEST = 1_000
_entry = audit_log.c


@dataclass(frozen=True)
class Command:
    """A command to audit.

    Attributes:
        action: Name of the command.
        target: What the command acts on, if anything in particular.
        actor: Name of the token or of the command line's user; None: unknown.
        token_id: The token, if one is used.
        address: The client's address; None: this machine.
    """

    action: str
    target: str | None = None
    actor: str | None = None
    token_id: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class AuditEntry:
    """A stored entry of the audit log."""

    id: int
    started_at: datetime
    actor: str | None
    address: str | None
    action: str
    target: str | None
    outcome: AuditOutcome | None
    message: str | None
    ended_at: datetime | None


def begin_entry(connection: sa.Connection, command: Command) -> int:
    """Write an entry for a command that is about to run, and return its id."""
    values = {item.name: _storable(getattr(command, item.name)) for item in fields(command)}
    entry_id: int = connection.execute(sa.insert(audit_log).values(values).returning(_entry.id)).scalar_one()
    return entry_id


def end_entry(connection: sa.Connection, entry_id: int, outcome: AuditOutcome, message: str | None) -> None:
    """Close an entry with the command's outcome."""
    connection.execute(
        sa.update(audit_log)
        .where(_entry.id == entry_id)
        .values(outcome=outcome, message=_storable(message), ended_at=sa.func.clock_timestamp())
    )


def latest(connection: sa.Connection, *, limit: int, offset: int = 0) -> Sequence[AuditEntry]:
    """Return the newest entries, newest first."""
    columns = [_entry[item.name] for item in fields(AuditEntry)]
    statement = sa.select(*columns).order_by(_entry.id.desc()).limit(limit).offset(offset)
    return [AuditEntry(*row) for row in connection.execute(statement)]


def count(connection: sa.Connection) -> int:
    """Return the number of entries."""
    return connection.scalar(sa.select(sa.func.count()).select_from(audit_log)) or 0


def _storable(value: str | int | None) -> str | int | None:
    """Return a value as it can be stored: a client's text may be too long or hold characters that cannot be stored."""
    if not isinstance(value, str):
        return value
    readable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)
    return readable if len(readable) <= _LONGEST else f"{readable[: _LONGEST - 1]}…"
