"""Assets of the ERP's tables: copies by month, one for each table of the catalogue."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.declaration import asset_options
from ledger_pipelines.defs.assets.metadata import Metadata, markdown_table
from ledger_pipelines.defs.assets.run import errors_as_failures, progress_logger, run_and_report, scope_of
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope, SyncRun, TableSync
from ledger_pipelines.loading.erp.load import TableLoad, load_erp_table
from ledger_pipelines.loading.erp.sync_months import months_to_read, recent_months
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpTable
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops.loaded_months import months_loaded
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import erp_tables

GROUP = POOL = "erp"
_RETRIES = 2
_RETRY_SECONDS = 5
T = TypeVar("T")
_HEADINGS = ("month", "rows", "inserted", "updated", "deleted", "rejected")


def erp_source_specs() -> list[dg.AssetSpec]:
    """Return the specs of the ERP's own tables, which are only read and start the lineage."""
    return [
        dg.AssetSpec(_source_key(table), group_name="erp_source", kinds={"sqlserver"}, description=f"{table.comment}.")
        for table in ERP_TABLES
    ]


def erp_assets(partitions: dg.PartitionsDefinition[Any]) -> Sequence[dg.AssetsDefinition]:
    """Return the assets of the group `erp`, one per table of the catalogue."""
    return [_asset(table, partitions) for table in ERP_TABLES]


def _asset(table: ErpTable, partitions: dg.PartitionsDefinition[Any]) -> dg.AssetsDefinition:
    month_rule = (
        "the month of the sync" if table.is_snapshot else f"the month of {', or else '.join(table.month_columns)}"
    )

    @dg.asset(
        name=table.name,
        description=f"{table.comment}. Copy of the ERP's table of the same name. The month of a row is {month_rule}.",
        **asset_options(erp_tables[table.name], partitions, group=GROUP, pool=POOL, kind="pandas", owner="team:erp"),
        deps=[_source_key(table)],
    )
    def copy(
        context: dg.AssetExecutionContext,
        databases: dg.ResourceParam[PipelineDatabases],
        sync: dg.ResourceParam[SyncRun],
    ) -> dg.MaterializeResult[None]:
        with (
            retry_transient_failures(context),
            errors_as_failures(databases),
            sync.table(table.name) as record,
            translate_connection_errors(databases.warehouse),
        ):
            return _sync_table(context, databases, sync, record, table)

    asset: dg.AssetsDefinition = copy
    return asset


@contextmanager
def retry_transient_failures(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Retry a step after a transient failure, with a longer wait each time.

    Dagster's retry policy is not used because it also retries a step that a user cancelled.
    """
    try:
        yield
    except dg.Failure as failure:
        if not failure.allow_retries or context.retry_number >= _RETRIES:
            raise
        seconds = _RETRY_SECONDS * 2**context.retry_number
        context.log.warning(f"{failure.description} Retrying in {seconds} s.")
        raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=seconds) from failure


def _source_key(table: ErpTable) -> dg.AssetKey:
    return dg.AssetKey(["erp_source", table.name])


def _sync_table(
    context: dg.AssetExecutionContext, databases: PipelineDatabases, sync: SyncRun, record: TableSync, table: ErpTable
) -> dg.MaterializeResult[None]:
    """Load one table and report the result to Dagster and to the sync's log."""
    horizon = databases.horizon()
    requested = scope_of(context, RunScope(), horizon).months
    with databases.warehouse.connect() as connection:
        loaded = months_loaded(connection, erp_tables[table.name])
    order = TableLoad(
        source=databases.erp,
        warehouse=sync.warehouse,
        horizon=horizon,
        months=months_to_read(requested, loaded, horizon, catch_up=sync.config.catch_up),
        recent=recent_months(horizon) if sync.config.catch_up else (),
        guard=databases.deletion_guard(accept_deletions=sync.config.accept_deletions),
        shrink=databases.shrink_rule(),
        run_id=context.run.run_id,
        full=sync.config.full,
        source_answers=sync.erp_responded,
        progress=_call_both(progress_logger(context), record.report_progress),
        warn=_call_both(context.log.warning, lambda message: sync.append_to_log_file(f"warning: {message}")),
    )

    def step() -> TableReport:
        report = load_erp_table(order, table)
        record.finish(report)
        return report

    return run_and_report(context, step, lambda report: _months_metadata(databases, table, report))


def _call_both(first: Callable[[T], None], second: Callable[[T], None]) -> Callable[[T], None]:
    def both(argument: T) -> None:
        first(argument)
        second(argument)

    return both


def _months_metadata(
    databases: PipelineDatabases, table: ErpTable, report: TableReport
) -> tuple[Metadata, dict[str, Metadata]]:
    """Return the row count and the changes of each month.

    The counts are queried because a sync may read only some rows of a month.
    """
    months = sorted({*report.counts, *report.rejected} - {UNPARTITIONED})
    copy = erp_tables[table.name]
    counted = sa.select(copy.c.year_month, sa.func.count().label("rows")).where(copy.c.year_month.in_(months))
    with databases.warehouse.connect() as connection:
        found = connection.execute(counted.group_by(copy.c.year_month))
        rows = {row.year_month: row.rows for row in found}
    lines = []
    for month in months:
        counts = report.counts.get(month)
        written = (counts.inserted, counts.updated, counts.deleted) if counts else (0, 0, 0)
        lines.append((month, rows.get(month, 0), *written, report.rejected.get(month, 0)))
    run_metadata = {"months": dg.MetadataValue.md(markdown_table(lines, _HEADINGS, bar_of="rows"))}
    return run_metadata, {month: {"dagster/partition_row_count": rows.get(month, 0)} for month in report.counts}
