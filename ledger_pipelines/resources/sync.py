"""The resource `sync`: one sync of the ERP from its claim to its end, as its run sees it.

It is set up once a run and torn down at the run's end, also when that fails or is cancelled; what a killed process
leaves behind is closed by `finished.py`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import dagster as dg
import sqlalchemy as sa
from dagster._core.errors import DagsterExecutionInterruptedError
from pydantic import Field
from sqlalchemy import exc

from ledger_pipelines.resources.databases import Databases
from ledger_pipelines.resources.finished import close_finished
from ledger_pipelines.resources.run_process import STORAGE_ERRORS, own_process_tags, process_executing
from ledger_pipelines.sources.erp_tables import ERP_TABLES
from ledger_pipelines.sources.errors import first_line
from ledger_pipelines.warehouse import servers, sync_history, sync_logs
from ledger_pipelines.warehouse.engine import reachable, warehouse_engine
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.sync_journal import note
from ledger_pipelines.warehouse.sync_logs import Ending, SyncLog, SyncRunningError

_PROGRESS_SECONDS = 2.0
_TURN_SECONDS = 2.0
#: How long a run that was launched in the UI waits for its turn.
PATIENCE_SECONDS = 600.0
#: How long the end of a sync waits for a warehouse that is away.
AWAY_SECONDS = 60.0
_INTERRUPTIONS = (DagsterExecutionInterruptedError, KeyboardInterrupt)


class SyncConfig(dg.Config):
    """What one sync is about, beside its months and tables; set it in the run's configuration."""

    sync_log_id: int | None = Field(
        default=None, description="The log that was claimed for this run; empty: the run claims one itself."
    )
    sync_type: Literal["manual", "scheduled"] = Field(
        default="manual",
        description="Who starts it. While another sync runs, a manual one waits for its turn, a scheduled one ends.",
    )
    full: bool = Field(default=False, description="Read every month that was ever loaded, even if nothing differs.")
    catch_up: bool = Field(
        default=False,
        description="Of the months before the last two, read only those that a table has never loaded. "
        "Whatever differs at the source is corrected in any case.",
    )
    accept_deletions: bool = Field(
        default=False, description="Go on even if an implausibly large share of the rows would be deleted."
    )


@dataclass
class TableSync:
    """The sync of one table, as its loader sees it."""

    run: "SyncRun"
    name: str
    is_done: bool = False
    _started: float = field(default_factory=time.monotonic)
    _said: float = 0.0

    @property
    def seconds(self) -> Decimal:
        """How long it has taken so far."""
        return Decimal(round((time.monotonic() - self._started) * 1000)).scaleb(-3)

    def done(self, report: Report) -> None:
        """Note what was done: it is committed, whatever becomes of the run."""
        self.is_done = self.run.erp_answers = True
        seconds, counts = self.seconds, report.total
        with self.run.writing() as connection:
            sync_logs.table_finished(connection, self.run.log.id, self.name, report, seconds)
        self.run.note(
            f"{self.name}: {report.read} read, {sum(report.rejected.values())} rejected, {counts.inserted} inserted, "
            f"{counts.updated} updated, {counts.deleted} deleted, {counts.unchanged} unchanged, {seconds} s"
        )

    def progress(self, rows: int) -> None:
        """Note how many rows have been read, every two seconds; that it cannot be noted does no harm."""
        now = time.monotonic()
        if now - self._said >= _PROGRESS_SECONDS:
            self._said = now
            with suppress(exc.DBAPIError), self.run.writing() as connection:
                sync_logs.table_progressed(connection, self.run.log.id, self.name, rows)


@dataclass
class SyncRun:
    """The sync that a run works for.

    Attributes:
        databases: Where its log is.
        log: As it was when the run joined it.
        config: What it is about.
        planned: The tables that it is to sync.
        erp_answers: Whether the ERP was there for the table before.
    """

    databases: Databases
    log: SyncLog
    config: SyncConfig
    planned: Sequence[str]
    erp_answers: bool = False
    _failures: dict[str, tuple[Ending, Decimal]] = field(default_factory=dict)
    _interrupted: bool = False

    @cached_property
    def warehouse(self) -> sa.Engine:
        """The warehouse, by sessions that the server knows under the sync's own name, so that they can be ended."""
        settings = self.databases.settings
        return warehouse_engine(servers.warehouse(settings), settings.zone, sync_logs.session_name(self.log.id))

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A short transaction on the log, apart from those of the data."""
        with self.databases.warehouse.begin() as connection:
            yield connection

    @contextmanager
    def table(self, name: str) -> Iterator[TableSync]:
        """Sync one table: its part of the log begins here, and tells at the end what was done or why it failed.

        Raises:
            SyncEndedError: the sync has been closed meanwhile; the table is not touched.
        """
        with self.writing() as connection:
            sync_logs.table_started(connection, self.log.id, name)
        table = TableSync(self, name)
        self._failures.pop(name, None)
        try:
            yield table
        except _INTERRUPTIONS:
            self._interrupted = True
            self._fail(table, Ending("cancelled", "It was cancelled; the table is as it was."))
            raise
        except Exception as error:
            words = first_line(error) if isinstance(error, exc.DBAPIError) else str(error).strip()
            self._fail(table, Ending("failed", words or type(error).__name__))
            raise

    def close(self) -> None:
        """Write how the sync has ended; if the warehouse is away, wait a minute for it: it may be being restarted.

        Raises:
            WarehouseError: it does not come back; the log is left to whoever looks after it (`finished.py`).
        """
        if "warehouse" in vars(self):
            self.warehouse.dispose()
        began = time.monotonic()
        waits = False
        while True:
            try:
                return self._close()
            except WarehouseError as error:
                if time.monotonic() - began >= AWAY_SECONDS:
                    self.note(f"could not be closed, which is left to the next look at it: {error}")
                    raise
                if not waits:
                    self.note(f"waits until it can be closed: {error}")
                waits = True
            time.sleep(_TURN_SECONDS)

    def _close(self) -> None:
        with reachable(self.databases.warehouse):
            with self.writing() as connection:
                # An interruption ends the wait for a statement, not the statement; it would hold the next sync up.
                sync_logs.end_sessions(connection, self.log.id)
            with self.writing() as connection:
                for name, (reason, seconds) in self._failures.items():  # again: the warehouse may have been away
                    sync_logs.table_failed(connection, self.log.id, name, reason, seconds)
                found = sync_history.tables_of(connection, self.log.id)
                ending = sync_logs.verdict(found, self.planned, interrupted=self._interrupted)
                closed = sync_logs.close(connection, self.log.id, ending)
        if closed is not None:
            self.note(ended(closed))

    def interrupted(self) -> None:
        """Take note that the run was interrupted between two tables."""
        self._interrupted = True

    def note(self, message: str) -> None:
        """Add a line to the log file of the syncs."""
        note(self.databases.settings, f"sync {self.log.id} {message}")

    def _fail(self, table: TableSync, ending: Ending) -> None:
        if table.is_done:  # only what is told about it failed
            return
        self.erp_answers = False
        self._failures[table.name] = ending, table.seconds
        self.note(f"{table.name} {ending.status}: {ending.error_message}")
        with suppress(exc.DBAPIError), self.writing() as connection:
            sync_logs.table_failed(connection, self.log.id, table.name, ending, table.seconds)


def sync_resource() -> dg.ResourceDefinition:
    """The resource `sync`, which needs the resource `databases`."""

    @dg.resource(
        config_schema=SyncConfig.to_config_schema(),
        required_resource_keys={"databases"},
        description="The sync of the ERP that a run works for: its log, and what it is about.",
    )
    def sync(context: dg.InitResourceContext) -> Iterator[SyncRun]:
        databases, run = context.resources.databases, _run_of(context)
        config = SyncConfig(**context.resource_config)
        if context.instance is not None and process_executing(run) is None:
            context.instance.add_run_tags(run.run_id, own_process_tags(run.run_id))
        with reachable(databases.warehouse):
            log = _joined(context, databases, config)
        sync_run = SyncRun(databases, log, config, planned(run))
        sync_run.note(f"started ({log.sync_type}, run {run.run_id}): {', '.join(sync_run.planned)}")
        try:
            yield sync_run
        finally:
            if _is_cancelled(context, run.run_id):
                sync_run.interrupted()
            sync_run.close()

    return sync


def planned(run: dg.DagsterRun) -> list[str]:
    """The tables that a run is to sync, in the catalogue's order: all, unless it names assets or steps."""
    every = [table.name for table in ERP_TABLES]
    chosen: set[str] | None = None
    if run.asset_selection:  # None or empty: no asset is named
        chosen = {key.path[-1] for key in run.asset_selection}
    if run.step_keys_to_execute is not None:  # what a re-execution leaves out
        steps = set(run.step_keys_to_execute)
        chosen = steps if chosen is None else chosen & steps
    return [name for name in every if chosen is None or name in chosen]


def ended(log: SyncLog) -> str:
    """How a closed sync has ended, for the log file."""
    numbers = f"{log.total_records} read, {log.failed_records} rejected, {log.duration} s"
    return f"{log.status}: {numbers}" + (f": {log.error_message}" if log.error_message else "")


def _run_of(context: dg.InitResourceContext) -> dg.DagsterRun:
    if context.run is None:
        raise dg.DagsterInvariantViolationError("The resource `sync` belongs to a run; there is none here.")
    return context.run


def _joined(context: dg.InitResourceContext, databases: Databases, config: SyncConfig) -> SyncLog:
    """The log that was claimed for the run, or else one that it claims itself, when its turn has come.

    Raises:
        SyncEndedError: what was claimed for the run has ended before it started.
        SyncRunningError: another sync runs, and still does after a while.
        DagsterExecutionInterruptedError: another sync runs, and this one is scheduled.
    """
    run = _run_of(context)
    # The configuration of a run that is executed again still names the log of the first time.
    if config.sync_log_id is not None and run.parent_run_id is None:
        with databases.warehouse.begin() as connection:
            return sync_logs.attach_run(connection, config.sync_log_id, run.run_id)
    return _claimed(context, databases, config, run.run_id)


def _claimed(context: dg.InitResourceContext, databases: Databases, config: SyncConfig, run_id: str) -> SyncLog:
    """A log of the run's own, as soon as no other sync runs.

    Raises:
        SyncRunningError: another still runs after a while. A run that waited for ever would keep a place of Dagster's,
            and perhaps from the very run that the other sync waits for.
        DagsterExecutionInterruptedError: another runs, and this one is scheduled; the next hour's takes its place.
    """
    patience_ends = time.monotonic() + PATIENCE_SECONDS
    say: Callable[[str], Any] = context.log.info if context.log is not None else _silent
    waits_for = None
    while True:
        if context.instance is not None:
            close_finished(context.instance, databases)
        try:
            with databases.warehouse.begin() as connection:
                return sync_logs.claim(connection, config.sync_type, run_id)
        except SyncRunningError as error:
            if config.sync_type == "scheduled" or time.monotonic() > patience_ends:
                note(databases.settings, f"{config.sync_type} sync refused: sync {error.running.id} is running")
                if config.sync_type == "scheduled":
                    raise _skipped(context, error) from error
                raise
            if waits_for != error.running.id:
                say(f"Waiting for sync {error.running.id} to end, which has been running since "
                    f"{error.running.started_at:%H:%M:%S}.")  # fmt: skip
            waits_for = error.running.id
        time.sleep(_TURN_SECONDS)


def _skipped(context: dg.InitResourceContext, reason: SyncRunningError) -> BaseException:
    """What ends a scheduled run that another sync has forestalled: it is cancelled, for it is nobody's fault."""
    if context.instance is not None:
        context.instance.report_run_canceling(_run_of(context), f"It is skipped: {reason}")
    return DagsterExecutionInterruptedError(str(reason))


def _is_cancelled(context: dg.InitResourceContext, run_id: str) -> bool:
    """Whether somebody has ended the run: Dagster ends a resource without a word of how the run went."""
    with suppress(*STORAGE_ERRORS):  # if it is away, nobody has
        run = context.instance.get_run_by_id(run_id) if context.instance is not None else None
        return run is not None and run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
    return False


def _silent(_message: str) -> None:
    """Say nothing."""
