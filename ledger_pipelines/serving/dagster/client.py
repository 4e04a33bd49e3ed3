"""Client of Dagster's instance: execute, launch, resume and end runs.

Commands import it only when they need it: the import takes a second or two.
"""

import logging
import os
import signal
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import dagster as dg
from dagster import RunsFilter

from ledger_pipelines import dagster_internals
from ledger_pipelines.defs.partitions import month_range_tags
from ledger_pipelines.defs.resources import dead_syncs, interruption, run_process
from ledger_pipelines.defs.resources.dead_syncs import SYNC_TAG, run_of_sync
from ledger_pipelines.defs.resources.run_process import UNFINISHED, executing_process, own_process_tags, send_signal
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.dagster.environment import dagster_environment
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, DagsterUnreachableError
from ledger_pipelines.serving.dagster.run_recorder import RunRecorder
from ledger_pipelines.serving.dagster.run_summary import LedgerRunRequest, ProgressCallback, RunSummary, scope_config
from ledger_pipelines.serving.dagster.sync_job import SyncJob
from ledger_pipelines.settings import Settings, instance_folder
from ledger_pipelines.warehouse.ops.sync_logs import SyncLog
from ledger_pipelines.warehouse.tables import invoice_reconciliation

JOB = "billing_ledger"
_POOL = "billing_ledger"
SYNC_JOB = "erp_sync"
_SYNC_POOL = "erp"
RECONCILIATION_JOB = "reconciliation"
_RECONCILIATION_POOL = "reconciliation"
_COMMAND_TAG = "ledger/command"
_POLL_SECONDS = 1.0
#: Lifetime of the connections of Dagster's storage, in seconds. The storage does not test a connection before use, and
#: after a restart of the database every connection in its pool is dead.
CONNECTION_SECONDS = 1
# The command itself reports the progress of its run; Dagster's own output is suppressed.
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}

#: Dagster's instance: all runs, schedules and pools.
Instance = dg.DagsterInstance

DAEMON_MODULE = dagster_internals.DAEMON_MODULE
STORAGE_ERRORS = run_process.STORAGE_ERRORS
close_dead_sync = dead_syncs.close_dead_sync
cancel_launched_runs = interruption.mark_runs_canceling
confirm_cancelled = interruption.mark_runs_canceled
fail_dead_runs = interruption.fail_dead_runs


@contextmanager
def open_instance(settings: Settings) -> Iterator[Instance]:
    """Yield Dagster's instance; create the tables of its storage if they are missing.

    The output of steps that run in this process goes to its terminal and is not captured.
    """
    os.environ.update(dagster_environment(settings))
    folder = str(instance_folder(settings.home))
    reference = dagster_internals.InstanceRef.from_dir(folder, overrides=dagster_internals.UNCAPTURED_OUTPUT)
    with dg.DagsterInstance.from_ref(reference) as instance:
        # Without a pool the storage opens a connection for each statement, a thousand times in a run of two years.
        instance.optimize_for_webserver(statement_timeout=0, pool_recycle=CONNECTION_SECONDS, max_overflow=5)
        yield instance


def execute_ledger(settings: Settings, request: LedgerRunRequest, progress: ProgressCallback) -> RunSummary:
    """Execute the ledger's job in this process, as a run that the web UI shows.

    Wait first until no other run writes the ledger's tables.
    """
    tags = {**month_range_tags(request.first, request.last), _COMMAND_TAG: f"ledger {request.command}"}
    started = time.monotonic()
    run_id, recorder = _execute(settings, JOB, _POOL, tags, {"scope": scope_config(request)}, None, progress)
    return recorder.summary(request, run_id, time.monotonic() - started)


def execute_sync(settings: Settings, job: SyncJob, progress: ProgressCallback) -> None:
    """Execute a registered sync in this process, as a run that the web UI shows.

    The result is in the sync's log. A termination signal cancels the sync.
    """
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    tags = _sync_tags(job)
    _execute(settings, SYNC_JOB, _SYNC_POOL, tags, {"sync": job.config}, job.tables, progress)


def execute_reconciliation(
    settings: Settings, request: LedgerRunRequest, assets: Sequence[str], progress: ProgressCallback
) -> RunSummary:
    """Execute some of the reconciliations in this process, as a run that the web UI shows."""
    started = time.monotonic()
    job, pool = RECONCILIATION_JOB, _RECONCILIATION_POOL
    run_id, recorder = _execute(settings, job, pool, _reconciliation_tags(request, assets), {}, assets, progress)
    return recorder.summary(request, run_id, time.monotonic() - started)


def _execute(
    settings: Settings,
    job_name: str,
    pool: str,
    tags: Mapping[str, str],
    resources: Mapping[str, Any],
    assets: Sequence[str] | None,
    progress: ProgressCallback,
) -> tuple[str, RunRecorder]:
    """Execute a job, or some of its assets; return the id of the run and the recorded events."""
    with _silenced(), open_instance(settings) as instance:
        from ledger_pipelines.definitions import build_definitions  # reads the settings when imported
        from ledger_pipelines.defs.automation.incidents import review
        from ledger_pipelines.defs.resources import PipelineDatabases as Resource

        fail_dead_runs(instance)
        databases = Resource(settings)
        job = build_definitions(settings, {"databases": databases}).resolve_job_def(job_name)
        if assets is not None:
            job = job.get_subset(asset_selection={dg.AssetKey(name) for name in assets})
        steps = len(job.nodes)
        _wait_for_pool(instance, pool, lambda message: progress(message, 0, steps))
        run_id = str(uuid.uuid4())
        recorder = RunRecorder(progress, steps)
        instance.add_event_listener(run_id, recorder.record)
        try:
            job.execute_in_process(
                instance=instance,
                run_id=run_id,
                tags={**tags, **own_process_tags(run_id)},
                run_config={
                    "resources": {name: {"config": config} for name, config in resources.items()},
                    "loggers": _QUIET,
                },
                raise_on_error=False,
            )
            review(instance, databases)  # a sensor that could find a failure resolved may not be running
        finally:
            databases.dispose()
        return run_id, recorder


def has_unfinished_runs(instance: Instance) -> bool:
    """Return whether a run of the ledger's job is running or queued."""
    return bool(instance.get_runs(RunsFilter(job_name=JOB, statuses=UNFINISHED), limit=1))


def launch_ledger(graphql: DagsterGraphql, request: LedgerRunRequest) -> str:
    """Queue a run of the ledger's job in a running `ledger up` and return its id.

    Raises:
        ServingError: the run is refused.
    """
    tags = month_range_tags(request.first, request.last) | {_COMMAND_TAG: f"ledger {request.command}"}
    return graphql.launch_run(JOB, tags, {"resources": {"scope": {"config": scope_config(request)}}})


def resume_runs(instance: Instance, graphql: DagsterGraphql) -> Iterator[tuple[str, str | ServingError]]:
    """Re-execute the runs that were cancelled because `ledger up` was stopped.

    If the web server does not answer, the run is left to the next start.

    Yields:
        The id of each cancelled run, and the id of its replacement or the error that prevents it.
    """
    for run_id in interruption.runs_to_resume(instance):
        replacement: str | ServingError
        try:
            # An earlier start may have been interrupted after the launch, before it was recorded.
            replacement = interruption.find_replacement(instance, run_id) or graphql.reexecute_run(
                run_id, {interruption.RESUME_TAG: interruption.replacement_tag(run_id)}
            )
            interruption.mark_resumed(instance, run_id, replacement)
        except DagsterUnreachableError as error:
            replacement = error
        except ServingError as error:
            replacement = error
            interruption.mark_resumed(instance, run_id, interruption.REFUSED)
        yield run_id, replacement


def launch_sync(graphql: DagsterGraphql, job: SyncJob) -> str:
    """Queue a registered sync in a running `ledger up` and return the run's id.

    Raises:
        ServingError: the run is refused.
    """
    tags = _sync_tags(job)
    return graphql.launch_run(SYNC_JOB, tags, {"resources": {"sync": {"config": job.config}}}, job.tables)


def launch_reconciliation(graphql: DagsterGraphql, request: LedgerRunRequest, assets: Sequence[str]) -> str:
    """Queue some of the reconciliations in a running `ledger up` and return the run's id.

    Raises:
        ServingError: the run is refused.
    """
    return graphql.launch_run(RECONCILIATION_JOB, _reconciliation_tags(request, assets), {}, assets)


def request_sync_termination(instance: Instance, log: SyncLog) -> bool:
    """Request that the run of a sync terminates, in any process; return False if the sync has no run."""
    run = run_of_sync(instance, log)
    if run is None:
        return False
    if run.is_finished:
        return True
    process = executing_process(run)
    if process is None or not process.is_alive:
        # If the code server is gone, the run is ended by force later.
        with suppress(dagster_internals.DagsterUserCodeUnreachableError):
            instance.run_coordinator.cancel_run(run.run_id)
    else:  # not through the code server: it would wait for the process, and launch nothing meanwhile
        instance.report_run_canceling(run)  # otherwise Dagster would record a failure
        send_signal(process, signal.SIGINT)
    return True


def kill_sync(instance: Instance, log: SyncLog) -> None:
    """Mark the run of a sync as cancelled, and kill its process if that is on this machine."""
    run = run_of_sync(instance, log)
    if run is None or run.is_finished:
        return
    # In this order: a code server that finds the process dead first would mark the run as failed.
    instance.report_run_canceled(run, "The run did not end when requested and was ended by force.")
    if (process := executing_process(run)) is not None:
        send_signal(process, signal.SIGKILL)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def code_server_is_ready(port: int) -> bool:
    """Return whether the code server has loaded the definitions and accepts requests."""
    try:
        dagster_internals.ping_code_server(port)
    except dagster_internals.DagsterUserCodeUnreachableError:
        return False
    return True


@contextmanager
def _silenced() -> Iterator[None]:
    """Suppress Dagster's own log messages and warnings."""
    logger = logging.getLogger("dagster")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _reconciliation_tags(request: LedgerRunRequest, assets: Sequence[str]) -> dict[str, str]:
    """Return the tags of the run, with its months if one of the assets is partitioned."""
    months = month_range_tags(request.first, request.last) if invoice_reconciliation.name in assets else {}
    return months | {_COMMAND_TAG: f"ledger {request.command}"}


def _sync_tags(job: SyncJob) -> dict[str, str]:
    tags = {SYNC_TAG: str(job.log_id), _COMMAND_TAG: f"ledger {job.command}"}
    return month_range_tags(job.first, job.last) | tags


def _wait_for_pool(instance: Instance, pool: str, report: Callable[[str], None]) -> None:
    """Wait until no other run holds the pool: a step that waits for it keeps a processor busy."""
    while holders := instance.event_log_storage.get_concurrency_info(pool).active_run_ids:
        report(f"waiting for run {', '.join(sorted(run_id[:8] for run_id in holders))}")
        fail_dead_runs(instance)
        for run_id in holders:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:  # the storage was unreachable when its step ended
                instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        time.sleep(_POLL_SECONDS)
