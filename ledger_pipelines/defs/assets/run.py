"""Adapter around a step: scope from Dagster's context, report to Dagster's events, expected errors to failures."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets import step_notices
from ledger_pipelines.defs.assets.metadata import (
    DATA_VERSION,
    Metadata,
    customers_metadata,
    data_version_tags,
    month_metadata,
    report_metadata,
)
from ledger_pipelines.defs.assets.turn import month_turn_events, new_month_turn
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope
from ledger_pipelines.errors import LedgerError
from ledger_pipelines.horizon import Horizon, MonthError, Scope, months_between
from ledger_pipelines.loading.billing.deletions import customer_deletion_cause
from ledger_pipelines.loading.billing.staging import BillingLoad
from ledger_pipelines.loading.guard import DeletionRefusedError
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.transaction_setup import lock_tables

_PROGRESS_SECONDS = 10


@contextmanager
def errors_as_failures(databases: PipelineDatabases) -> Iterator[None]:
    """Raise an explained error as a Dagster failure: the UI shows its message without a traceback."""
    try:
        with translate_connection_errors(databases.warehouse):
            yield
    except LedgerError as error:
        raise dg.Failure(description=str(error), allow_retries=error.retryable) from None


def scope_of(context: dg.AssetExecutionContext, scope: RunScope, horizon: Horizon) -> Scope:
    """Return the months and customers of a run; a step without a range of months covers all months.

    Raises:
        MonthError: A key of the range is not a month of the partitions, or the range ends before it starts.
    """
    if not context.has_partition_key_range:
        return Scope(horizon.months, scope.customers)
    keys = context.partition_key_range
    months = months_between(horizon.require_month(keys.start), horizon.require_month(keys.end))
    if not months:
        raise MonthError(f"the range of months ends before it starts: {keys.start} to {keys.end}")
    return Scope(months, scope.customers)


def turn_month_if_due(context: dg.AssetExecutionContext, databases: PipelineDatabases) -> None:
    """Turn a month that has begun for every customer, so that a run of some customers leaves no other behind."""
    turned = new_month_turn(databases, context.run.run_id).turn_if_due(wait=True)
    for event in month_turn_events(turned, context.run.run_id):
        context.log_event(event)


def load_step(
    context: dg.AssetExecutionContext,
    databases: PipelineDatabases,
    scope: RunScope,
    table: sa.Table,
    load: Callable[[BillingLoad, sa.Connection], TableReport],
) -> dg.MaterializeResult[None]:
    """Run one load of billing data and report it, after turning a month that has begun."""
    with errors_as_failures(databases):
        turn_month_if_due(context, databases)
        app = databases.billing_app()
        request = BillingLoad(
            source=app,
            scope=scope_of(context, scope, app.horizon),
            guard=databases.deletion_guard(accept_deletions=scope.accept_deletions),
            run_id=context.run.run_id,
            progress=progress_logger(context),
        )

        def step() -> TableReport:
            with record_refusals(request, databases), databases.warehouse.begin() as connection:
                lock_tables(connection, table)
                # The horizon is read under the lock, so no other process can turn the month in between.
                current_app = databases.billing_app()
                current = replace(request, source=current_app, scope=scope_of(context, scope, current_app.horizon))
                return load(current, connection)

        def described(report: TableReport) -> tuple[Metadata, dict[str, Metadata]]:
            return step_notices.log_missing_columns(context, app) | step_notices.log_rejections(
                context, databases, report
            ), {}

        return run_and_report(context, step, described, scope=scope)


@contextmanager
def record_refusals(load: BillingLoad, databases: PipelineDatabases) -> Iterator[None]:
    """Record the deletions that a load refuses as incidents, in a separate transaction.

    Raises:
        DeletionRefusedError: The load refused deletions. For a run of one customer it lists the rows that the customer
            would lose.
    """
    try:
        yield
    except DeletionRefusedError as error:
        with databases.warehouse.begin() as connection:
            causes = error.causes
            if load.scope.customers is not None and len(load.scope.customers) == 1:
                (customer,), reason = load.scope.customers, error.causes[0].reason
                causes = (customer_deletion_cause(load.source, connection, customer, reason),)
            for cause in causes:
                incidents.record(connection, replace(cause, run_id=load.run_id))
        raise type(error)(causes) from None


def run_and_report(
    context: dg.AssetExecutionContext,
    step: Callable[[], TableReport],
    describe: Callable[[TableReport], tuple[Metadata, dict[str, Metadata]]] | None = None,
    *,
    scope: RunScope | None = None,
) -> dg.MaterializeResult[None]:
    """Run a step and report it to Dagster, as a whole and by month.

    Months outside the run's range whose rows changed are recorded as additional materialisations.

    Args:
        context: Of the step.
        step: The work.
        describe: Returns more metadata of the run and of single months, from the report.
        scope: The customers of the run; None for tables without customers, of which a run may read part of a month.
    """
    started = time.monotonic()
    report = step()
    seconds = time.monotonic() - started
    run_metadata, metadata_by_month = describe(report) if describe is not None else ({}, {})
    about_customers = {} if scope is None else customers_metadata(report, scope.customers)
    complete = scope is not None and scope.customers is None
    own = set(context.partition_keys) if context.has_partition_key_range else set()
    for month, counts in sorted(report.counts.items()):
        metadata = month_metadata(report, month, complete=complete) | metadata_by_month.get(month, {})
        if month in own:
            context.add_asset_metadata(metadata, partition_key=month)
        elif month != UNPARTITIONED and counts.changed:
            description = "Corrected by a run of other months"
            tags = data_version_tags(context.run.run_id, context.assets_def.dependency_keys)
            event = dg.AssetMaterialization(
                context.asset_key, description=description, partition=month, metadata=metadata, tags=tags
            )
            context.log_event(event)
    _log(context, report, seconds)
    metadata = about_customers | report_metadata(report, seconds) | run_metadata
    return dg.MaterializeResult(metadata=metadata, data_version=DATA_VERSION)


def _log(context: dg.AssetExecutionContext, report: TableReport, seconds: float) -> None:
    total, rejected = report.total, sum(report.rejected.values())
    counts = (
        f"{total.inserted:,} inserted, {total.updated:,} updated, {total.deleted:,} deleted, "
        f"{total.unchanged:,} unchanged"
    )
    result = counts if total.changed else f"nothing to write, all {total.unchanged:,} rows are up to date"
    context.log.info(f"{report.table}: {result}; {rejected:,} rejected; {seconds:.2f} s")
    if report.skipped:
        context.log.info(f"{report.table}: {report.skipped_sentence}")
    if report.unreadable:
        context.log.warning(
            f"{report.table}: customers with an unreadable history, who keep the rows loaded before: "
            f"{report.unreadable:,}; see ops.rejected_rows"
        )


def progress_logger(context: dg.AssetExecutionContext) -> Callable[[int], None]:
    """Return a callback that logs the progress of a long read every ten seconds."""
    started = logged = time.monotonic()

    def log_progress(rows: int) -> None:
        nonlocal logged
        now = time.monotonic()
        if now - logged >= _PROGRESS_SECONDS:
            logged = now
            context.log.info(f"{rows:,} rows read so far, {rows / (now - started):,.0f} rows/s")

    return log_progress
