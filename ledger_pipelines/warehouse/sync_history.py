"""What is asked of `ops.sync_logs`: one sync, the latest, a page of them, and statistics; for commands and programs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.questions.paging import Paged, offset
from ledger_pipelines.warehouse.sync_logs import Status, SyncedTable, SyncLog, SyncType, columns
from ledger_pipelines.warehouse.tables import sync_log_tables, sync_logs

_RECENT = 5
_newest_first = sync_logs.c.id.desc()


@dataclass(frozen=True)
class Statistics:
    """The syncs of some days in numbers, and the newest of all.

    Attributes:
        total_syncs: How many were started.
        successful_syncs: How many of these are completed.
        failed_syncs: How many failed; cancelled ones are neither.
        running_syncs: 1 if one of these runs, else 0.
        avg_records: Rows read by a completed one; None if none is.
        avg_duration: Seconds that a completed one took; None likewise.
        recent_logs: The newest five, whenever they were started.
    """

    total_syncs: int
    successful_syncs: int
    failed_syncs: int
    running_syncs: int
    avg_records: Decimal | None
    avg_duration: Decimal | None
    recent_logs: Sequence[SyncLog]

    def as_dict(self) -> dict[str, Any]:
        """The statistics for a program."""
        numbers = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "recent_logs"}
        return {"statistics": numbers, "recent_logs": [log.as_dict() for log in self.recent_logs]}


def latest(connection: sa.Connection) -> SyncLog | None:
    """The newest sync; None if there has never been one."""
    return _one(connection, sa.select(*columns()).order_by(_newest_first).limit(1))


def latest_outcome(connection: sa.Connection) -> SyncLog | None:
    """Return the newest sync that was completed or failed; None if there has never been one."""
    ended = sync_logs.c.status.in_(["completed", "failed"])
    return _one(connection, sa.select(*columns()).where(ended).order_by(_newest_first).limit(1))


def by_id(connection: sa.Connection, log_id: int) -> SyncLog | None:
    """A sync by its number; None if there is none of this number."""
    return _one(connection, sa.select(*columns()).where(sync_logs.c.id == log_id))


def tables_of(connection: sa.Connection, log_id: int) -> list[SyncedTable]:
    """What a sync did to each table, by the tables' names."""
    query = (
        sa.select(*(sync_log_tables.c[item.name] for item in fields(SyncedTable)))
        .where(sync_log_tables.c.sync_log_id == log_id)
        .order_by(sync_log_tables.c.table_name)
    )
    return [SyncedTable(**{**row, "months": tuple(row["months"])}) for row in connection.execute(query).mappings()]


def page(
    connection: sa.Connection,
    *,
    per_page: int = 10,
    number: int = 1,
    status: Status | None = None,
    sync_type: SyncType | None = None,
) -> Paged[SyncLog]:
    """A page of the logs, newest first.

    Args:
        connection: To the warehouse.
        per_page: How many logs a page has, at least 1.
        number: Of the page, from 1; a page after the last has no logs.
        status: Only logs of this status.
        sync_type: Only logs of this type.
    """
    wanted = [
        column == value
        for column, value in ((sync_logs.c.status, status), (sync_logs.c.sync_type, sync_type))
        if value is not None
    ]
    total = connection.scalar(sa.select(sa.func.count()).select_from(sync_logs).where(*wanted)) or 0
    query = sa.select(*columns()).where(*wanted).order_by(_newest_first)
    rows = connection.execute(query.limit(per_page).offset(offset(number, per_page))).all()
    return Paged([SyncLog(*row) for row in rows], number, per_page, total)


def statistics(connection: sa.Connection, days: int = 7) -> Statistics:
    """The syncs started in the last ``days`` days in numbers."""
    status = sync_logs.c.status
    completed = status == "completed"
    since = sa.func.now() - sa.func.make_interval(0, 0, 0, days)
    numbers = sa.select(
        sa.func.count().label("total_syncs"),
        sa.func.count().filter(completed).label("successful_syncs"),
        sa.func.count().filter(status == "failed").label("failed_syncs"),
        sa.func.count().filter(status == "running").label("running_syncs"),
        sa.func.round(sa.func.avg(sync_logs.c.total_records).filter(completed), 2).label("avg_records"),
        sa.func.round(sa.func.avg(sync_logs.c.duration).filter(completed), 2).label("avg_duration"),
    ).where(sync_logs.c.started_at >= since)
    counted = connection.execute(numbers).mappings().one()
    recent = connection.execute(sa.select(*columns()).order_by(_newest_first).limit(_RECENT)).all()
    return Statistics(**counted, recent_logs=[SyncLog(*row) for row in recent])


def _one(connection: sa.Connection, query: sa.Select[Any]) -> SyncLog | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else SyncLog(*row)
