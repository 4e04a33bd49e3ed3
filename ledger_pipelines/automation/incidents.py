"""The review of what is stored: what failed, did not happen or waits is an incident until it is made good."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.automation.failures import REALTIME_RUN, failures_recorded
from ledger_pipelines.automation.jobs import ledger_job, reconciliation_job
from ledger_pipelines.horizon import Horizon, start_of
from ledger_pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG
from ledger_pipelines.resources import Databases
from ledger_pipelines.resources.finished import words_of_run
from ledger_pipelines.warehouse import incidents, pending, servers, sync_history
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.incidents import Cause, Kind
from ledger_pipelines.warehouse.loaded import months_to_turn

#: How late the hourly sync may begin before it counts as missed.
SYNC_LATE_AFTER = timedelta(minutes=10)
#: How long a change may wait for a run; one of all customers that writes the tables takes long.
CHANGES_LATE_AFTER = timedelta(minutes=15)
#: How long after its beginning a month may be missing.
MONTH_LATE_AFTER = timedelta(minutes=1)
_JOBS = (ledger_job.name, reconciliation_job.name)
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_RUNS_REVIEWED = 50
_REVIEWED = (Kind.RUN_FAILED, Kind.SYNC_FAILED, Kind.SYNC_MISSED, Kind.CHANGES_WAIT, Kind.MONTH_MISSING)


def incident_sensors() -> list[dg.SensorDefinition]:
    """Return the sensor; it asks for no run."""
    loaded_at = datetime.now(UTC)

    @dg.sensor(
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keep in ops.incidents, until they are made good: failed runs and syncs, hourly syncs that did not "
        "happen, changes that wait too long, and a month that is missing.",
    )
    def incident_review(context: dg.SensorEvaluationContext, databases: dg.ResourceParam[Databases]) -> dg.SkipReason:
        with failures_recorded(databases, "sensor incident_review"):
            open_ = review(context.instance, databases, watched_since=loaded_at)
        return dg.SkipReason(
            f"{open_:,} incidents are open: ledger incidents list" if open_ else "No incident is open."
        )

    return [incident_review]


def review(instance: dg.DagsterInstance, databases: Databases, *, watched_since: datetime | None = None) -> int:
    """Make the incidents that are told from what is stored those that are, and return how many are open in all.

    Args:
        instance: Dagster's, which knows the runs.
        databases: The databases.
        watched_since: Since when schedules run here; None: they may not, so that no sync counts as missed.
    """
    kinds = [kind for kind in _REVIEWED if watched_since is not None or kind is not Kind.SYNC_MISSED]
    causes = list(failed_runs(instance, databases.horizon()))
    with reachable(databases.warehouse), databases.warehouse.begin() as connection:
        causes += [*waiting_changes(connection), *missing_months(connection, databases)]
        if servers.has_erp(databases.settings):
            causes += sync_causes(connection, databases.now(), watched_since=watched_since)
        incidents.reconcile(connection, kinds, [cause for cause in causes if cause.kind in kinds])
        if not pending.any_failing(connection):
            incidents.close(connection, [Kind.POLL_FAILED], [REALTIME_RUN])
        return sum(incidents.count_open(connection).values())


def waiting_changes(connection: sa.Connection) -> Iterator[Cause]:
    """Return the cause of changes that no run applies though nothing is wrong with them."""
    since = pending.waiting_since(connection)
    if since is not None and datetime.now(UTC) - since > CHANGES_LATE_AFTER:
        yield Cause(
            Kind.CHANGES_WAIT,
            "real-time run",
            f"A change of the billing application has waited since {since:%Y-%m-%d %H:%M:%S}; no run has applied it.",
            "See in Dagster's UI that the sensors readings, prices and deposits are on, and what blocks the queue of "
            "runs. Until then: ledger balance sync --all",
        )


def missing_months(connection: sa.Connection, databases: Databases) -> Iterator[Cause]:
    """Return the cause of months that have begun and that no process has turned."""
    horizon = databases.horizon()
    months = months_to_turn(connection, horizon)
    if months and databases.now() - start_of(horizon.current, horizon.zone) > MONTH_LATE_AFTER:
        yield Cause(
            Kind.MONTH_MISSING,
            f"month {months[0]}",
            f"{', '.join(months)} has begun, and has no balances yet: everything shows the month before.",
            "See in Dagster's UI that the schedule month_turn and the sensors are on, or: ledger balance sync --all",
        )


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


def sync_causes(connection: sa.Connection, now: datetime, *, watched_since: datetime | None) -> Iterator[Cause]:
    """Return what is wrong with the ERP's syncs.

    Args:
        connection: To the warehouse.
        now: The time, in the company's zone.
        watched_since: Since when the schedule runs, for hours before that are not missed; None: it may not run.
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
    due = (now - SYNC_LATE_AFTER).replace(minute=0, second=0, microsecond=0)
    latest = sync_history.latest(connection)
    began = latest is not None and (latest.status == "running" or latest.started_at >= due)
    if watched_since is not None and due >= watched_since and not began:
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
