"""Resource `sync`: one sync of the ERP from its start to its end, for the run that carries it out.

The resource is set up once per run and torn down at the run's end, also on failure or cancellation. `dead_syncs.py`
closes the syncs of killed processes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import dagster as dg
from dagster import DagsterExecutionInterruptedError

from ledger_pipelines.defs.resources.databases import PipelineDatabases
from ledger_pipelines.defs.resources.dead_syncs import close_dead_sync
from ledger_pipelines.defs.resources.run_process import STORAGE_ERRORS, executing_process, own_process_tags
from ledger_pipelines.defs.resources.sync_run import SyncConfig, SyncRun
from ledger_pipelines.loading.erp.sync_log_file import append_line
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncLog, SyncRunningError

_POLL_SECONDS = 2.0
#: Longest wait of a manual run for another sync to end.
WAIT_TIMEOUT_SECONDS = 600.0


def sync_resource() -> dg.ResourceDefinition:
    """Return the resource `sync`, which requires the resource `databases`."""

    @dg.resource(
        config_schema=SyncConfig.to_config_schema(),
        required_resource_keys={"databases"},
        description="The sync of the ERP that a run carries out: its log and its options.",
    )
    def sync(context: dg.InitResourceContext) -> Iterator[SyncRun]:
        databases, run = context.resources.databases, _run_of(context)
        config = SyncConfig(**context.resource_config)
        if context.instance is not None and executing_process(run) is None:
            context.instance.add_run_tags(run.run_id, own_process_tags(run.run_id))
        with translate_connection_errors(databases.warehouse):
            log = _join_log(context, databases, config)
        sync_run = SyncRun(databases, log, config, _planned_tables(run))
        sync_run.append_to_log_file(f"started ({log.sync_type}, run {run.run_id}): {', '.join(sync_run.planned)}")
        try:
            yield sync_run
        finally:
            if _is_cancelled(context, run.run_id):
                sync_run.mark_interrupted()
            sync_run.close()

    return sync


def _planned_tables(run: dg.DagsterRun) -> list[str]:
    """Return the tables that a run syncs, in the catalogue's order: all, unless the run selects assets or steps."""
    every = [table.name for table in ERP_TABLES]
    chosen: set[str] | None = None
    if run.asset_selection:  # None or empty: no asset is named
        chosen = {key.path[-1] for key in run.asset_selection}
    if run.step_keys_to_execute is not None:  # a re-execution may leave steps out
        steps = set(run.step_keys_to_execute)
        chosen = steps if chosen is None else chosen & steps
    return [name for name in every if chosen is None or name in chosen]


def _run_of(context: dg.InitResourceContext) -> dg.DagsterRun:
    if context.run is None:
        raise dg.DagsterInvariantViolationError("The resource `sync` can only be used in a run.")
    return context.run


def _join_log(context: dg.InitResourceContext, databases: PipelineDatabases, config: SyncConfig) -> SyncLog:
    """Return the log that was created for the run, or a new log as soon as no other sync runs.

    Raises:
        SyncNotRunningError: The log that was created for the run has ended before the run started.
        SyncRunningError: Another sync still runs after `WAIT_TIMEOUT_SECONDS`.
        DagsterExecutionInterruptedError: Another sync runs, and this sync is scheduled.
    """
    run = _run_of(context)
    # The configuration of a re-executed run still names the log of its parent.
    if config.sync_log_id is not None and run.parent_run_id is None:
        with databases.warehouse.begin() as connection:
            return sync_logs.attach_run(connection, config.sync_log_id, run.run_id)
    return _claim_log(context, databases, config, run.run_id)


def _claim_log(
    context: dg.InitResourceContext, databases: PipelineDatabases, config: SyncConfig, run_id: str
) -> SyncLog:
    """Create a log for the run as soon as no other sync runs, and return it.

    Raises:
        SyncRunningError: Another sync still runs after `WAIT_TIMEOUT_SECONDS`. An endless wait would occupy a slot of
            Dagster's queue, possibly one that the other sync's run needs.
        DagsterExecutionInterruptedError: Another sync runs, and this sync is scheduled; the next hourly sync replaces
            it.
    """
    deadline = time.monotonic() + WAIT_TIMEOUT_SECONDS
    log_info: Callable[[str], Any] = context.log.info if context.log is not None else _discard
    waits_for = None
    while True:
        if context.instance is not None:
            close_dead_sync(context.instance, databases)
        try:
            with databases.warehouse.begin() as connection:
                return sync_logs.begin_sync(connection, config.sync_type, run_id)
        except SyncRunningError as error:
            if config.sync_type == "scheduled" or time.monotonic() > deadline:
                append_line(databases.settings, f"{config.sync_type} sync refused: sync {error.running.id} is running")
                if config.sync_type == "scheduled":
                    raise _skip_run(context, error) from error
                raise
            if waits_for != error.running.id:
                log_info(f"Waiting for sync {error.running.id} to end, which has been running since "
                         f"{error.running.started_at:%H:%M:%S}.")  # fmt: skip
            waits_for = error.running.id
        time.sleep(_POLL_SECONDS)


def _skip_run(context: dg.InitResourceContext, reason: SyncRunningError) -> BaseException:
    """Return the exception that ends a scheduled run while another sync runs.

    The run is marked as cancelled, not failed, because nothing is wrong.
    """
    if context.instance is not None:
        context.instance.report_run_canceling(_run_of(context), f"Skipped: {reason}")
    return DagsterExecutionInterruptedError(str(reason))


def _is_cancelled(context: dg.InitResourceContext, run_id: str) -> bool:
    """Return whether the run was cancelled. Dagster tears a resource down without the outcome of the run."""
    with suppress(*STORAGE_ERRORS):  # without the storage, a cancellation cannot have been recorded
        run = context.instance.get_run_by_id(run_id) if context.instance is not None else None
        return run is not None and run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
    return False


def _discard(_message: str) -> None:
    """Discard a message, where Dagster provides no log."""
