"""Real time: three sensors that poll the billing application for changes, and the job that applies them."""

import time
from collections.abc import Iterator, Sequence

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.realtime import record_results
from ledger_pipelines.defs.assets.run import errors_as_failures
from ledger_pipelines.defs.assets.turn import month_turn_events, new_month_turn
from ledger_pipelines.defs.automation.failures import REALTIME_RUN, record_failures
from ledger_pipelines.defs.automation.first_computation import SKIPPED_UNTIL_COMPUTED
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.defs.resources.interruption import NOT_NEEDED, RESUME_TAG
from ledger_pipelines.defs.resources.run_process import UNFINISHED
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier, FailedChanges
from ledger_pipelines.realtime.diff import ChangeKind
from ledger_pipelines.realtime.full_scan import FullScan
from ledger_pipelines.realtime.month_turn import MonthTurn
from ledger_pipelines.realtime.poller import Poller
from ledger_pipelines.sources.billing.changes import POLL_INTERVAL_SECONDS
from ledger_pipelines.warehouse.ops import change_queue, latency, leases
from ledger_pipelines.warehouse.ops.first_computation import NotComputedError, never_computed_message

JOB = "realtime"
#: Duration of polling in one tick. Dagster calls a sensor every five seconds; polling must not pause in between.
TICK_SECONDS = 4.5
#: A run keeps working while changes arrive, because starting a process takes longer than applying a change.
#: Age at which the sensors request the next run; the current run continues until the next one takes over.
HANDOVER_SECONDS = 60
#: Age at which a run ends even if no other run took over.
MAX_RUN_SECONDS = 150
#: Idle timeout: time without a change after which a run ends.
IDLE_TIMEOUT_SECONDS = 10
#: A run polls for changes itself under a lease, and renews the lease at this interval.
LEASE_RENEWAL_SECONDS = 2
#: Age at which the lease expires and the sensors poll again.
LEASE_SECONDS = 15
#: Pause of a sensor that does not poll because a run holds the lease.
LEASED_PAUSE_SECONDS = 1
#: Time for a requested run to start before another run is requested.
START_TIMEOUT_SECONDS = 30
#: Age at which Dagster ends a run whose process died without a report.
_MAX_RUNTIME_SECONDS = "180"
_REQUEST_LEASE, _POLLING_LEASE = "request of a realtime run", "polling by a realtime run"
_DESCRIPTIONS = {
    ChangeKind.READINGS: "Poll the billing application's readings; request a run when one is added, changed or deleted."
    + SKIPPED_UNTIL_COMPUTED,
    ChangeKind.PRICES: "Poll the billing application's customers and prices; request a run when one changes."
    + SKIPPED_UNTIL_COMPUTED,
    ChangeKind.DEPOSITS: "Poll the billing application's deposits; request a run when one changes."
    + SKIPPED_UNTIL_COMPUTED,
}


@dg.op(
    out=dg.Out(dg.Nothing),
    description="Apply the queued changes: for their customers only, from the earliest month that they can affect.",
)
def apply_changes(context: dg.OpExecutionContext, databases: dg.ResourceParam[PipelineDatabases]) -> None:
    """Apply queued changes until none is left, each batch in one transaction, and record the results."""
    results: list[AppliedChanges | FailedChanges] = []
    try:
        with record_failures(databases, REALTIME_RUN), errors_as_failures(databases):
            for result in _apply_under_lease(context, databases):
                results.append(result)  # noqa: PERF402 - results before an error are recorded too
    finally:
        with errors_as_failures(databases), databases.warehouse.connect() as connection:
            objective = databases.settings.realtime_objective_seconds
            spread = latency.latency_summary(connection, objective * 1000)
        applied = [result for result in results if isinstance(result, AppliedChanges)]
        record_results(context, applied, spread, objective)
    failures = [result for result in results if isinstance(result, FailedChanges)]
    if failures:
        lines = "\n".join(f"Customer {', '.join(map(str, failed.customers))}: {failed.error}" for failed in failures)
        raise dg.Failure(
            description=f"Changes that cannot be applied and will be retried:\n{lines}",
            allow_retries=False,
        )


def _apply_under_lease(
    context: dg.OpExecutionContext, databases: PipelineDatabases
) -> Iterator[AppliedChanges | FailedChanges]:
    """Yield the result of each applied batch until the run is idle, too old, or another run takes over."""
    with databases.warehouse.begin() as connection:
        leases.release_lease(connection, _REQUEST_LEASE)
        leases.take_over_lease(connection, _POLLING_LEASE, context.run_id)
        latency.delete_old_batches(connection)
    try:
        yield from _apply_and_poll(context, databases)
    finally:  # releasing the lease lets the sensors poll again immediately
        with databases.warehouse.begin() as connection:
            leases.release_lease(connection, _POLLING_LEASE, context.run_id)


def _apply_and_poll(
    context: dg.OpExecutionContext, databases: PipelineDatabases
) -> Iterator[AppliedChanges | FailedChanges]:
    pollers = [Poller(kind, databases.warehouse) for kind in ChangeKind]
    month_turn = new_month_turn(databases, context.run_id)
    began = idle_since = renewed = time.monotonic()
    while True:
        for event in month_turn_events(month_turn.turn_if_due(), context.run_id):
            context.log_event(event)
        guard, limits = databases.deletion_guard(accept_deletions=False), databases.default_low_balance()
        applier = ChangeApplier(databases.billing_app, databases.warehouse, guard, context.run_id, limits)
        apply_started = time.monotonic()
        for result in applier.apply():
            yield result
            idle_since = time.monotonic()
        now = time.monotonic()
        if now - began >= MAX_RUN_SECONDS or now - idle_since >= IDLE_TIMEOUT_SECONDS:
            return
        if now - renewed >= LEASE_RENEWAL_SECONDS:
            renewed = now
            if not _renew_lease(context, databases):
                return
        if idle_since < apply_started:
            time.sleep(POLL_INTERVAL_SECONDS)
        # The sensors do not poll while this run does. Dagster calls a sensor that requested a run only seconds later.
        for poller in pollers:
            poller.poll(databases.billing_app(), databases.now())


def _renew_lease(context: dg.OpExecutionContext, databases: PipelineDatabases) -> bool:
    """Renew this run's lease; False if another run has taken over."""
    with databases.warehouse.begin() as connection:
        return leases.renew_lease(connection, _POLLING_LEASE, context.run_id)


@dg.job(
    name=JOB,
    executor_def=dg.in_process_executor,
    tags={"dagster/max_runtime": _MAX_RUNTIME_SECONDS, RESUME_TAG: NOT_NEEDED},
    description="Apply changes of the billing application within seconds.",
)
def realtime_job() -> None:
    """Run one op, because reading, loading and recalculating a batch is one transaction."""
    apply_changes()


def realtime_sensors() -> Sequence[dg.SensorDefinition]:
    """Return the sensors of readings, prices and deposits."""
    return [_sensor(kind) for kind in ChangeKind]


def _sensor(kind: ChangeKind) -> dg.SensorDefinition:
    pollers: dict[sa.Engine, Poller] = {}

    @dg.sensor(
        name=kind.value,
        job_name=JOB,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=_DESCRIPTIONS[kind],
    )
    def poll(
        context: dg.SensorEvaluationContext, databases: dg.ResourceParam[PipelineDatabases]
    ) -> dg.RunRequest | dg.SkipReason:
        poller = pollers.setdefault(databases.warehouse, Poller(kind, databases.warehouse))
        with record_failures(databases, f"polling of {kind.value}"), errors_as_failures(databases):
            try:
                return _tick(context, databases, poller)
            except NotComputedError:
                return dg.SkipReason(never_computed_message(databases.settings))

    return poll


def _tick(
    context: dg.SensorEvaluationContext, databases: PipelineDatabases, poller: Poller
) -> dg.RunRequest | dg.SkipReason:
    """Poll for a few seconds, unless a run does; request a run as soon as a change is queued."""
    began = time.monotonic()
    month_turn = new_month_turn(databases, f"sensor {poller.kind.value}")
    _turn_month(context.instance, month_turn)
    queued = _poll(databases, poller)
    if (
        poller.kind is not ChangeKind.DEPOSITS
    ):  # deposits are in the same table as the prices, which is scanned for them
        queued += _full_scan(databases, poller.kind)
    while True:
        _turn_month(context.instance, month_turn)
        if request := _run_request(context.instance, databases):
            return request
        if time.monotonic() - began > TICK_SECONDS:
            return dg.SkipReason(
                f"Changes queued: {queued}. A run applies them already, or none is needed."
                if queued
                else "No change was found."
            )
        if not poller.has_more:
            time.sleep(POLL_INTERVAL_SECONDS)
        queued += _poll(databases, poller)


def _turn_month(instance: dg.DagsterInstance, month_turn: MonthTurn) -> None:
    """Turn a month that has begun. The sensor can do it immediately, while a run would have to start first."""
    for event in month_turn_events(month_turn.turn_if_due(), month_turn.run_id):
        instance.report_runless_asset_event(event)


def _poll(databases: PipelineDatabases, poller: Poller) -> int:
    """Poll for changes and return the number queued; while a run holds the lease, wait and return 0."""
    with databases.warehouse.connect() as connection:
        run_polls = leases.lease_is_live(connection, _POLLING_LEASE, LEASE_SECONDS)
    if run_polls:
        time.sleep(LEASED_PAUSE_SECONDS)
        return 0
    return poller.poll(databases.billing_app(), databases.now())


def _full_scan(databases: PipelineDatabases, kind: ChangeKind) -> int:
    guard = databases.deletion_guard(accept_deletions=False)
    return FullScan(kind.table, databases.billing_app(), databases.warehouse, guard).scan_next()


def _run_request(instance: dg.DagsterInstance, databases: PipelineDatabases) -> dg.RunRequest | None:
    """Return a request for a run if changes wait and no run applies them or is about to."""
    with databases.warehouse.connect() as connection:
        newest = change_queue.newest_due(connection)
    if newest is None or _has_active_run(instance):
        return None
    with databases.warehouse.begin() as connection:
        requested_at = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        if not leases.acquire_lease(connection, _REQUEST_LEASE, str(newest), START_TIMEOUT_SECONDS):
            return None
    # Dagster accepts a run key only once. The time in the key allows another run for the changes of a failed one.
    return dg.RunRequest(run_key=f"{newest} at {requested_at.isoformat()}", tags={"ledger/changes_until": str(newest)})


def _has_active_run(instance: dg.DagsterInstance) -> bool:
    """Return whether a run waits to start, or one is at work and not yet due for a handover."""
    unfinished = instance.get_run_records(dg.RunsFilter(job_name=JOB, statuses=UNFINISHED), limit=2)
    if len(unfinished) != 1:
        return bool(unfinished)
    since = unfinished[0].start_time
    return since is None or time.time() - since < HANDOVER_SECONDS
