"""A sync of the ERP that a run carries out: the start, progress and end of each table, recorded in the sync's log."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal

import dagster as dg
import sqlalchemy as sa
from dagster import DagsterExecutionInterruptedError
from pydantic import Field
from sqlalchemy import exc

from ledger_pipelines.defs.resources.databases import PipelineDatabases
from ledger_pipelines.loading.erp.sync_log_file import append_line
from ledger_pipelines.sources.errors import error_message
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import translate_connection_errors, warehouse_engine
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncLog, SyncResult
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.table_report import TableReport

_PROGRESS_SECONDS = 2.0
_POLL_SECONDS = 2.0
#: Longest wait of a sync's end for an unavailable warehouse.
CLOSE_TIMEOUT_SECONDS = 60.0
_INTERRUPTIONS = (DagsterExecutionInterruptedError, KeyboardInterrupt)


class SyncConfig(dg.Config):
    """Options of one sync beyond its months and tables, from the run's configuration."""

    sync_log_id: int | None = Field(
        default=None, description="Log that was created for this run; empty: the run creates one itself."
    )
    sync_type: Literal["manual", "scheduled"] = Field(
        default="manual",
        description="Origin of the sync. While another sync runs, a manual sync waits; a scheduled sync ends.",
    )
    full: bool = Field(default=False, description="Read every month that was ever loaded, even if nothing differs.")
    catch_up: bool = Field(
        default=False,
        description="Read in full only the months that a table has never loaded; of the others, the days that changed.",
    )
    accept_deletions: bool = Field(
        default=False, description="Continue even if an implausibly large share of the rows would be deleted."
    )


@dataclass
class TableSync:
    """Sync of one table."""

    run: "SyncRun"
    name: str
    is_done: bool = False
    _started: float = field(default_factory=time.monotonic)
    _reported_at: float = 0.0

    @property
    def seconds(self) -> Decimal:
        """Seconds since the start of the table's sync."""
        return Decimal(round((time.monotonic() - self._started) * 1000)).scaleb(-3)

    def finish(self, report: TableReport) -> None:
        """Record the result of a committed load; it stays recorded even if the run fails later."""
        self.is_done = self.run.erp_responded = True
        seconds, counts = self.seconds, report.total
        with self.run.log_transaction() as connection:
            sync_logs.table_finished(connection, self.run.log.id, self.name, report, seconds)
        self.run.append_to_log_file(
            f"{self.name}: {report.read} read, {sum(report.rejected.values())} rejected, {counts.inserted} inserted, "
            f"{counts.updated} updated, {counts.deleted} deleted, {counts.unchanged} unchanged, {seconds} s"
        )

    def report_progress(self, rows: int) -> None:
        """Record the number of rows read, at most every two seconds; errors of recording are ignored."""
        now = time.monotonic()
        if now - self._reported_at >= _PROGRESS_SECONDS:
            self._reported_at = now
            with suppress(exc.DBAPIError), self.run.log_transaction() as connection:
                sync_logs.table_progressed(connection, self.run.log.id, self.name, rows)


@dataclass
class SyncRun:
    """Sync that a run carries out.

    Attributes:
        databases: The databases; the warehouse holds the log.
        log: The log as it was when the run joined the sync.
        config: Options of the sync.
        planned: Names of the tables to sync.
        erp_responded: Whether the ERP answered for the previous table.
    """

    databases: PipelineDatabases
    log: SyncLog
    config: SyncConfig
    planned: Sequence[str]
    erp_responded: bool = False
    _failures: dict[str, tuple[SyncResult, Decimal]] = field(default_factory=dict)
    _interrupted: bool = False

    @cached_property
    def warehouse(self) -> sa.Engine:
        """Engine of the warehouse whose sessions carry the sync's name, so that they can be ended."""
        settings = self.databases.settings
        return warehouse_engine(
            database_urls.warehouse_url(settings), settings.zone, sync_logs.writer_application_name(self.log.id)
        )

    @contextmanager
    def log_transaction(self) -> Iterator[sa.Connection]:
        """Yield the connection of a short transaction on the log, separate from transactions on the data."""
        with self.databases.warehouse.begin() as connection:
            yield connection

    @contextmanager
    def table(self, name: str) -> Iterator[TableSync]:
        """Yield the sync of one table; its start and its failure or cancellation are recorded in the log.

        Raises:
            SyncNotRunningError: The sync has already been closed; the table is not changed.
        """
        with self.log_transaction() as connection:
            sync_logs.table_started(connection, self.log.id, name)
        table = TableSync(self, name)
        self._failures.pop(name, None)
        try:
            yield table
        except _INTERRUPTIONS:
            self._interrupted = True
            self._fail(table, SyncResult("cancelled", "It was cancelled; the table is unchanged."))
            raise
        except Exception as error:
            self._fail(table, SyncResult("failed", error_message(error)))
            raise

    def close(self) -> None:
        """Record the end of the sync; wait up to a minute for an unavailable warehouse, which may be restarting.

        Raises:
            WarehouseError: The warehouse stays unavailable; the sensor `finished_syncs` closes the log later.
        """
        if "warehouse" in vars(self):
            self.warehouse.dispose()
        began = time.monotonic()
        is_waiting = False
        while True:
            try:
                return self._close()
            except WarehouseError as error:
                if time.monotonic() - began >= CLOSE_TIMEOUT_SECONDS:
                    self.append_to_log_file(
                        f"could not be closed; the sensor finished_syncs or the next sync closes it: {error}"
                    )
                    raise
                if not is_waiting:
                    self.append_to_log_file(f"waits until it can be closed: {error}")
                is_waiting = True
            time.sleep(_POLL_SECONDS)

    def _close(self) -> None:
        with translate_connection_errors(self.databases.warehouse):
            with self.log_transaction() as connection:
                # An interruption ends the wait for a statement but not the statement, which would block the next sync.
                sync_logs.terminate_writers(connection, self.log.id)
            with self.log_transaction() as connection:
                for name, (
                    reason,
                    seconds,
                ) in self._failures.items():  # repeated: the warehouse may have been unavailable
                    sync_logs.table_failed(connection, self.log.id, name, reason, seconds)
                found = sync_history.tables_of(connection, self.log.id)
                ending = sync_logs.sync_result(found, self.planned, interrupted=self._interrupted)
                closed = sync_logs.close(connection, self.log.id, ending)
        if closed is not None:
            self.append_to_log_file(_closing_line(closed))

    def mark_interrupted(self) -> None:
        """Record that the run was interrupted, possibly between two tables."""
        self._interrupted = True

    def append_to_log_file(self, message: str) -> None:
        """Add a line to the log file of the syncs."""
        append_line(self.databases.settings, f"sync {self.log.id} {message}")

    def _fail(self, table: TableSync, ending: SyncResult) -> None:
        if table.is_done:  # the load is committed; only its report failed
            return
        self.erp_responded = False
        self._failures[table.name] = ending, table.seconds
        self.append_to_log_file(f"{table.name} {ending.status}: {ending.error_message}")
        with suppress(exc.DBAPIError), self.log_transaction() as connection:
            sync_logs.table_failed(connection, self.log.id, table.name, ending, table.seconds)


def _closing_line(log: SyncLog) -> str:
    """Return the end of a closed sync, as a line of the log file."""
    numbers = f"{log.total_records} read, {log.failed_records} rejected, {log.duration} s"
    return f"{log.status}: {numbers}" + (f": {log.error_message}" if log.error_message else "")
