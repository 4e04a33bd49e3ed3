"""Syncs whose run ended without closing their log, because the process was killed or never started."""

import dagster as dg

from ledger_pipelines.databases import InstallationDatabases
from ledger_pipelines.defs.resources.run_failures import run_failure_message
from ledger_pipelines.defs.resources.run_process import end_process
from ledger_pipelines.loading.erp.sync_log_file import append_line
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncLog, SyncResult

#: Tag of a run that was launched for a sync; the value is the id of the sync's log. It identifies the run until it
#: records its own id in the log.
SYNC_TAG = "ledger/sync_log_id"
#: Time after the start of a sync within which its run must be launched.
LAUNCH_TIMEOUT_SECONDS = 120
_STATE_AFTER = "Each table is either copied completely or unchanged; the next sync loads what is missing."


def close_dead_sync(instance: dg.DagsterInstance, databases: InstallationDatabases) -> SyncLog | None:
    """Close the running sync if its run has ended, is unknown, or was never launched.

    Returns:
        The sync that was closed here; None if no sync runs, or its run is still active.

    Raises:
        WarehouseError: The warehouse cannot be used.
    """
    with databases.warehouse_connection() as connection:
        log = sync_logs.running_sync(connection)
        if log is None:
            return None
        overdue = sync_logs.has_run_longer_than(connection, log.id, LAUNCH_TIMEOUT_SECONDS)
    run = run_of_sync(instance, log)
    ending = _ending(instance, log, run, overdue=overdue)
    if ending is None:
        return None
    with databases.warehouse_transaction() as connection:
        closed = sync_logs.close(connection, log.id, ending)
    with databases.warehouse_transaction() as connection:
        # The server may still hold sessions of the dead process, or of a process that no longer responds.
        sync_logs.terminate_writers(connection, log.id)
    if run is not None:
        end_process(run)
    if closed is not None:
        append_line(
            databases.settings, f"sync {closed.id} {closed.status}: {closed.error_message or 'its run succeeded'}"
        )
    return closed


def run_of_sync(instance: dg.DagsterInstance, log: SyncLog) -> dg.DagsterRun | None:
    """Return the run of a sync: the run recorded in its log, or else the run launched for it, or None."""
    if log.run_id is not None:
        return instance.get_run_by_id(log.run_id)
    launched = instance.get_runs(dg.RunsFilter(tags={SYNC_TAG: str(log.id)}))
    # A re-executed run inherits the tag but claims its own log.
    return next((run for run in launched if run.parent_run_id is None), None)


def _ending(
    instance: dg.DagsterInstance, log: SyncLog, run: dg.DagsterRun | None, *, overdue: bool
) -> SyncResult | None:
    """Return how the sync has ended; None if it may still run."""
    if run is None and log.run_id is not None:
        return SyncResult("failed", f"Its run {log.run_id} is no longer known to Dagster. {_STATE_AFTER}")
    if run is None:
        reason = f"No run was launched within {LAUNCH_TIMEOUT_SECONDS} s of the start."
        return SyncResult("failed", f"{reason} Nothing was changed; start the sync again.") if overdue else None
    match run.status:
        case dg.DagsterRunStatus.SUCCESS:
            return SyncResult("completed")
        case dg.DagsterRunStatus.CANCELED:
            return SyncResult("cancelled", f"Run {run.run_id} was cancelled. {_STATE_AFTER}")
        case dg.DagsterRunStatus.FAILURE if _is_cancel_requested(instance, run.run_id):
            # A process that starts after the cancellation request does nothing; Dagster reports that as a failure.
            return SyncResult("cancelled", f"Run {run.run_id} was cancelled. {_STATE_AFTER}")
        case dg.DagsterRunStatus.FAILURE:
            return SyncResult(
                "failed", f"Run {run.run_id} failed: {run_failure_message(instance, run.run_id)} {_STATE_AFTER}"
            )
    return None


def _is_cancel_requested(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Return whether a cancellation of the run was requested."""
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_CANCELING, limit=1).records)
