"""`ops.cursors`: watermarks of the pollers of a source, and leases that one process at a time holds."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.tables import cursors

_cursor = cursors.c


def get_watermark(connection: sa.Connection, name: str) -> str | None:
    """Return a watermark; None if it has never been set."""
    return connection.scalar(sa.select(_cursor.position).where(_cursor.name == name))


def watermark_changed_at(connection: sa.Connection, name: str) -> datetime | None:
    """Return when a watermark was last set; None if it has never been set."""
    return connection.scalar(sa.select(_cursor.moved_at).where(_cursor.name == name))


def set_watermark(connection: sa.Connection, name: str, position: str) -> None:
    """Set a watermark, even backwards."""
    connection.execute(_upsert(name, position, sa.true()))


def advance_watermark(connection: sa.Connection, name: str, position: str) -> None:
    """Set a watermark unless another process has set a later one; positions are compared as text."""
    is_behind = sa.collate(_cursor.position, "C") < sa.collate(sa.literal(position), "C")
    connection.execute(_upsert(name, position, is_behind))


def acquire_lease(connection: sa.Connection, name: str, holder: str, ttl_seconds: int) -> bool:
    """Acquire a lease, taking over an expired one; False if another holder's lease is live."""
    statement = _upsert(name, holder, _has_expired(ttl_seconds))
    return connection.execute(statement.returning(_cursor.name)).first() is not None


def renew_lease(connection: sa.Connection, name: str, holder: str) -> bool:
    """Renew a lease (heartbeat); False if another holder has it."""
    own = (_cursor.name == name) & (_cursor.position == holder)
    renewal = sa.update(cursors).where(own).values(moved_at=sa.func.clock_timestamp()).returning(_cursor.name)
    return connection.execute(renewal).first() is not None


def lease_is_live(connection: sa.Connection, name: str, ttl_seconds: float) -> bool:
    """Return whether any process holds a lease that has been renewed within its time to live."""
    live = sa.select(sa.true()).where(_cursor.name == name, ~_has_expired(ttl_seconds))
    return connection.execute(live).first() is not None


def delete_watermark(connection: sa.Connection, name: str, position: str | None = None) -> None:
    """Remove a watermark, or release a lease; with a position, only if the row still has it."""
    statement = sa.delete(cursors).where(_cursor.name == name)
    connection.execute(statement if position is None else statement.where(_cursor.position == position))


def _has_expired(ttl_seconds: float) -> sa.ColumnElement[bool]:
    since = sa.func.clock_timestamp() - ttl_seconds * sa.literal_column("interval '1 second'")
    return _cursor.moved_at < since


def _upsert(name: str, position: str, where: sa.ColumnElement[bool]) -> "sa.dialects.postgresql.Insert":
    statement = insert(cursors).values(name=name, position=position, moved_at=sa.func.clock_timestamp())
    updated = {column: statement.excluded[column] for column in ("position", "moved_at")}
    return statement.on_conflict_do_update(constraint=cursors.primary_key, set_=updated, where=where)
