"""The sensor that reviews runs and syncs: what failed, or did not happen, is an incident until it is made good."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.automation.jobs import ledger_job, reconciliation_job
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG
from ledger_pipelines.resources import Databases
from ledger_pipelines.resources.finished import words_of_run
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import incidents, servers, sync_history
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.incidents import Cause, Kind

#: How late the hourly sync may begin before it counts as missed.
SYNC_LATE_AFTER = timedelta(minutes=10)
_JOBS = (ledger_job.name, reconciliation_job.name)
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_RUNS_REVIEWED = 50
_REVIEWED = (Kind.RUN_FAILED, Kind.SYNC_FAILED, Kind.SYNC_MISSED)


def incident_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Return the sensor; it asks for no run."""
    loaded_at = datetime.now(UTC)

    @dg.sensor(
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keep runs and syncs that failed, and hourly syncs that did not happen, in ops.incidents until a "
        "later one makes them good.",
    )
    def incident_review(context: dg.SensorEvaluationContext, databases: dg.ResourceParam[Databases]) -> dg.SkipReason:
        causes = [*failed_runs(context.instance, databases.horizon())]
        with reachable(databases.warehouse), databases.warehouse.begin() as connection:
            if servers.has_erp(settings):
                causes += sync_causes(connection, databases.now(), watched_since=loaded_at)
            incidents.reconcile(connection, _REVIEWED, causes)
            open_ = sum(incidents.count_open(connection).values())
        return dg.SkipReason(
            f"{open_:,} incidents are open: ledger incidents list" if open_ else "No incident is open."
        )

    return [incident_review]


def failed_runs(instance: dg.DagsterInstance, horizon: Horizon) -> Iterator[Cause]:
    """Return each job's newest failed run that no later success covers."""
    for job in _JOBS:
        runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=_ENDED), limit=_RUNS_REVIEWED)
        successes: list[dg.DagsterRun] = []
        for run in runs:  # the newest first
            if run.status is dg.DagsterRunStatus.SUCCESS:
                successes.append(run)
            elif not any(_covers(success, run, horizon) for success in successes):
                yield _of_run(instance, run)
                break


def _of_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Cause:
    return Cause(
        Kind.RUN_FAILED,
        f"job {run.job_name}",
        f"Run {run.run_id[:8]} of the job {run.job_name} failed: {words_of_run(instance, run.run_id)}",
        f"Mend what it says, then materialise the same months again in Dagster's UI (run {run.run_id}), or wait for "
        "the next run by schedule.",
        customers=_customers(run),
        run_id=run.run_id,
    )


def _covers(success: dg.DagsterRun, failure: dg.DagsterRun, horizon: Horizon) -> bool:
    """Return whether a success has done all that a failed run was to do."""
    wanted, done = failure.asset_selection, success.asset_selection
    if done is not None and (wanted is None or not wanted <= done):
        return False
    customers = _customers(success)
    if customers and not (_customers(failure) and set(_customers(failure)) <= set(customers)):
        return False
    first, last = failure.tags.get(RANGE_START_TAG, ""), failure.tags.get(RANGE_END_TAG, "")
    from_, until = success.tags.get(RANGE_START_TAG, ""), success.tags.get(RANGE_END_TAG, horizon.current)
    return from_ <= max(first, horizon.first) and until >= last


def _customers(run: dg.DagsterRun) -> list[int]:
    """Return the customers that a run is about; none: all."""
    config: Any = run.run_config
    for name in ("resources", "scope", "config"):
        config = config.get(name, {})
    return list(config.get("customer_ids", []))


def sync_causes(connection: sa.Connection, now: datetime, *, watched_since: datetime) -> Iterator[Cause]:
    """Return what is wrong with the ERP's syncs.

    Args:
        connection: To the warehouse.
        now: The time, in the company's zone.
        watched_since: Since when the schedule runs; a full hour before that was nobody's to keep.
    """
    ended = sync_history.latest_outcome(connection)
    if ended is not None and ended.status == "failed":
        yield Cause(
            Kind.SYNC_FAILED,
            "ERP sync",
            f"Sync {ended.id} of {ended.started_at:%Y-%m-%d %H:%M} failed: {ended.error_message}",
            f"`ledger sync status {ended.id}` says which table, `ledger erp test-connection` what the ERP lacks. The "
            "next hourly sync tries again.",
            run_id=ended.run_id,
        )
    due = now.replace(minute=0, second=0, microsecond=0)
    latest = sync_history.latest(connection)
    began = latest is not None and (latest.status == "running" or latest.started_at >= due)
    if now - due >= SYNC_LATE_AFTER and due >= watched_since and not began:
        last = (
            f"the last one began at {latest.started_at:%Y-%m-%d %H:%M}" if latest is not None else "there was none yet"
        )
        yield Cause(
            Kind.SYNC_MISSED,
            "ERP sync",
            f"The hourly sync of {due:%Y-%m-%d %H:%M} did not happen; {last}. The copies of the ERP's tables are old.",
            "See that the schedule hourly_sync is on and what its last tick says (Dagster's UI, Automation), and that "
            "no run blocks the queue; or start one by: ledger sync start",
        )
