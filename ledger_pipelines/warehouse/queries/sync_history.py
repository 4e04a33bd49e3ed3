"""Queries of `ops.sync_logs`: one sync, the latest sync, a page of syncs, and statistics."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.sync_logs import Status, SyncedTable, SyncLog, SyncType, log_columns
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.tables import sync_log_tables, sync_logs

_RECENT = 5
_newest_first = sync_logs.c.id.desc()


@dataclass(frozen=True)
class SyncLogStatistics:
    """Statistics of the syncs started in a period, and the newest syncs of all.

    Attributes:
        total_syncs: Number of syncs.
        successful_syncs: Number of completed syncs.
        failed_syncs: Number of failed syncs; cancelled syncs count as neither completed nor failed.
        running_syncs: 1 if one of the syncs is running, else 0.
        avg_records: Average rows read by a completed sync; None without one.
        avg_duration: Average seconds of a completed sync; None without one.
        recent_logs: The newest five syncs, started in the period or not.
    """

    total_syncs: int
    successful_syncs: int
    failed_syncs: int
    running_syncs: int
    avg_records: Decimal | None
    avg_duration: Decimal | None
    recent_logs: Sequence[SyncLog]

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics as the API returns them."""
        numbers = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "recent_logs"}
        return {"statistics": numbers, "recent_logs": [log.as_dict() for log in self.recent_logs]}


def latest(connection: sa.Connection) -> SyncLog | None:
    """Return the newest sync; None if there has never been one."""
    return _one(connection, sa.select(*log_columns()).order_by(_newest_first).limit(1))


def latest_ended(connection: sa.Connection) -> SyncLog | None:
    """Return the newest sync that was completed or failed; None if there has never been one."""
    ended = sync_logs.c.status.in_(["completed", "failed"])
    return _one(connection, sa.select(*log_columns()).where(ended).order_by(_newest_first).limit(1))


def by_id(connection: sa.Connection, log_id: int) -> SyncLog | None:
    """Return the sync with an id, or None."""
    return _one(connection, sa.select(*log_columns()).where(sync_logs.c.id == log_id))


def tables_of(connection: sa.Connection, log_id: int) -> list[SyncedTable]:
    """Return the tables of a sync, ordered by name."""
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
) -> ResultPage[SyncLog]:
    """Return a page of the logs, newest first.

    Args:
        connection: To the warehouse.
        per_page: Number of logs per page, at least 1.
        number: Number of the page, from 1; a page after the last is empty.
        status: Filter by status.
        sync_type: Filter by type.
    """
    wanted = [
        column == value
        for column, value in ((sync_logs.c.status, status), (sync_logs.c.sync_type, sync_type))
        if value is not None
    ]
    total = connection.scalar(sa.select(sa.func.count()).select_from(sync_logs).where(*wanted)) or 0
    query = sa.select(*log_columns()).where(*wanted).order_by(_newest_first)
    rows = connection.execute(query.limit(per_page).offset(page_offset(number, per_page))).all()
    return ResultPage([SyncLog(*row) for row in rows], number, per_page, total)


def statistics(connection: sa.Connection, days: int = 7) -> SyncLogStatistics:
    """Return the statistics of the syncs started in the last ``days`` days."""
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
    recent = connection.execute(sa.select(*log_columns()).order_by(_newest_first).limit(_RECENT)).all()
    return SyncLogStatistics(**counted, recent_logs=[SyncLog(*row) for row in recent])


def _one(connection: sa.Connection, query: sa.Select[Any]) -> SyncLog | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else SyncLog(*row)
