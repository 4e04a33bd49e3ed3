"""Syncs whose run is over, though nobody has closed their log: the process was killed, or never came to be."""

from typing import Any, Protocol

import dagster as dg
import sqlalchemy as sa
from dagster._core.errors import DagsterExecutionInterruptedError

from ledger_pipelines.resources.run_process import end_process
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import sync_logs
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.sync_journal import note
from ledger_pipelines.warehouse.sync_logs import Ending, SyncLog

#: The tag by which a run can be found that has not joined its sync yet; its value is the number of the log.
SYNC_TAG = "ledger/sync_log_id"
#: How long after the claim a run must have been launched.
LAUNCH_SECONDS = 120
_NEXT = "Each table is as the source had it or as it was before; the next sync takes up what is missing."


class LogKeeper(Protocol):
    """Whoever knows where the logs are."""

    @property
    def settings(self) -> Settings:
        """Where everything is."""
        ...

    @property
    def warehouse(self) -> sa.Engine:
        """The warehouse."""
        ...


def close_finished(instance: dg.DagsterInstance, databases: LogKeeper) -> SyncLog | None:
    """Close the running sync if its run is over, unknown, or was never launched.

    Returns:
        The sync that was closed here; None if none runs, or it does so rightly.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        log = sync_logs.running(connection)
        if log is None:
            return None
        overdue = sync_logs.was_claimed_before(connection, log.id, LAUNCH_SECONDS)
    run = run_of(instance, log)
    ending = _ending(instance, log, run, overdue=overdue)
    if ending is None:
        return None
    with reachable(databases.warehouse):
        with databases.warehouse.begin() as connection:
            closed = sync_logs.close(connection, log.id, ending)
        with databases.warehouse.begin() as connection:
            # The server may not have noticed that nobody is there any more, or somebody is who no longer listens.
            sync_logs.end_sessions(connection, log.id)
    if run is not None:
        end_process(run)
    if closed is not None:
        note(databases.settings, f"sync {closed.id} {closed.status}: {closed.error_message or 'its run is finished'}")
    return closed


def run_of(instance: dg.DagsterInstance, log: SyncLog) -> dg.DagsterRun | None:
    """The run of a sync: the one that joined it, else the one that was launched for it; None if there is none."""
    if log.run_id is not None:
        return instance.get_run_by_id(log.run_id)
    launched = instance.get_runs(dg.RunsFilter(tags={SYNC_TAG: str(log.id)}))
    # A run that is executed again inherits the tag, and claims a log of its own.
    return next((run for run in launched if run.parent_run_id is None), None)


def _ending(instance: dg.DagsterInstance, log: SyncLog, run: dg.DagsterRun | None, *, overdue: bool) -> Ending | None:
    """How the sync has ended; None if it may still run."""
    if run is None and log.run_id is not None:
        return Ending("failed", f"Its run {log.run_id} is not known to Dagster any more. {_NEXT}")
    if run is None:
        never = f"No run was launched within {LAUNCH_SECONDS} s of the start. Nothing was changed; start it again."
        return Ending("failed", never) if overdue else None
    match run.status:
        case dg.DagsterRunStatus.SUCCESS:
            return Ending("completed")
        case dg.DagsterRunStatus.CANCELED:
            return Ending("cancelled", f"Run {run.run_id} was cancelled. {_NEXT}")
        case dg.DagsterRunStatus.FAILURE if _was_to_end(instance, run.run_id):
            # A process that begins after it was asked to end does nothing, which Dagster takes for a failure.
            return Ending("cancelled", f"Run {run.run_id} was cancelled. {_NEXT}")
        case dg.DagsterRunStatus.FAILURE:
            return Ending("failed", f"Run {run.run_id} failed: {words_of_run(instance, run.run_id)} {_NEXT}")
    return None


def _was_to_end(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether somebody asked a run to end."""
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_CANCELING, limit=1).records)


def words_of_run(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return why a run failed: the words of its steps that did, or else Dagster's own."""
    events = [
        record.event_log_entry.dagster_event
        for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE)
        for record in instance.get_records_for_run(run_id, of_type=kind).records
    ]
    steps = [
        f"{event.step_key}: {words_of(event.step_failure_data)}" for event in events if event and event.is_step_failure
    ]
    own = [event.message for event in events if event and not event.is_step_failure and event.message]
    return " ".join(steps or own[-1:]).strip() or "Dagster does not say why."


def words_of(failure: Any) -> str:
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
