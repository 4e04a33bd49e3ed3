"""Review of stored state: failed runs and syncs, missed syncs, waiting changes and missing months become incidents."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.automation.failures import REALTIME_RUN, record_failures
from ledger_pipelines.defs.automation.jobs import ledger_job, reconciliation_job
from ledger_pipelines.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.defs.resources.run_failures import run_failure_message
from ledger_pipelines.horizon import Horizon, month_start
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops import change_queue, incidents
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind
from ledger_pipelines.warehouse.ops.loaded_months import months_to_turn
from ledger_pipelines.warehouse.queries import sync_history

#: Delay after which an hourly sync that has not begun counts as missed.
SYNC_LATE_AFTER = timedelta(minutes=10)
#: Longest wait of a change for a run; a run of all customers blocks the tables for minutes.
CHANGES_LATE_AFTER = timedelta(minutes=15)
#: Delay after the start of a month before its missing balances are an incident.
MONTH_LATE_AFTER = timedelta(minutes=1)
_JOBS = (ledger_job.name, reconciliation_job.name)
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_RUNS_REVIEWED = 50
_REVIEWED = (
    IncidentKind.RUN_FAILED,
    IncidentKind.SYNC_FAILED,
    IncidentKind.SYNC_MISSED,
    IncidentKind.CHANGES_WAIT,
    IncidentKind.MONTH_MISSING,
)


def incident_sensors() -> list[dg.SensorDefinition]:
    """Return the sensor that reviews incidents; it requests no run."""
    loaded_at = datetime.now(UTC)

    @dg.sensor(
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keep in ops.incidents until resolved: failed runs and syncs, missed hourly syncs, changes that "
        "wait too long, and months without balances.",
    )
    def incident_review(
        context: dg.SensorEvaluationContext, databases: dg.ResourceParam[PipelineDatabases]
    ) -> dg.SkipReason:
        with record_failures(databases, "sensor incident_review"):
            open_count = review(context.instance, databases, watched_since=loaded_at)
        return dg.SkipReason(
            f"Open incidents: {open_count:,}. To list them: ledger incidents list"
            if open_count
            else "No incident is open."
        )

    return [incident_review]


def review(instance: dg.DagsterInstance, databases: PipelineDatabases, *, watched_since: datetime | None = None) -> int:
    """Open and close the incidents that follow from stored state, and return the number of all open incidents.

    Args:
        instance: Dagster's, with the runs.
        databases: The databases.
        watched_since: Start of this process's schedules; None if schedules may be off, so that no sync counts as
            missed.
    """
    kinds = [kind for kind in _REVIEWED if watched_since is not None or kind is not IncidentKind.SYNC_MISSED]
    causes = list(failed_runs(instance, databases.horizon()))
    with databases.warehouse_transaction() as connection:
        causes += [*waiting_changes(connection), *missing_months(connection, databases)]
        if database_urls.has_erp(databases.settings):
            causes += sync_causes(connection, databases.now(), watched_since=watched_since)
        else:
            incidents.close(connection, [IncidentKind.MONTH_SHRANK])
        incidents.reconcile(connection, kinds, [cause for cause in causes if cause.kind in kinds])
        if not change_queue.has_failing(connection):
            incidents.close(connection, [IncidentKind.POLL_FAILED], [REALTIME_RUN])
        return sum(incidents.count_open(connection).values())


def waiting_changes(connection: sa.Connection) -> Iterator[IncidentCause]:
    """Yield the cause of changes that wait too long without an error of their own."""
    since = change_queue.oldest_queued_at(connection)
    if since is not None and datetime.now(UTC) - since > CHANGES_LATE_AFTER:
        yield IncidentCause(
            IncidentKind.CHANGES_WAIT,
            "real-time run",
            f"A change of the billing application has waited since {since:%Y-%m-%d %H:%M:%S}; no run has applied it.",
            "Check in Dagster's web UI that the sensors readings, prices and deposits are on, and what blocks the run "
            "queue. To apply it now: ledger balance sync --all",
        )


def missing_months(connection: sa.Connection, databases: PipelineDatabases) -> Iterator[IncidentCause]:
    """Yield the cause of months that have begun and that no process has turned."""
    horizon = databases.horizon()
    months = months_to_turn(connection, horizon)
    if months and databases.now() - month_start(horizon.current, horizon.zone) > MONTH_LATE_AFTER:
        yield IncidentCause(
            IncidentKind.MONTH_MISSING,
            f"month {months[0]}",
            f"{', '.join(months)}: the month has begun but has no balances; all reports still show the month before.",
            "Check in Dagster's web UI that the schedule month_turn and the sensors are on, or run: "
            "ledger balance sync --all",
        )


def failed_runs(instance: dg.DagsterInstance, horizon: Horizon) -> Iterator[IncidentCause]:
    """Yield the cause of each job's newest failed run that no later success covers."""
    for job in _JOBS:
        runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=_ENDED), limit=_RUNS_REVIEWED)
        successes: list[dg.DagsterRun] = []
        for run in runs:  # the newest first
            if run.status is dg.DagsterRunStatus.SUCCESS:
                successes.append(run)
            elif not any(_covers(success, run, horizon) for success in successes):
                yield _failed_run_cause(instance, run)
                break


def _failed_run_cause(instance: dg.DagsterInstance, run: dg.DagsterRun) -> IncidentCause:
    return IncidentCause(
        IncidentKind.RUN_FAILED,
        f"job {run.job_name}",
        f"Run {run.run_id[:8]} of the job {run.job_name} failed: {run_failure_message(instance, run.run_id)}",
        f"Fix the reported error. Then materialise the same months again in Dagster's web UI (run {run.run_id}), or "
        "wait for the next scheduled run.",
        customers=_scope_customers(run),
        run_id=run.run_id,
    )


def _covers(success: dg.DagsterRun, failure: dg.DagsterRun, horizon: Horizon) -> bool:
    """Return whether a successful run covers the assets, customers and months of a failed run."""
    wanted, materialised = failure.asset_selection, success.asset_selection
    if materialised is not None and (wanted is None or not wanted <= materialised):
        return False
    customers = _scope_customers(success)
    if customers and not (_scope_customers(failure) and set(_scope_customers(failure)) <= set(customers)):
        return False
    first, last = failure.tags.get(RANGE_START_TAG, ""), failure.tags.get(RANGE_END_TAG, "")
    from_, until = success.tags.get(RANGE_START_TAG, ""), success.tags.get(RANGE_END_TAG, horizon.current)
    return from_ <= max(first, horizon.first) and until >= last


def _scope_customers(run: dg.DagsterRun) -> list[int]:
    """Return the customers of a run's scope; an empty list means all."""
    config: Any = run.run_config
    for name in ("resources", "scope", "config"):
        config = config.get(name, {})
    return list(config.get("customer_ids", []))


def sync_causes(connection: sa.Connection, now: datetime, *, watched_since: datetime | None) -> Iterator[IncidentCause]:
    """Yield the causes of failed and missed syncs of the ERP.

    Args:
        connection: To the warehouse.
        now: The time, in the company's zone.
        watched_since: Start of the schedule, because earlier hours are not missed; None if the schedule may be off.
    """
    ended = sync_history.latest_ended(connection)
    if ended is not None and ended.status == "failed":
        yield IncidentCause(
            IncidentKind.SYNC_FAILED,
            "ERP sync",
            f"Sync {ended.id} of {ended.started_at:%Y-%m-%d %H:%M} failed: {ended.error_message}",
            f"`ledger sync status {ended.id}` shows which table failed, and `ledger erp test-connection` what the ERP "
            "lacks. The next hourly sync tries again.",
            run_id=ended.run_id,
        )
    due = (now - SYNC_LATE_AFTER).replace(minute=0, second=0, microsecond=0)
    latest = sync_history.latest(connection)
    began = latest is not None and (latest.status == "running" or latest.started_at >= due)
    if watched_since is not None and due >= watched_since and not began:
        last = (
            f"the last sync began at {latest.started_at:%Y-%m-%d %H:%M}"
            if latest is not None
            else "no sync has run yet"
        )
        yield IncidentCause(
            IncidentKind.SYNC_MISSED,
            "ERP sync",
            f"The hourly sync of {due:%Y-%m-%d %H:%M} did not run; {last}. The ERP's tables are not up to date here.",
            "Check in Dagster's web UI (Automation) that the schedule hourly_sync is on, what its last tick reports, "
            "and that no run blocks the queue. Or start a sync: ledger sync start",
        )
