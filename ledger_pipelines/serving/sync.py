"""Service for syncs of the ERP, used by the commands and the API: start, wait, cancel, read their logs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread

from ledger_pipelines.loading.erp.sync_log_file import append_line
from ledger_pipelines.loading.erp.sync_months import first_month_to_sync
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.dagster import client as dagster_client
from ledger_pipelines.serving.dagster.environment import dagster_environment
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, dagster_graphql_from_settings
from ledger_pipelines.serving.dagster.run_summary import ProgressCallback
from ledger_pipelines.serving.dagster.sync_job import SyncJob, SyncMonths, resolve_tables
from ledger_pipelines.serving.process_control.instance_lock import is_serving
from ledger_pipelines.settings import Settings, project_folder
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import (
    SyncedTable,
    SyncLog,
    SyncNotRunningError,
    SyncResult,
    SyncRunningError,
)
from ledger_pipelines.warehouse.queries import sync_history

CANCEL_SECONDS = 10.0
CANCEL_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.25
CANCELLED_BY_COMMAND = "`ledger sync cancel`"
_BY_FORCE = "Its run did not end when requested and was ended by force."

#: Callback for the progress of a running sync: its log and the tables so far.
OnProgress = Callable[[SyncLog, list[SyncedTable]], None]


@dataclass(frozen=True)
class SyncRequest:
    """Options of a sync that a user requests."""

    months: SyncMonths
    tables: tuple[str, ...] = ()
    full: bool = False
    accept_deletions: bool = False


class SyncService:
    """Service for the syncs of an installation, with Dagster's instance for their runs."""

    def __init__(self, databases: Databases, instance: dagster_client.Instance) -> None:
        self.databases = databases
        self.instance = instance

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.databases.settings

    def close_dead_sync(self) -> None:
        """Close the log of a killed sync, so that it blocks no other sync."""
        # Without a code server its runs are dead; with one, `ledger up` takes care of them.
        port = None if is_serving(self.settings.home) else self.settings.code_server_port
        dagster_client.fail_dead_runs(self.instance, code_server_port=port)
        dagster_client.close_dead_sync(self.instance, self.databases)

    def register(self, request: SyncRequest) -> SyncJob:
        """Register a sync as running; the caller then launches it.

        Raises:
            SyncRunningError: another sync is running.
            MonthError: a month is invalid or outside the partitions.
            ServingError: a table is unknown.
            SettingsError: no ERP is configured.
        """
        database_urls.erp_url(self.settings)  # raises an error without an ERP
        horizon, tables = self.databases.horizon(), resolve_tables(request.tables)
        with self.databases.warehouse_transaction() as connection:
            default_first = first_month_to_sync(connection, horizon, tables or ERP_TABLES)
            first, last = request.months.resolve(horizon, default_first)
            try:
                log = sync_logs.begin_sync(connection, "manual")
            except SyncRunningError as error:
                append_line(self.settings, f"manual sync refused: sync {error.running.id} is running")
                raise
        return SyncJob(
            log_id=log.id,
            first=first,
            last=last,
            tables=None if tables is None else tuple(table.name for table in tables),
            catch_up=request.months.is_default,
            full=request.full,
            accept_deletions=request.accept_deletions,
        )

    def running_dagster(self) -> DagsterGraphql | None:
        """Return a client of the web server of a running `ledger up`, or None.

        Raises:
            ServingError: the web UI cannot load the definitions.
        """
        graphql = dagster_graphql_from_settings(self.settings)
        return graphql if is_serving(self.settings.home) and graphql.location_is_loaded() else None

    @contextmanager
    def close_log_on_error(self, job: SyncJob) -> Iterator[None]:
        """Close the log again if the body fails: no process is going to execute the sync."""
        try:
            yield
        except KeyboardInterrupt:
            self._close(job.log_id, SyncResult("cancelled", "The sync was interrupted before its run began."))
            raise
        except Exception as error:
            self._close(job.log_id, SyncResult("failed", f"The run could not be launched: {error}"))
            raise

    def launch(self, job: SyncJob, graphql: DagsterGraphql) -> str:
        """Launch the sync in a running `ledger up` and return the id of its run.

        Raises:
            ServingError: the run is refused.
        """
        with self.close_log_on_error(job):
            run_id = dagster_client.launch_sync(graphql, job)
        # The run also attaches itself to its log, and may have ended already.
        with suppress(SyncNotRunningError), self.databases.warehouse_transaction() as connection:
            sync_logs.attach_run(connection, job.log_id, run_id)
        return run_id

    def spawn(self, job: SyncJob) -> None:
        """Execute the sync in a separate process that outlives this one."""
        log = self.settings.home / "logs" / "sync-process.log"
        command = ["sync", "execute", str(job.log_id), job.first, job.last, *_options(job)]
        with self.close_log_on_error(job):
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("w", encoding="utf-8") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "ledger_pipelines.serving.cli", *command],
                    cwd=project_folder(),
                    env={**os.environ, **dagster_environment(self.settings)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            # Without this wait a process that ends first would stay a zombie.
            Thread(target=process.wait, name=f"end of sync {job.log_id}", daemon=True).start()

    def execute(self, job: SyncJob, progress: ProgressCallback) -> None:
        """Execute the sync in this process; the result is in its log."""
        with self.close_log_on_error(job):
            dagster_client.execute_sync(self.settings, job, progress)
        # A run that failed before it attached itself to its log left the log open.
        self._close(job.log_id, SyncResult("failed", "The run failed before the sync began; see Dagster's web UI."))

    def log(self, log_id: int | None = None) -> SyncLog | None:
        """Return the log of a sync; None for the latest."""
        with self.databases.warehouse_transaction() as connection:
            if log_id is None:
                return sync_history.latest(connection)
            return sync_history.by_id(connection, log_id)

    def tables(self, log_id: int) -> list[SyncedTable]:
        """Return the result of a sync for each table."""
        with self.databases.warehouse_transaction() as connection:
            return sync_history.tables_of(connection, log_id)

    def wait_until_ended(self, log_id: int, on_progress: OnProgress, seconds: float | None = None) -> bool:
        """Wait until a sync has ended; return False if it has not after the given seconds."""
        deadline = None if seconds is None else time.monotonic() + seconds
        checked_at = 0.0
        while True:
            if time.monotonic() - checked_at > 2:  # the sync may have been killed
                self.close_dead_sync()
                checked_at = time.monotonic()
            log = self.log(log_id)
            if log is None or log.status != "running":
                return True
            on_progress(log, self.tables(log_id))
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)

    def cancel(
        self, log_id: int | None, *, force_after_seconds: float, on_progress: OnProgress, by: str = CANCELLED_BY_COMMAND
    ) -> SyncLog | None:
        """Cancel the running sync: request that its run ends, and end it by force if it does not.

        Finished tables keep their new rows; a table in progress stays as it was.

        Args:
            log_id: Only this sync; None for the running one.
            force_after_seconds: Seconds until the run is ended by force.
            on_progress: Called with the progress while waiting.
            by: The command or user that cancels, for the log.

        Returns:
            The closed log; None if no sync is running.

        Raises:
            SyncRunningError: another sync is running.
        """
        self.close_dead_sync()
        with self.databases.warehouse_transaction() as connection:
            log = sync_logs.running_sync(connection)
        if log is None:
            return None
        if log_id is not None and log_id != log.id:
            raise SyncRunningError(f"Sync {log_id} is not running. Sync {log.id} is running and continues.", log)
        append_line(self.settings, f"sync {log.id}: cancellation requested")
        if not dagster_client.request_sync_termination(self.instance, log):
            self._close(log.id, SyncResult("cancelled", f"It was cancelled by {by}. Its run had not begun."))
        elif not self.wait_until_ended(log.id, on_progress, force_after_seconds):
            # The log first: no step may then begin with another table.
            self._close(log.id, SyncResult("cancelled", f"It was cancelled by {by}. {_BY_FORCE}"))
            dagster_client.kill_sync(self.instance, log)
            with self.databases.warehouse_transaction() as connection:
                sync_logs.terminate_writers(connection, log.id)
        return self.log(log.id)

    def _close(self, log_id: int, ending: SyncResult) -> None:
        with self.databases.warehouse_transaction() as connection:
            closed = sync_logs.close(connection, log_id, ending)
        if closed is not None:
            append_line(self.settings, f"sync {log_id} {ending.status}: {ending.error_message}")


@contextmanager
def open_sync_service(settings: Settings) -> Iterator[SyncService]:
    """Yield the sync service of the settings; the databases must be ready."""
    with Databases(settings) as databases, dagster_client.open_instance(settings) as instance:
        yield SyncService(databases, instance)


def _options(job: SyncJob) -> list[str]:
    """Return the command-line options of a job."""
    flags = {"--catch-up": job.catch_up, "--full": job.full, "--accept-deletions": job.accept_deletions}
    tables = [part for table in job.tables or () for part in ("--table", table)]
    return [*(name for name, given in flags.items() if given), *tables]
