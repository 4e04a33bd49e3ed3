"""Real time: three sensors that notice changes in the billing application, and the job that takes them up."""

import time
from collections.abc import Iterator, Sequence

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from ledger_pipelines.assets.realtime import LATENCY_MINUTES, record
from ledger_pipelines.assets.run import explained
from ledger_pipelines.assets.turn import month_turn, turned_months
from ledger_pipelines.automation.failures import REALTIME_RUN, failures_recorded
from ledger_pipelines.automation.first_computation import BEFORE_THE_FIRST
from ledger_pipelines.realtime.catch_up import CatchUp, Failed, TakenUp
from ledger_pipelines.realtime.compare import Kind
from ledger_pipelines.realtime.patrol import Patrol
from ledger_pipelines.realtime.turn import MonthTurn
from ledger_pipelines.realtime.watch import Watch
from ledger_pipelines.resources import Databases
from ledger_pipelines.resources.interruption import NOT_NEEDED, RESUME_TAG
from ledger_pipelines.sources.billing_changes import POLL_EVERY_SECONDS
from ledger_pipelines.warehouse import cursors, latency, pending
from ledger_pipelines.warehouse.first_computation import NotComputedError, never_computed

JOB = "realtime"
#: How long a tick watches: sensors are called every five seconds, and in between nobody would.
TICK_SECONDS = 4.5
#: A run goes on while changes keep coming, since to start a process takes longer than all that is done with a change.
#: After so many seconds a successor is asked for, which it goes on without a gap until; after so many it ends anyway;
#: and so long it waits for the next change.
RELIEF_SECONDS, RUN_SECONDS, LINGER_SECONDS = 60, 150, 10
#: A run looks for changes itself, and says so that often; sensors leave it to a run that has said so of late.
KEEP_EVERY_SECONDS, KEPT_SECONDS, LOOK_WHILE_KEPT_SECONDS = 2, 15, 1
#: How long a run that was asked for may take to begin before another one is asked for.
BEGIN_SECONDS = 30
#: After so long Dagster ends a run whose process cannot even say that it is dead.
_MAX_RUNTIME_SECONDS = "180"
_REQUEST, _SERVING = "realtime run asked for", "realtime run that serves"
_UNFINISHED = [status for status in dg.DagsterRunStatus if status not in FINISHED_STATUSES]
_DESCRIPTIONS = {
    Kind.READINGS: "Watch the billing application's meter readings; ask for a run when one is new, changed or gone."
    + BEFORE_THE_FIRST,
    Kind.PRICES: "Watch the billing application's customers and their prices; ask for a run when one changes."
    + BEFORE_THE_FIRST,
    Kind.DEPOSITS: "Watch the billing application's deposits; ask for a run when one changes." + BEFORE_THE_FIRST,
}


@dg.op(
    out=dg.Out(dg.Nothing),
    description="Take up what was noticed: for those customers only, from the earliest month that it can touch on.",
)
def take_up_changes(context: dg.OpExecutionContext, databases: dg.ResourceParam[Databases]) -> None:
    """Take up changes as long as some are waiting, each lot in one transaction, and record what that did."""
    results: list[TakenUp | Failed] = []
    try:
        with failures_recorded(databases, REALTIME_RUN), explained(databases):
            for result in _results(context, databases):
                results.append(result)  # noqa: PERF402 - what came before an error is recorded too
    finally:
        with explained(databases), databases.warehouse.connect() as connection:
            objective = databases.settings.realtime_objective_seconds
            spread = latency.spread(connection, LATENCY_MINUTES, objective * 1000)
        taken = [result for result in results if isinstance(result, TakenUp)]
        record(context, taken, spread, objective)
    failed = [result for result in results if isinstance(result, Failed)]
    if failed:
        words = "\n".join(f"Customer {', '.join(map(str, one.customers))}: {one.error}" for one in failed)
        raise dg.Failure(
            description=f"Changes of {len(failed)} customers cannot be taken up and are tried again later:\n{words}",
            allow_retries=False,
        )


def _results(context: dg.OpExecutionContext, databases: Databases) -> Iterator[TakenUp | Failed]:
    """What is taken up while changes keep coming, until nothing has come for a moment or it is others' turn."""
    with databases.warehouse.begin() as connection:
        cursors.forget(connection, _REQUEST)
        cursors.move(connection, _SERVING, context.run_id)
        latency.forget_old(connection)
    try:
        yield from _served(context, databases)
    finally:  # the sensors look again at once
        with databases.warehouse.begin() as connection:
            cursors.forget(connection, _SERVING, context.run_id)


def _served(context: dg.OpExecutionContext, databases: Databases) -> Iterator[TakenUp | Failed]:
    watches = [Watch(kind, databases.warehouse) for kind in Kind]
    turns = month_turn(databases, context.run_id)
    began = idle_since = kept = time.monotonic()
    while True:
        for event in turned_months(turns.step(), context.run_id):
            context.log_event(event)
        guard, low = databases.guard(accept_deletions=False), databases.low_balance()
        catch_up = CatchUp(databases.billing_app, databases.warehouse, guard, context.run_id, low)
        looked = time.monotonic()
        for result in catch_up.take_up():
            yield result
            idle_since = time.monotonic()
        now = time.monotonic()
        if now - began >= RUN_SECONDS or now - idle_since >= LINGER_SECONDS:
            return
        if now - kept >= KEEP_EVERY_SECONDS:
            kept = now
            if not _goes_on(context, databases):
                return
        if idle_since < looked:
            time.sleep(POLL_EVERY_SECONDS)
        # The sensors do not while this run does; one that has asked for a run is not called again for seconds anyway.
        for watch in watches:
            watch.look(databases.billing_app(), databases.now())


def _goes_on(context: dg.OpExecutionContext, databases: Databases) -> bool:
    """Say that this run is still at it; False if another has taken over."""
    with databases.warehouse.begin() as connection:
        return cursors.keep(connection, _SERVING, context.run_id)


@dg.job(
    name=JOB,
    executor_def=dg.in_process_executor,
    tags={"dagster/max_runtime": _MAX_RUNTIME_SECONDS, RESUME_TAG: NOT_NEEDED},
    description="Take up changes in the billing application within seconds.",
)
def realtime_job() -> None:
    """One op: all of it is one transaction."""
    take_up_changes()


def realtime_sensors() -> Sequence[dg.SensorDefinition]:
    """The sensors of readings, prices and deposits."""
    return [_sensor(kind) for kind in Kind]


def _sensor(kind: Kind) -> dg.SensorDefinition:
    watches: dict[sa.Engine, Watch] = {}

    @dg.sensor(
        name=kind.value,
        job_name=JOB,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=_DESCRIPTIONS[kind],
    )
    def watching(
        context: dg.SensorEvaluationContext, databases: dg.ResourceParam[Databases]
    ) -> dg.RunRequest | dg.SkipReason:
        watch = watches.setdefault(databases.warehouse, Watch(kind, databases.warehouse))
        with failures_recorded(databases, f"polling of {kind.value}"), explained(databases):
            try:
                return _tick(context, databases, watch)
            except NotComputedError:
                return dg.SkipReason(never_computed(databases.settings))

    return watching


def _tick(context: dg.SensorEvaluationContext, databases: Databases, watch: Watch) -> dg.RunRequest | dg.SkipReason:
    """Watch for a few seconds, unless a run does; ask for a run as soon as there is something to take up."""
    began = time.monotonic()
    turns = month_turn(databases, f"sensor {watch.kind.value}")
    _turn(context.instance, turns)
    news = _look(databases, watch)
    if watch.kind is not Kind.DEPOSITS:  # whose table is that of the prices
        news += _patrol(databases, watch.kind)
    while True:
        _turn(context.instance, turns)
        if request := _request(context.instance, databases):
            return request
        if time.monotonic() - began > TICK_SECONDS:
            return dg.SkipReason(f"{news} changes noticed; a run has them, or none is needed.")
        if not watch.behind:
            time.sleep(POLL_EVERY_SECONDS)
        news += _look(databases, watch)


def _turn(instance: dg.DagsterInstance, turns: MonthTurn) -> None:
    """Carry every customer forward when a month begins: the sensor is there at that moment, a run has yet to start."""
    for event in turned_months(turns.step(), turns.run_id):
        instance.report_runless_asset_event(event)


def _look(databases: Databases, watch: Watch) -> int:
    """Look for changes, and return how many are news; while a run looks by itself, wait instead, which spares both."""
    with databases.warehouse.connect() as connection:
        others_look = cursors.is_kept(connection, _SERVING, KEPT_SECONDS)
    if others_look:
        time.sleep(LOOK_WHILE_KEPT_SECONDS)
        return 0
    return watch.look(databases.billing_app(), databases.now())


def _patrol(databases: Databases, kind: Kind) -> int:
    guard = databases.guard(accept_deletions=False)
    return Patrol(kind.table, databases.billing_app(), databases.warehouse, guard).step()


def _request(instance: dg.DagsterInstance, databases: Databases) -> dg.RunRequest | None:
    """A request for a run, if there is something to take up and nobody is at it or about to be."""
    with databases.warehouse.connect() as connection:
        newest = pending.newest(connection)
    if newest is None or _is_looked_after(instance):
        return None
    with databases.warehouse.begin() as connection:
        asked = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        if not cursors.claim(connection, _REQUEST, str(newest), BEGIN_SECONDS):
            return None
    # A run key is refused for ever once it was used; a run that failed leaves its changes to another one.
    return dg.RunRequest(run_key=f"{newest} at {asked.isoformat()}", tags={"ledger/changes_until": str(newest)})


def _is_looked_after(instance: dg.DagsterInstance) -> bool:
    """True if a run waits to begin, or one is at work that need not be relieved yet."""
    unfinished = instance.get_run_records(dg.RunsFilter(job_name=JOB, statuses=_UNFINISHED), limit=2)
    if len(unfinished) != 1:
        return bool(unfinished)
    since = unfinished[0].start_time
    return since is None or time.time() - since < RELIEF_SECONDS
