"""`ops.cursors`: how far whoever watches a source has come."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.tables import cursors

_cursor = cursors.c


def position_of(connection: sa.Connection, name: str) -> str | None:
    """How far a watcher has come; None if it has not begun."""
    return connection.scalar(sa.select(_cursor.position).where(_cursor.name == name))


def moved_at(connection: sa.Connection, name: str) -> datetime | None:
    """Return when a watcher last moved; None if it has not begun."""
    return connection.scalar(sa.select(_cursor.moved_at).where(_cursor.name == name))


def move(connection: sa.Connection, name: str, position: str) -> None:
    """Note how far a watcher has come."""
    connection.execute(_moved(name, position, sa.true()))


def advance(connection: sa.Connection, name: str, position: str) -> None:
    """Note how far a watcher has come, unless another has come further; positions are compared as text."""
    further = sa.collate(_cursor.position, "C") < sa.collate(sa.literal(position), "C")
    connection.execute(_moved(name, position, further))


def claim(connection: sa.Connection, name: str, position: str, patience_seconds: int) -> bool:
    """Claim something for oneself; False if somebody else has it, and has not had it for too long."""
    statement = _moved(name, position, _stale(patience_seconds))
    return connection.execute(statement.returning(_cursor.name)).first() is not None


def keep(connection: sa.Connection, name: str, position: str) -> bool:
    """Say that one still has what one claimed; False if another has it."""
    mine = (_cursor.name == name) & (_cursor.position == position)
    kept = sa.update(cursors).where(mine).values(moved_at=sa.func.clock_timestamp()).returning(_cursor.name)
    return connection.execute(kept).first() is not None


def is_kept(connection: sa.Connection, name: str, patience_seconds: float) -> bool:
    """Whether somebody has something, and has said so of late."""
    return (
        connection.execute(sa.select(sa.true()).where(_cursor.name == name, ~_stale(patience_seconds))).first()
        is not None
    )


def forget(connection: sa.Connection, name: str, position: str | None = None) -> None:
    """Remove a cursor, or give back what was claimed; with a position only if that is where it is."""
    statement = sa.delete(cursors).where(_cursor.name == name)
    connection.execute(statement if position is None else statement.where(_cursor.position == position))


def _stale(patience_seconds: float) -> sa.ColumnElement[bool]:
    since = sa.func.clock_timestamp() - patience_seconds * sa.literal_column("interval '1 second'")
    return _cursor.moved_at < since


def _moved(name: str, position: str, where: sa.ColumnElement[bool]) -> "sa.dialects.postgresql.Insert":
    adding = insert(cursors).values(name=name, position=position, moved_at=sa.func.clock_timestamp())
    renewed = {column: adding.excluded[column] for column in ("position", "moved_at")}
    return adding.on_conflict_do_update(constraint=cursors.primary_key, set_=renewed, where=where)
