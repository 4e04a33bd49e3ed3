"""The shell around a step: scope out of Dagster's context, report into Dagster's events, errors into words."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.assets import remarks
from ledger_pipelines.assets.metadata import VERSION, Metadata, of_customers, of_month, of_report, provenance
from ledger_pipelines.assets.turn import month_turn, turned_months
from ledger_pipelines.horizon import Horizon, MonthError, Scope, months_between
from ledger_pipelines.loading.deletions import refusal_of_customer
from ledger_pipelines.loading.guard import DeletionRefusedError
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.loading.staging import Load
from ledger_pipelines.resources import Databases, RunScope
from ledger_pipelines.settings import SettingsError
from ledger_pipelines.sources.erp import SourceInterruptedError
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import incidents
from ledger_pipelines.warehouse.engine import WarehouseFullError, reachable
from ledger_pipelines.warehouse.first_computation import NotComputedError
from ledger_pipelines.warehouse.loaded import MonthsMissingError
from ledger_pipelines.warehouse.months import NO_MONTH
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.session import lock
from ledger_pipelines.warehouse.sync_logs import SyncEndedError

_EXPLAINED = (
    SourceError,
    DeletionRefusedError,
    MonthsMissingError,
    MonthError,
    NotComputedError,
    RowsLostError,
    SettingsError,
    SyncEndedError,
    WarehouseError,
)
_MAY_PASS = (SourceInterruptedError, RowsLostError, WarehouseError)
_PROGRESS_SECONDS = 10


@contextmanager
def explained(databases: Databases) -> Iterator[None]:
    """Let an error that says what is wrong and what to do stand alone in the UI, without a traceback of ours.

    A step that has a retry policy is tried again only after errors that may pass of themselves.
    """
    try:
        with reachable(databases.warehouse):
            yield
    except _EXPLAINED as error:
        may_pass = isinstance(error, _MAY_PASS) and not isinstance(error, WarehouseFullError)
        raise dg.Failure(description=str(error), allow_retries=may_pass) from None


def scope_of(context: dg.AssetExecutionContext, scope: RunScope, horizon: Horizon) -> Scope:
    """The months and customers of a run; a step without months is about all of them.

    Raises:
        MonthError: a key of the range is no month of the partitions, or the range ends before it starts.
    """
    if not context.has_partition_key_range:
        return Scope(horizon.months, scope.customers)
    keys = context.partition_key_range
    months = months_between(horizon.check(keys.start), horizon.check(keys.end))
    if not months:
        raise MonthError(f"the range of months ends before it starts: {keys.start} to {keys.end}")
    return Scope(months, scope.customers)


def turn_first(context: dg.AssetExecutionContext, databases: Databases) -> None:
    """Carry every customer forward into a month that has begun, so that a run of some leaves no others behind."""
    turned = month_turn(databases, context.run.run_id).step(wait=True)
    for event in turned_months(turned, context.run.run_id):
        context.log_event(event)


def load_step(
    context: dg.AssetExecutionContext,
    databases: Databases,
    scope: RunScope,
    table: sa.Table,
    load: Callable[[Load, sa.Connection], Report],
) -> dg.MaterializeResult[None]:
    """Run one load of the billing application's data and report it; a month that has begun is turned before."""
    with explained(databases):
        turn_first(context, databases)
        app = databases.billing_app()
        what = Load(
            source=app,
            scope=scope_of(context, scope, app.horizon),
            guard=databases.guard(accept_deletions=scope.accept_deletions),
            run_id=context.run.run_id,
            progress=progress_in_log(context),
        )

        def step() -> Report:
            with refusals_recorded(what, databases), databases.warehouse.begin() as connection:
                lock(connection, table)
                # Once the table is locked: the month cannot be turned meanwhile.
                now = databases.billing_app()
                current = replace(what, source=now, scope=scope_of(context, scope, now.horizon))
                return load(current, connection)

        def described(report: Report) -> tuple[Metadata, dict[str, Metadata]]:
            return remarks.of_columns(context, app) | remarks.of_rejections(context, databases, report), {}

        return reported(context, step, described, scope=scope)


@contextmanager
def refusals_recorded(load: Load, databases: Databases) -> Iterator[None]:
    """Keep the deletions that a load refuses as incidents, in a transaction of their own.

    Raises:
        DeletionRefusedError: the load has refused them; of a single customer, with what that customer would lose.
    """
    try:
        yield
    except DeletionRefusedError as error:
        with databases.warehouse.begin() as connection:
            causes = error.causes
            if load.scope.customers is not None and len(load.scope.customers) == 1:
                (customer,), reason = load.scope.customers, error.causes[0].reason
                causes = (refusal_of_customer(load.source, connection, customer, reason),)
            for cause in causes:
                incidents.record(connection, replace(cause, run_id=load.run_id))
        raise type(error)(causes) from None


def reported(
    context: dg.AssetExecutionContext,
    step: Callable[[], Report],
    describe: Callable[[Report], tuple[Metadata, dict[str, Metadata]]] | None = None,
    *,
    scope: RunScope | None = None,
) -> dg.MaterializeResult[None]:
    """Run a step and tell Dagster what it did: as a whole, and for each month.

    Months outside the run's range in which rows changed are recorded as materialisations of those months.

    Args:
        context: Of the step.
        step: The work.
        describe: More metadata, of the run and of single months, from the report.
        scope: The customers of the run; None where the rows are nobody's, and only part of a month may be read.
    """
    started = time.monotonic()
    report = step()
    seconds = time.monotonic() - started
    about_run, about_months = describe(report) if describe is not None else ({}, {})
    about_customers = {} if scope is None else of_customers(report, scope.customers)
    whole = scope is not None and scope.customers is None
    own = set(context.partition_keys) if context.has_partition_key_range else set()
    for month, counts in sorted(report.counts.items()):
        metadata = of_month(report, month, whole=whole) | about_months.get(month, {})
        if month in own:
            context.add_asset_metadata(metadata, partition_key=month)
        elif month != NO_MONTH and counts.written:
            what = "Corrected with a run of other months"
            tags = provenance(context.run.run_id, context.assets_def.dependency_keys)
            event = dg.AssetMaterialization(
                context.asset_key, description=what, partition=month, metadata=metadata, tags=tags
            )
            context.log_event(event)
    _log(context, report, seconds)
    metadata = about_customers | of_report(report, seconds) | about_run
    return dg.MaterializeResult(metadata=metadata, data_version=VERSION)


def _log(context: dg.AssetExecutionContext, report: Report, seconds: float) -> None:
    of, rejected = report.total, sum(report.rejected.values())
    did = f"{of.inserted:,} inserted, {of.updated:,} updated, {of.deleted:,} deleted, {of.unchanged:,} unchanged"
    what = did if of.written else f"nothing to write, all {of.unchanged:,} rows are as they should be"
    context.log.info(f"{report.table}: {what}; {rejected:,} rejected; {seconds:.2f} s")
    if report.unreadable:
        context.log.warning(
            f"{report.table}: {report.unreadable} customers have an unreadable history and keep what was loaded "
            "before; see ops.rejected_rows"
        )


def progress_in_log(context: dg.AssetExecutionContext) -> Callable[[int], None]:
    """Say how far a long read has come, every ten seconds."""
    started = said = time.monotonic()

    def say(rows: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _PROGRESS_SECONDS:
            said = now
            context.log.info(f"{rows:,} rows read so far, {rows / (now - started):,.0f} rows/s")

    return say
