"""`ops.sync_logs`: what each sync of the ERP did and how it ended, and the claim that keeps syncs apart.

Whoever writes here does so in short transactions of their own, apart from those of the data, so that a log survives
when the data's transaction is rolled back. What is read here is in `sync_history.py`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.tables import sync_log_tables, sync_logs

SyncType = Literal["manual", "scheduled"]
Status = Literal["running", "completed", "failed", "cancelled"]

_NOT_FINISHED = "It was not finished; a table changes as a whole or not at all."
_TABLE_OF = ("sync_log_id", "table_name")


@dataclass(frozen=True)
class SyncLog:
    """One sync, by the columns of `ops.sync_logs`; times are in the company's zone."""

    id: int
    sync_type: SyncType
    status: Status
    started_at: datetime
    completed_at: datetime | None
    total_records: int
    success_records: int
    failed_records: int
    error_message: str | None
    duration: Decimal | None
    success_rate: Decimal | None
    run_id: str | None

    def as_dict(self) -> dict[str, Any]:
        """The log for a program: the names that it is known by, times in ISO 8601 with their offset."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name in (item.name for item in fields(self))
            if name != "run_id"
            for value in [getattr(self, name)]
        }


@dataclass(frozen=True)
class SyncedTable:
    """What a sync did to one table, by the columns of `ops.sync_log_tables`; while it runs, only `rows_read` counts."""

    table_name: str
    status: Status
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
class Ending:
    """How a sync ends: its status, and why if it is not completed."""

    status: Status
    error_message: str | None = None


class SyncRunningError(Exception):
    """A sync cannot start because another runs.

    Attributes:
        running: That other one.
    """

    def __init__(self, running: SyncLog) -> None:
        run = f" in run {running.run_id[:8]}" if running.run_id else ""
        super().__init__(
            f"Sync {running.id} ({running.sync_type}) has been running since {running.started_at:%Y-%m-%d %H:%M:%S}"
            f"{run}. Only one runs at a time: wait for it, or end it by `ledger sync cancel`."
        )
        self.running = running


class SyncEndedError(Exception):
    """A run has no sync to work for: its log is closed, or has never been there. The message says what to do."""


def claim(connection: sa.Connection, sync_type: SyncType, run_id: str | None = None) -> SyncLog:
    """Begin a sync: write its log, unless another sync runs.

    Two who claim at the same moment are told apart by a unique index.

    Args:
        connection: In a transaction that the caller commits at once: a second claim waits for it.
        sync_type: Who starts it.
        run_id: The Dagster run, where it is known already.

    Raises:
        SyncRunningError: another runs.
    """
    statement = (
        insert(sync_logs)
        .values(sync_type=sync_type, status="running", run_id=run_id)
        .on_conflict_do_nothing(
            index_elements=["status"], index_where=sync_logs.c.status == sa.literal_column("'running'")
        )
        .returning(*columns())
    )
    while True:
        # Looked for first: an insertion that fails uses up a number.
        if (other := running(connection)) is not None:
            raise SyncRunningError(other)
        if (row := connection.execute(statement).one_or_none()) is not None:
            return SyncLog(*row)
        # Another one began between the two statements; it may have ended by now.


def session_name(log_id: int) -> str:
    """Under which name the server knows the sessions that write the data of a sync."""
    return f"ledger_sync_{log_id}"


def end_sessions(connection: sa.Connection, log_id: int) -> int:
    """End the sessions that write the data of a sync, and with them what they have not committed; how many there were.

    Each is given five seconds: a server that is busy may need them.

    The role of the connection must be that of the sessions, or may end others'.
    """
    ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = :name"
    return connection.scalar(sa.text(f"{ended} AND datname = current_database()"), {"name": session_name(log_id)}) or 0


def columns() -> list[sa.Column[Any]]:
    """The columns of `ops.sync_logs` that make a `SyncLog`, in order."""
    return [sync_logs.c[item.name] for item in fields(SyncLog)]


def running(connection: sa.Connection) -> SyncLog | None:
    """The sync that runs; None if none does."""
    row = connection.execute(sa.select(*columns()).where(sync_logs.c.status == "running")).one_or_none()
    return None if row is None else SyncLog(*row)


def was_claimed_before(connection: sa.Connection, log_id: int, seconds: int) -> bool:
    """Whether a sync started more than some seconds ago, by the server's clock."""
    age = sa.func.clock_timestamp() - sync_logs.c.started_at
    old = sa.select(age > sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)).where(sync_logs.c.id == log_id)
    return bool(connection.scalar(old))


def attach_run(connection: sa.Connection, log_id: int, run_id: str) -> SyncLog:
    """Tie a sync to its Dagster run.

    Raises:
        SyncEndedError: the sync does not run any more, has another run, or there is none of this number.
    """
    free = sa.or_(sync_logs.c.run_id.is_(None), sync_logs.c.run_id == run_id)
    mine = sa.and_(sync_logs.c.id == log_id, sync_logs.c.status == "running", free)
    statement = sa.update(sync_logs).where(mine).values(run_id=run_id).returning(*columns())
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
        state = f"is {found.status} already"
    raise SyncEndedError(f"Sync {log_id} {state}; this run has nothing to do. Start a new one by `ledger sync start`.")


def table_started(connection: sa.Connection, log_id: int, table: str) -> None:
    """Note that a table is being synced, for the first time or again after an error.

    Raises:
        SyncEndedError: the sync does not run any more: it was cancelled meanwhile.
    """
    alive = sa.select(sync_logs.c.status).where(sync_logs.c.id == log_id).with_for_update(read=True)
    status = connection.scalar(alive)
    if status != "running":
        raise SyncEndedError(f"Sync {log_id} is {status} already; {table} is left as it is.")
    anew = {
        column.name: None if column.server_default is None else sa.text("DEFAULT")
        for column in sync_log_tables.columns
        if column.name not in _TABLE_OF
    } | {"status": "running"}
    statement = insert(sync_log_tables).values(sync_log_id=log_id, table_name=table, status="running")
    connection.execute(statement.on_conflict_do_update(index_elements=_TABLE_OF, set_=anew))


def table_progressed(connection: sa.Connection, log_id: int, table: str, rows_read: int) -> None:
    """Note how many rows of a table have been read so far."""
    of_table = _is(log_id, table)
    connection.execute(
        sa.update(sync_log_tables).where(of_table, sync_log_tables.c.status == "running").values(rows_read=rows_read)
    )


def table_finished(connection: sa.Connection, log_id: int, table: str, report: Report, seconds: Decimal) -> None:
    """Note what was done to a table. That stays true even if the sync was closed meanwhile, so it is noted then too."""
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


def table_failed(connection: sa.Connection, log_id: int, table: str, ending: Ending, seconds: Decimal) -> None:
    """Note why a table was not synced; it is as it was."""
    _write_table(connection, log_id, table, status=ending.status, seconds=seconds, error_message=ending.error_message)


def close(connection: sa.Connection, log_id: int, ending: Ending) -> SyncLog | None:
    """End a sync; its numbers are the sums of its tables.

    Returns:
        The closed log; None if the sync had ended before, in which case nothing changes.
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
        .returning(*columns())
    )
    row = connection.execute(closed).one_or_none()
    if row is None:
        return None
    unfinished = sync_log_tables.c.sync_log_id == log_id, sync_log_tables.c.status == "running"
    status = "cancelled" if ending.status == "cancelled" else "failed"
    connection.execute(sa.update(sync_log_tables).where(*unfinished).values(status=status, error_message=_NOT_FINISHED))
    return SyncLog(*row)


def verdict(found: Iterable[SyncedTable], planned: Collection[str], *, interrupted: bool) -> Ending:
    """How a sync has ended, from what became of its tables.

    Args:
        found: The tables as they are in the log.
        planned: The names of those that were to be synced.
        interrupted: Whether a person ended it.
    """
    tables = {table.table_name: table for table in found}
    done = [name for name in planned if name in tables and tables[name].status == "completed"]
    if len(done) == len(planned):
        return Ending("completed")
    left = [name for name in planned if name not in done]
    if interrupted or any(tables[name].status == "cancelled" for name in left if name in tables):
        before = f" {', '.join(done)} had been synced before." if done else ""
        return Ending("cancelled", f"It was cancelled; {', '.join(left)} stayed as before.{before}")
    reasons: dict[str, list[str]] = {}  # an ERP that is away is told of once, not table by table
    for name in left:
        reason = tables[name].error_message or _NOT_FINISHED if name in tables else "It was not reached."
        reasons.setdefault(reason, []).append(name)
    lines = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    if not any(name in tables for name in left):
        lines.insert(0, "Its run was stopped between two tables, or the program was.")
    return Ending("failed", "\n".join(lines))


def _is(log_id: int, table: str) -> sa.ColumnElement[bool]:
    return sa.and_(sync_log_tables.c.sync_log_id == log_id, sync_log_tables.c.table_name == table)


def _write_table(connection: sa.Connection, log_id: int, table: str, **values: Any) -> None:
    connection.execute(sa.update(sync_log_tables).where(_is(log_id, table)).values(**values))


def _totals(log_id: int) -> dict[str, Any]:
    """The sums over a sync's finished tables, as values of its log."""
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
