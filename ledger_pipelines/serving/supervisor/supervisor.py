"""Supervisor of the processes of `ledger up`: Dagster's three processes and the API."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ledger_pipelines.embedded_postgres.server import EmbeddedServerError
from ledger_pipelines.errors import first_line
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.dagster import client as dagster_client
from ledger_pipelines.serving.dagster.environment import DEFINITIONS, dagster_environment
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, dagster_graphql_from_settings
from ledger_pipelines.serving.dagster.run_summary import LedgerRunRequest
from ledger_pipelines.serving.dagster.sync_job import SyncMonths
from ledger_pipelines.serving.process_control.instance_lock import InstanceLock
from ledger_pipelines.serving.process_control.interrupts import Interrupts
from ledger_pipelines.serving.process_control.managed_process import ManagedProcess
from ledger_pipelines.serving.process_control.ports import LOOPBACK
from ledger_pipelines.serving.supervisor.incident_poller import IncidentPoller
from ledger_pipelines.serving.supervisor.message_throttle import MessageThrottle
from ledger_pipelines.serving.sync import SyncRequest, SyncService
from ledger_pipelines.serving.web.address import is_ready
from ledger_pipelines.settings import Settings, instance_folder, project_folder
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops.sync_logs import SyncRunningError
from ledger_pipelines.warehouse.schema import WarehouseError

_READY_SECONDS = 180.0
_POLL_SECONDS = 0.25
_DATABASE_SECONDS = 5.0
_DEAD_RUNS_SECONDS = 60.0
_SYNCS_SECONDS = 15.0
_INCIDENTS_SECONDS = 3.0

#: Callback for messages on the terminal.
Report = Callable[[str], None]


@dataclass
class Supervisor:
    """Supervisor of one `ledger up`.

    Attributes:
        settings: The settings.
        instance: Dagster's instance.
        lock: The lock of the data folder.
        interrupts: The termination signals.
        report: Called with each message for the terminal.
    """

    settings: Settings
    instance: dagster_client.Instance
    lock: InstanceLock
    interrupts: Interrupts
    report: Report
    _children: list[ManagedProcess] = field(init=False)
    _last: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings, self._announce = self.settings, MessageThrottle(self.report)
        self._incidents = IncidentPoller(settings, self.report, self._announce)
        log, port = ["--log-format", "colored"], str(settings.code_server_port)
        workspace = ["-w", str(instance_folder(settings.home) / "workspace.yaml")]
        web = ["-h", settings.ui_host, "-p", str(settings.ui_port), "--dagster-log-level", "info"]
        web += ["--db-pool-recycle", str(dagster_client.CONNECTION_SECONDS)]
        self._code_server = self._child(
            "code-server", "dagster", "api", "grpc", "-m", DEFINITIONS, "--host", LOOPBACK, "--port", port, *log,
            "--location-name", "ledger", "--use-python-environment-entry-point",
        )  # fmt: skip
        self._children = [
            self._code_server,
            self._child("webserver", "ledger_pipelines.serving.dagster_ui", *web, *log, *workspace),
            self._child("daemon", dagster_client.DAEMON_MODULE, "run", *log, *workspace),
            self._child("api", "ledger_pipelines.serving.app"),
        ]

    @property
    def graphql(self) -> DagsterGraphql:
        """Client of the web server, as reached from this machine."""
        return dagster_graphql_from_settings(self.settings)

    def start(self) -> None:
        """Start everything and wait until the web UI has loaded the definitions and the API answers.

        Raises:
            ServingError: a process does not start; the message says why.
        """
        self._fail_dead_runs(code_server_is_gone=True)
        self._start(self._code_server)
        self._await(lambda: dagster_client.code_server_is_ready(self.settings.code_server_port))
        for child in self._children[1:]:
            self._start(child)
        self._await(self.graphql.location_is_loaded)
        self._await(lambda: is_ready(self.settings))

    def resume_runs(self) -> None:
        """Re-execute the runs that were cancelled because `ledger up` was stopped."""
        self._close_dead_sync()  # otherwise a re-executed sync would wait for itself
        with self._storage():
            for run_id, replacement in dagster_client.resume_runs(self.instance, self.graphql):
                cancelled = f"Run {run_id[:8]} was cancelled when ledger up was stopped"
                if isinstance(replacement, ServingError):
                    self.report(f"{cancelled}, and is not resumed: {replacement}")
                else:
                    self.report(f"{cancelled}. It is executed again: {self.graphql.run_url(replacement)}")

    def first_runs(self, databases: Databases) -> Iterator[tuple[str, str]]:
        """Launch the first computation and sync of the demo, if needed.

        Yields:
            A description of each run, and its id.

        Raises:
            ServingError: a run is refused.
        """
        horizon = databases.horizon()
        if _demo_is_not_computed(databases) and not dagster_client.has_unfinished_runs(self.instance):
            request = LedgerRunRequest(horizon.first, horizon.current, None, "up")
            yield "The whole ledger is being computed", dagster_client.launch_ledger(self.graphql, request)
        service = SyncService(databases, self.instance)
        if database_urls.uses_demo_erp(self.settings) and service.log() is None:
            with suppress(SyncRunningError):
                job = service.register(SyncRequest(SyncMonths()))
                yield "The ERP is being copied", service.launch(job, self.graphql)

    def watch(self) -> None:
        """Restart processes that die, and report incidents, until a signal arrives."""
        while not self.interrupts.received:
            time.sleep(_POLL_SECONDS)
            for child in self._children:
                if child.should_restart():
                    if child is self._code_server:
                        self._fail_dead_runs(code_server_is_gone=True)
                    self._start(child)
                    self.report(f"{child.name} was restarted.")
            if self._is_time_for("database", _DATABASE_SECONDS):
                self._watch_database()
            if self._is_time_for("dead runs", _DEAD_RUNS_SECONDS):
                self._fail_dead_runs()
            if self._is_time_for("syncs", _SYNCS_SECONDS):
                self._close_dead_sync()
            if self._is_time_for("incidents", _INCIDENTS_SECONDS):
                self._incidents.poll()

    def stop(self) -> None:
        """Stop first the processes that start runs, then the runs, then the code server that executes them."""
        starters = [child for child in reversed(self._children) if child is not self._code_server]
        runs: Sequence[str] = ()
        self._incidents.close()
        try:
            _stop(starters)
            with self._storage():
                runs = dagster_client.cancel_launched_runs(self.instance, self.settings.code_server_port)
        finally:
            _stop([self._code_server])
        with self._storage():
            dagster_client.confirm_cancelled(self.instance, runs)
            if runs:
                self._close_dead_sync()

    def _start(self, child: ManagedProcess) -> None:
        """Start a process and record it; signals are deferred meanwhile, so that no unrecorded process is left."""
        with self.interrupts.deferred():
            child.start()
            self._record_children()

    def _child(self, name: str, module: str, *arguments: str) -> ManagedProcess:
        environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_MODULE_NAME"}
        return ManagedProcess(
            name=name,
            command=[sys.executable, "-m", module, *arguments],
            environment=environment | dagster_environment(self.settings),
            folder=project_folder(),
            log=self.settings.home / "logs" / f"{name}.log",
            report=self._announce,
        )

    def _record_children(self) -> None:
        try:
            self.lock.record(child.identity for child in self._children)
        except OSError as error:
            self._announce(f"{self.lock.file.name} cannot be written: {error.strerror}")

    def _await(self, ready: Callable[[], bool]) -> None:
        """Wait until a condition holds; raise an error if a process ends, or after the timeout."""
        deadline = time.monotonic() + _READY_SECONDS
        while not ready():
            if self.interrupts.received:
                raise KeyboardInterrupt
            for child in self._children:
                if (code := child.exit_code) is not None:
                    raise ServingError(
                        f"{child.name} does not start (exit code {code}): {child.last_line} Log: {child.log}"
                    )
            if time.monotonic() > deadline:
                logs = ", ".join(str(child.log) for child in self._children)
                raise ServingError(f"The start did not finish within {_READY_SECONDS:.0f} s. Logs: {logs}")
            time.sleep(_POLL_SECONDS)

    def _is_time_for(self, task: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._last.setdefault(task, now) < seconds:
            return False
        self._last[task] = now
        return True

    def _fail_dead_runs(self, *, code_server_is_gone: bool = False) -> None:
        port = self.settings.code_server_port if code_server_is_gone else None
        with self._storage():
            for run_id in dagster_client.fail_dead_runs(self.instance, code_server_port=port):
                self.report(f"Run {run_id[:8]} is marked as failed: its process is gone.")

    @contextmanager
    def _storage(self) -> Iterator[None]:
        """Report that Dagster's storage does not answer, and continue: the work is repeated later."""
        try:
            yield
        except dagster_client.STORAGE_ERRORS as error:
            self._announce(f"Dagster's storage does not answer: {first_line(error)}")

    def _close_dead_sync(self) -> None:
        """Close the log of a killed sync, so that it blocks no other sync, even if the daemon does not run."""
        try:
            with Databases(self.settings) as databases:
                closed = dagster_client.close_dead_sync(self.instance, databases)
        except (WarehouseError, *dagster_client.STORAGE_ERRORS) as error:
            self._announce(first_line(error))
        else:
            if closed is not None:
                self.report(
                    f"Sync {closed.id} had ended without closing its log; the log is closed as {closed.status}."
                )

    def _watch_database(self) -> None:
        if not database_urls.uses_embedded_server(self.settings):
            return
        try:
            if database_urls.embedded_server(self.settings).start():
                self.report("The embedded server had stopped; it was restarted.")
                self.lock.owns_database = True
                self._record_children()
        except EmbeddedServerError as error:
            self._announce(str(error))


def _stop(children: Sequence[ManagedProcess]) -> None:
    """Stop several processes at the same time."""
    for child in children:
        child.terminate()
    for child in children:
        child.stop()


def _demo_is_not_computed(databases: Databases) -> bool:
    """Return whether the settings use the demo and its ledger has never been computed."""
    return database_urls.uses_demo_billing(databases.settings) and not databases.is_computed()
