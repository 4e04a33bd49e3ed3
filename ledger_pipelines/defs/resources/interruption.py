"""Runs whose process ended early: it was killed, or stopped together with `ledger up`.

A run that is stopped with `ledger up` is cancelled with that reason and tagged, so that the next start executes it
again. A run whose process is gone is marked as failed.
"""

import json
from collections.abc import Sequence

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from ledger_pipelines.defs.resources.run_process import CODE_SERVER_TAG, executing_process, is_launched

#: Tag for resuming runs that `ledger up` stopped. Values on a stopped run: `AT_NEXT_START`, then the id of the run that
#: replaces it, or `REFUSED`. On the replacing run: `replacement_tag(…)`. On runs of jobs that are not resumed:
#: `NOT_NEEDED`.
RESUME_TAG = "ledger/resume"
AT_NEXT_START, REFUSED = "at the next start", "refused"
NOT_NEEDED = "not needed: sensors ask for another run"
_CODE_SERVER_HOST = "127.0.0.1"
_EXECUTING = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_STOPPED = "ledger up was stopped."
_RESUMED = f"{_STOPPED} The next start of ledger up executes this run again."
_KILLED = "The process that executed this run is gone: it was killed, or the machine was restarted."


def mark_runs_canceling(instance: dg.DagsterInstance, code_server_port: int) -> Sequence[str]:
    """Mark the runs of a code server on this machine as being cancelled, and return their ids.

    Their processes are not signalled because they end with the code server.
    """
    runs = [run for run in instance.get_runs(RunsFilter(statuses=_EXECUTING)) if _launched_by(run, code_server_port)]
    for run in runs:
        if run.status is DagsterRunStatus.CANCELING:  # cancelled by a user, so not resumed
            continue
        is_resumed = run.tags.get(RESUME_TAG) != NOT_NEEDED
        if is_resumed:
            instance.add_run_tags(run.run_id, {RESUME_TAG: AT_NEXT_START})
        instance.report_run_canceling(run, _RESUMED if is_resumed else _STOPPED)
    return [run.run_id for run in runs]


def mark_runs_canceled(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """Mark runs as cancelled whose process ended before it could report that, and free their slots in the pools."""
    for run in instance.get_runs(RunsFilter(run_ids=list(run_ids))) if run_ids else ():
        if run.status not in (DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS):
            _report_cancelled(instance, run)


def runs_to_resume(instance: dg.DagsterInstance) -> Sequence[str]:
    """Return the ids of the runs that were cancelled because `ledger up` was stopped, the oldest first."""
    tagged = RunsFilter(tags={RESUME_TAG: AT_NEXT_START}, statuses=[DagsterRunStatus.CANCELED])
    return [run.run_id for run in instance.get_runs(tagged, ascending=True)]


def replacement_tag(run_id: str) -> str:
    """Return the value of `RESUME_TAG` on the run that replaces a cancelled run."""
    return f"instead of {run_id}"


def find_replacement(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Return the id of the run that replaces a cancelled run, or None."""
    found = instance.get_runs(RunsFilter(tags={RESUME_TAG: replacement_tag(run_id)}), limit=1)
    return found[0].run_id if found else None


def mark_resumed(instance: dg.DagsterInstance, run_id: str, outcome: str) -> None:
    """Record the id of the replacing run, or `REFUSED`, on a cancelled run, so that it is resumed only once."""
    instance.add_run_tags(run_id, {RESUME_TAG: outcome})


def fail_dead_runs(instance: dg.DagsterInstance, *, code_server_port: int | None = None) -> list[str]:
    """Mark runs as failed whose process on this machine is gone, free their slots in the pools, and return their ids.

    A run that was being cancelled is marked as cancelled instead, and not returned.

    Args:
        instance: Dagster's.
        code_server_port: Port of a code server of this machine that is gone, together with all runs that it launched.
    """
    failed = []
    for run in instance.get_runs(RunsFilter(statuses=_EXECUTING)):
        if not _is_dead(run, code_server_port):
            continue
        if run.status is DagsterRunStatus.CANCELING:
            _report_cancelled(instance, run)
            continue
        instance.report_run_failed(run, _KILLED)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        failed.append(run.run_id)
    return failed


def _report_cancelled(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    instance.report_run_canceled(run, _RESUMED if run.tags.get(RESUME_TAG) == AT_NEXT_START else None)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_dead(run: dg.DagsterRun, code_server_port: int | None) -> bool:
    if (process := executing_process(run)) is not None:
        return not process.is_alive
    return code_server_port is not None and _launched_by(run, code_server_port)


def _launched_by(run: dg.DagsterRun, code_server_port: int) -> bool:
    """Return whether the code server at this port of this machine launched the run."""
    if not is_launched(run):
        return False
    launcher = json.loads(run.tags[CODE_SERVER_TAG])
    return (launcher.get("host"), launcher.get("port")) == (_CODE_SERVER_HOST, code_server_port)
