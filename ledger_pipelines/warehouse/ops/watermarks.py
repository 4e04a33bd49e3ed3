"""`ops.watermarks`: positions up to which a source has been read or the ledger has been computed."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from ledger_pipelines.warehouse.tables import watermarks

_watermark = watermarks.c


def get_watermark(connection: sa.Connection, name: str) -> str | None:
    """Return a watermark; None if it has not been set."""
    return connection.scalar(sa.select(_watermark.position).where(_watermark.name == name))


def watermark_set_at(connection: sa.Connection, name: str) -> datetime | None:
    """Return when a watermark was last set; None if it has not been set."""
    return connection.scalar(sa.select(_watermark.moved_at).where(_watermark.name == name))


def set_watermark(connection: sa.Connection, name: str, position: str) -> None:
    """Set a watermark."""
    connection.execute(_upsert(name, position, sa.true()))


def advance_watermark(connection: sa.Connection, name: str, position: str) -> None:
    """Set a watermark unless another process has set a later one; positions are compared as text."""
    is_behind = sa.collate(_watermark.position, "C") < sa.collate(sa.literal(position), "C")
    connection.execute(_upsert(name, position, is_behind))


def delete_watermark(connection: sa.Connection, name: str) -> None:
    """Remove a watermark."""
    connection.execute(sa.delete(watermarks).where(_watermark.name == name))


def _upsert(name: str, position: str, where: sa.ColumnElement[bool]) -> Insert:
    statement = insert(watermarks).values(name=name, position=position, moved_at=sa.func.clock_timestamp())
    updated = {column: statement.excluded[column] for column in ("position", "moved_at")}
    return statement.on_conflict_do_update(constraint=watermarks.primary_key, set_=updated, where=where)
