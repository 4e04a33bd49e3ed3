"""`ops.sync_logs`: progress and result of each sync of the ERP, and the constraint of one running sync at a time.

Logs are written in short transactions of their own, so that they survive a rollback of the data. The queries of the
logs are in `sync_history.py`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import sync_log_tables, sync_logs
from ledger_pipelines.warehouse.tables.erp import SyncStatus, SyncType
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal

_NOT_FINISHED = "The table was not finished and is unchanged: a sync writes a table completely or not at all."
_TABLE_KEY = ("sync_log_id", "table_name")


@dataclass(frozen=True)
class SyncSummary:
    """Log of a sync of the ERP."""

    id: int
    sync_type: SyncType
    status: SyncStatus
    started_at: datetime
    completed_at: datetime | None
    total_records: int
    success_records: int
    failed_records: int
    error_message: str | None
    duration: ExactDecimal | None
    """Duration in seconds; null while the sync is running"""
    success_rate: ExactDecimal | None
    """Percentage of the rows read that were not rejected"""


@dataclass(frozen=True)
class SyncLog(SyncSummary):
    """Log of a sync of the ERP, with its Dagster run; times are in the company's zone."""

    run_id: str | None


@dataclass(frozen=True)
class SyncedTable:
    """Result of a sync for one table, by the columns of `ops.sync_log_tables`; a running one has `rows_read` only."""

    table_name: str
    status: SyncStatus
    months: tuple[str, ...]
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    rows_unchanged: int
    seconds: Decimal | None
    error_message: str | None


@dataclass(frozen=True)
class SyncResult:
    """Final status of a sync, with an error message if it is not completed."""

    status: SyncStatus
    error_message: str | None = None


class SyncRunningError(LedgerError):
    """A sync cannot be started or cancelled because another is running.

    Attributes:
        running: The running sync.
    """

    http_status = 409

    def __init__(self, message: str, running: SyncLog) -> None:
        super().__init__(message)
        self.running = running
        self.extra_fields = {"running_sync_id": running.id}


class SyncNotRunningError(LedgerError):
    """A run's sync has ended or does not exist; the message says what to do."""


def begin_sync(connection: sa.Connection, sync_type: SyncType, run_id: str | None = None) -> SyncLog:
    """Start a sync by writing its log, unless another sync is running.

    A unique index rejects the second of two simultaneous calls.

    Args:
        connection: In a transaction that the caller commits immediately: a second call waits for the commit.
        sync_type: How the sync was started.
        run_id: The Dagster run, if known already.

    Raises:
        SyncRunningError: another sync is running.
    """
    statement = (
        insert(sync_logs)
        .values(sync_type=sync_type, status="running", run_id=run_id)
        .on_conflict_do_nothing(
            index_elements=["status"], index_where=sync_logs.c.status == sa.literal_column("'running'")
        )
        .returning(*log_columns())
    )
    while True:
        # Checked before inserting, because a failed INSERT uses up an id.
        if (other := running_sync(connection)) is not None:
            run = f" in run {other.run_id[:8]}" if other.run_id else ""
            raise SyncRunningError(
                f"Sync {other.id} ({other.sync_type}) has been running since {other.started_at:%Y-%m-%d %H:%M:%S}"
                f"{run}. Only one sync runs at a time: wait until it ends, or cancel it with `ledger sync cancel`.",
                other,
            )
        if (row := connection.execute(statement).one_or_none()) is not None:
            return SyncLog(*row)
        # Another sync started between the two statements; it may have ended by now, so try again.


def writer_application_name(log_id: int) -> str:
    """Return the application_name of the database sessions that write the data of a sync."""
    return f"ledger_sync_{log_id}"


def terminate_writers(connection: sa.Connection, log_id: int) -> int:
    """Terminate the database sessions that write the data of a sync, roll back their work, and return their number.

    Waits up to five seconds for each session. The role of the connection must be that of the sessions, or have
    pg_signal_backend.
    """
    terminated = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = :name"
    statement = sa.text(f"{terminated} AND datname = current_database()")
    return connection.scalar(statement, {"name": writer_application_name(log_id)}) or 0


def log_columns() -> list[sa.Column[Any]]:
    """Return the columns of a `SyncLog`, in order."""
    return [sync_logs.c[item.name] for item in fields(SyncLog)]


def running_sync(connection: sa.Connection) -> SyncLog | None:
    """Return the running sync, or None."""
    row = connection.execute(sa.select(*log_columns()).where(sync_logs.c.status == "running")).one_or_none()
    return None if row is None else SyncLog(*row)


def has_run_longer_than(connection: sa.Connection, log_id: int, seconds: int) -> bool:
    """Return whether a sync started more than ``seconds`` ago, by the server's clock."""
    age = sa.func.clock_timestamp() - sync_logs.c.started_at
    is_older = sa.select(age > sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)).where(sync_logs.c.id == log_id)
    return bool(connection.scalar(is_older))


def attach_run(connection: sa.Connection, log_id: int, run_id: str) -> SyncLog:
    """Assign a Dagster run to a running sync.

    Raises:
        SyncNotRunningError: the sync has ended, has another run, or does not exist.
    """
    is_free = sa.or_(sync_logs.c.run_id.is_(None), sync_logs.c.run_id == run_id)
    matches = sa.and_(sync_logs.c.id == log_id, sync_logs.c.status == "running", is_free)
    statement = sa.update(sync_logs).where(matches).values(run_id=run_id).returning(*log_columns())
    if (row := connection.execute(statement).one_or_none()) is not None:
        return SyncLog(*row)
    found = connection.execute(
        sa.select(sync_logs.c.status, sync_logs.c.run_id).where(sync_logs.c.id == log_id)
    ).one_or_none()
    if found is None:
        state = "is not in ops.sync_logs"
    elif found.status == "running":
        state = f"has another run, {found.run_id}"
    else:
        state = f"is already {found.status}"
    raise SyncNotRunningError(
        f"Sync {log_id} {state}; this run has nothing to do. Start a new sync with `ledger sync start`."
    )


def table_started(connection: sa.Connection, log_id: int, table: str) -> None:
    """Record that the sync of a table has started, for the first time or again after an error.

    Raises:
        SyncNotRunningError: the sync has ended, for example by a cancellation.
    """
    locked_status = sa.select(sync_logs.c.status).where(sync_logs.c.id == log_id).with_for_update(read=True)
    status = connection.scalar(locked_status)
    if status != "running":
        raise SyncNotRunningError(f"Sync {log_id} is already {status}; {table} is unchanged.")
    reset = {
        column.name: None if column.server_default is None else sa.text("DEFAULT")
        for column in sync_log_tables.columns
        if column.name not in _TABLE_KEY
    } | {"status": "running"}
    statement = insert(sync_log_tables).values(sync_log_id=log_id, table_name=table, status="running")
    connection.execute(statement.on_conflict_do_update(index_elements=_TABLE_KEY, set_=reset))


def table_progressed(connection: sa.Connection, log_id: int, table: str, rows_read: int) -> None:
    """Record how many rows of a table have been read so far."""
    of_table = _is_table(log_id, table)
    connection.execute(
        sa.update(sync_log_tables).where(of_table, sync_log_tables.c.status == "running").values(rows_read=rows_read)
    )


def table_finished(connection: sa.Connection, log_id: int, table: str, report: TableReport, seconds: Decimal) -> None:
    """Record the result of a table, even if the sync has been closed in the meantime: the data are committed."""
    counts = report.total
    _write_table(
        connection,
        log_id,
        table,
        status="completed",
        months=sorted({*report.counts, *report.rejected} - {""}),
        rows_read=report.read,
        rows_loaded=report.loaded,
        rows_rejected=sum(report.rejected.values()),
        rows_inserted=counts.inserted,
        rows_updated=counts.updated,
        rows_deleted=counts.deleted,
        rows_unchanged=counts.unchanged,
        seconds=seconds,
    )
    connection.execute(sa.update(sync_logs).where(sync_logs.c.id == log_id).values(_totals(log_id)))


def table_failed(connection: sa.Connection, log_id: int, table: str, ending: SyncResult, seconds: Decimal) -> None:
    """Record why a table was not synced; its copy is unchanged."""
    _write_table(connection, log_id, table, status=ending.status, seconds=seconds, error_message=ending.error_message)


def close(connection: sa.Connection, log_id: int, ending: SyncResult) -> SyncLog | None:
    """End a sync and set its numbers to the sums over its tables.

    Returns:
        The closed log; None if the sync had already ended, in which case nothing changes.
    """
    closed = (
        sa.update(sync_logs)
        .where(sync_logs.c.id == log_id, sync_logs.c.status == "running")
        .values(
            status=ending.status,
            error_message=ending.error_message,
            completed_at=sa.func.clock_timestamp(),
            **_totals(log_id),
        )
        .returning(*log_columns())
    )
    row = connection.execute(closed).one_or_none()
    if row is None:
        return None
    unfinished = sync_log_tables.c.sync_log_id == log_id, sync_log_tables.c.status == "running"
    status = "cancelled" if ending.status == "cancelled" else "failed"
    connection.execute(sa.update(sync_log_tables).where(*unfinished).values(status=status, error_message=_NOT_FINISHED))
    return SyncLog(*row)


def sync_result(results: Iterable[SyncedTable], planned: Collection[str], *, interrupted: bool) -> SyncResult:
    """Return the final status of a sync, derived from the results of its tables.

    Args:
        results: The tables in the log.
        planned: The names of the tables to sync.
        interrupted: Whether a person cancelled the sync.
    """
    tables = {table.table_name: table for table in results}
    done = [name for name in planned if name in tables and tables[name].status == "completed"]
    if len(done) == len(planned):
        return SyncResult("completed")
    remaining = [name for name in planned if name not in done]
    if interrupted or any(tables[name].status == "cancelled" for name in remaining if name in tables):
        synced = f" Already synced: {', '.join(done)}." if done else ""
        return SyncResult("cancelled", f"It was cancelled. Unchanged: {', '.join(remaining)}.{synced}")
    reasons: dict[str, list[str]] = {}  # tables with the same reason share a line, as when the ERP is unreachable
    for name in remaining:
        reason = tables[name].error_message or _NOT_FINISHED if name in tables else "Not reached before the sync ended."
        reasons.setdefault(reason, []).append(name)
    lines = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    if not any(name in tables for name in remaining):
        lines.insert(0, "The run, or its program, was stopped between two tables.")
    return SyncResult("failed", "\n".join(lines))


def _is_table(log_id: int, table: str) -> sa.ColumnElement[bool]:
    return sa.and_(sync_log_tables.c.sync_log_id == log_id, sync_log_tables.c.table_name == table)


def _write_table(connection: sa.Connection, log_id: int, table: str, **values: Any) -> None:
    connection.execute(sa.update(sync_log_tables).where(_is_table(log_id, table)).values(**values))


def _totals(log_id: int) -> dict[str, Any]:
    """Return the sums over a sync's completed tables, as values of its log."""
    of = sync_log_tables.c

    def total(of_rows: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        finished = sa.and_(of.sync_log_id == log_id, of.status == "completed")
        summed = sa.cast(sa.func.coalesce(sa.func.sum(of_rows), 0), sa.BigInteger)
        return sa.select(summed).where(finished).scalar_subquery()

    return {
        "success_records": total(of.rows_loaded),
        "failed_records": total(of.rows_rejected),
        "total_records": total(of.rows_loaded + of.rows_rejected),
    }
