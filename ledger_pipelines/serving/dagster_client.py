"""The one module of `serving` that speaks with Dagster: runs executed here, and runs whose process died.

Commands import it when they need it: the import costs a second or two.
"""

import json
import logging
import os
import socket
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster import DagsterEventType, DagsterRunStatus, EventLogEntry, RunsFilter
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterUserCodeUnreachableError
from dagster._core.instance.ref import InstanceRef
from dagster._grpc.client import DagsterGrpcClient
from dagster_postgres.utils import DagsterPostgresException

from ledger_pipelines.partitions import range_tags
from ledger_pipelines.serving.environment import dagster_environment
from ledger_pipelines.serving.outcome import CheckResult, Fault, Order, Outcome, StepResult, scope_config
from ledger_pipelines.serving.processes import ProcessId, process_of
from ledger_pipelines.serving.web_ui import WebUi
from ledger_pipelines.settings import Settings, project_folder

JOB = "billing_ledger"
_POOL = "billing_ledger"
_HOST_TAG, _PID_TAG, _STARTED_TAG, _COMMAND_TAG = (
    f"ledger/{name}" for name in ("host", "pid", "process_started", "command")
)
_CODE_SERVER_TAG = ".dagster/grpc_info"
_UNFINISHED = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_WAITING = [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED]
_POLL_SECONDS = 1.0
# What a run of a command does is told by the command; what Dagster prints of it would only be in the way.
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}

#: What knows of all runs, schedules and pools.
Instance = dg.DagsterInstance

#: What Dagster's storage raises when its database is away.
STORAGE_ERRORS = (sa.exc.DBAPIError, DagsterPostgresException)

#: Told of progress: what is being done, how many steps are done, and how many there are.
Progress = Callable[[str, int, int], None]


@contextmanager
def instance_of(settings: Settings) -> Iterator[Instance]:
    """Dagster's instance; the tables of its storage are made if they are missing.

    Steps that run in this process write to its own terminal: nothing of it is captured.
    """
    os.environ.update(dagster_environment(settings))
    uncaptured = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    reference = InstanceRef.from_dir(str(project_folder()), overrides={"compute_logs": uncaptured})
    with dg.DagsterInstance.from_ref(reference) as instance:
        # Without a pool its storage connects anew for every statement, a thousand times in a run of two years.
        instance.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=5)
        yield instance


def execute(settings: Settings, order: Order, progress: Progress) -> Outcome:
    """Execute the ledger's job in this process, as a run that the web interface shows.

    Waits while another run writes the ledger's tables.
    """
    with _quietly(), instance_of(settings) as instance:
        from ledger_pipelines.definitions import build_definitions  # the module reads the settings when it is imported
        from ledger_pipelines.resources import Databases

        fail_dead_runs(instance)
        databases = Databases(settings)
        job = build_definitions(settings, {"databases": databases}).resolve_job_def(JOB)
        steps = len(job.nodes)
        _wait_for_pool(instance, lambda message: progress(message, 0, steps))
        run_id = str(uuid.uuid4())
        watch = _Watch(progress, steps)
        instance.add_event_listener(run_id, watch.see)
        started = time.monotonic()
        try:
            job.execute_in_process(
                instance=instance,
                run_id=run_id,
                tags={**range_tags(order.first, order.last), **_own_tags(order.command)},
                run_config={"resources": {"scope": {"config": scope_config(order)}}, "loggers": _QUIET},
                raise_on_error=False,
            )
        finally:
            databases.warehouse.dispose()
            databases.billing.dispose()
        return watch.outcome(order, run_id, time.monotonic() - started)


def fail_dead_runs(instance: Instance, *, code_server_port: int | None = None) -> list[str]:
    """Mark runs as failed whose process on this machine is gone, free their places in the pools, and name them.

    Args:
        instance: Dagster's.
        code_server_port: Of a code server of this machine that is gone, and with it every run it launched.
    """
    dead = []
    for run in instance.get_runs(RunsFilter(statuses=_UNFINISHED)):
        if _is_dead(run.tags, code_server_port):
            reason = "The process that executed this run is gone: it was killed, or the machine was restarted."
            instance.report_run_failed(run, reason)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            dead.append(run.run_id)
    return dead


def has_unfinished_runs(instance: Instance) -> bool:
    """Whether a run of the ledger's job is under way or waits for its turn."""
    return bool(instance.get_runs(RunsFilter(job_name=JOB, statuses=[*_UNFINISHED, *_WAITING]), limit=1))


def launch(web_ui: WebUi, order: Order) -> str:
    """Put a run into the queue of a running `ledger up` and return its id.

    Raises:
        ServingError: it is refused.
    """
    tags = range_tags(order.first, order.last) | {_COMMAND_TAG: f"ledger {order.command}"}
    return web_ui.launch(JOB, tags, {"resources": {"scope": {"config": scope_config(order)}}})


def code_server_answers(port: int) -> bool:
    """Whether the code server has loaded the definitions and takes requests."""
    try:
        DagsterGrpcClient(host="127.0.0.1", port=port).ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what Dagster says of itself off the terminal."""
    logger = logging.getLogger("dagster")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _own_tags(command: str) -> dict[str, str]:
    """Tags by which a run can later be told to be of this very process."""
    own = process_of(os.getpid())
    return {
        _COMMAND_TAG: f"ledger {command}",
        _HOST_TAG: socket.gethostname(),
        _PID_TAG: str(os.getpid()),
        _STARTED_TAG: "" if own is None else own.started,
    }


def _is_dead(tags: Mapping[str, str], code_server_port: int | None) -> bool:
    if tags.get(_HOST_TAG) == socket.gethostname():
        return not ProcessId(int(tags[_PID_TAG]), tags[_STARTED_TAG]).alive
    if code_server_port is None or _CODE_SERVER_TAG not in tags:
        return False
    launched_by = json.loads(tags[_CODE_SERVER_TAG])
    return (launched_by.get("host"), launched_by.get("port")) == ("127.0.0.1", code_server_port)


def _wait_for_pool(instance: Instance, say: Callable[[str], None]) -> None:
    """Wait until no other run holds the pool: a step that waited for it would keep a processor busy."""
    while holders := instance.event_log_storage.get_concurrency_info(_POOL).active_run_ids:
        say(f"waiting for run {', '.join(sorted(run_id[:8] for run_id in holders))}")
        fail_dead_runs(instance)
        time.sleep(_POLL_SECONDS)


@dataclass
class _Watch:
    """A run's events as they come: progress is told, results are kept."""

    progress: Progress
    of: int
    done: int = 0
    steps: dict[str, StepResult] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def see(self, entry: EventLogEntry) -> None:
        """Take note of one event."""
        event = entry.dagster_event
        if event is None:
            return
        kind = event.event_type
        if kind is DagsterEventType.STEP_START:
            self.progress(str(event.step_key), self.done, self.of)
        elif kind in (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE):
            self.done += 1
            self.progress(str(event.step_key), self.done, self.of)
        elif kind is DagsterEventType.ASSET_MATERIALIZATION:
            self._materialised(event)
        elif kind is DagsterEventType.ASSET_CHECK_EVALUATION:
            self._checked(event)
        if kind is DagsterEventType.STEP_FAILURE:
            self.faults.append(Fault(event.step_key, _words_of(event.step_failure_data)))
        elif kind is DagsterEventType.RUN_FAILURE and not self.faults:
            self.faults.append(Fault(None, event.message or "the run failed"))
        elif kind is DagsterEventType.RUN_CANCELED:
            self.faults.append(Fault(None, "the run was cancelled"))

    def outcome(self, order: Order, run_id: str, seconds: float) -> Outcome:
        """What it all came to."""
        return Outcome(order, run_id, seconds, tuple(self.steps.values()), tuple(self.checks), tuple(self.faults))

    def _materialised(self, event: dg.DagsterEvent) -> None:
        """Keep what the step did as a whole: it is told again with each of its months."""
        metadata = {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        if "rows_read" in metadata:
            asset = str(event.step_key)
            self.steps[asset] = StepResult.of(asset, metadata)

    def _checked(self, event: dg.DagsterEvent) -> None:
        found = event.asset_check_evaluation_data
        if not found.passed:
            rows = found.metadata["rows"].value
            is_error = found.severity is dg.AssetCheckSeverity.ERROR
            self.checks.append(
                CheckResult(found.check_name, found.asset_key.to_user_string(), is_error, int(str(rows)))
            )


def _words_of(failure: Any) -> str:
    """What a failed step has to say: the words meant for a person, else the innermost error."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "it failed"
    if error.cls_name == DagsterExecutionInterruptedError.__name__:
        return "it was interrupted; steps that were finished stay, this one changed nothing"
    return str(error.message).strip()
