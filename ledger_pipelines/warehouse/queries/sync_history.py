"""Queries of `ops.sync_logs`: one sync, the latest sync, a page of syncs, and statistics."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.sync_logs import SyncedTable, SyncLog, SyncSummary, log_columns
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.tables import sync_log_tables, sync_logs
from ledger_pipelines.warehouse.tables.erp import SyncStatus, SyncType
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal

_RECENT = 5
_newest_first = sync_logs.c.id.desc()


@dataclass(frozen=True)
class SyncNumbers:
    """Statistics of the syncs; the averages cover completed syncs only."""

    total_syncs: int
    successful_syncs: int
    failed_syncs: int
    running_syncs: int
    avg_records: ExactDecimal | None
    avg_duration: ExactDecimal | None


@dataclass(frozen=True)
class SyncStatisticsData:
    """Statistics of the syncs, and the five newest syncs."""

    statistics: SyncNumbers
    recent_logs: Sequence[SyncSummary]


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
    status: SyncStatus | None = None,
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


def statistics(connection: sa.Connection, days: int = 7) -> SyncStatisticsData:
    """Return the statistics of the syncs started in the last ``days`` days, and the newest syncs of all.

    Cancelled syncs count as neither successful nor failed.
    """
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
    counted = SyncNumbers(*connection.execute(numbers).one())
    recent = connection.execute(sa.select(*log_columns()).order_by(_newest_first).limit(_RECENT)).all()
    return SyncStatisticsData(counted, [SyncLog(*row) for row in recent])


def _one(connection: sa.Connection, query: sa.Select[Any]) -> SyncLog | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else SyncLog(*row)
