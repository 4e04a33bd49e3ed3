"""Dagster events of the real-time job: changed months of the assets, and latencies."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.declaration import UPSTREAM
from ledger_pipelines.defs.assets.metadata import Metadata, data_version_tags, month_metadata
from ledger_pipelines.realtime.change_applier import AppliedChanges
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import UNPARTITIONED, add_counts, qualified_name
from ledger_pipelines.warehouse.ops import latency
from ledger_pipelines.warehouse.ops.latency import LatencySummary
from ledger_pipelines.warehouse.table_report import TableReport

LATENCY_CHECK = dg.AssetCheckSpec(
    "realtime_latency",
    asset=tables.monthly_customer_balances.name,
    description="95 of 100 changes of the last hour reached the balances within LEDGER_REALTIME_OBJECTIVE_SECONDS.",
)
_SHOWN = 20


def record_results(
    context: dg.OpExecutionContext, applied: Sequence[AppliedChanges], spread: LatencySummary | None, objective: int
) -> None:
    """Record the changes that a run applied: materialisations of the changed months, latencies, and the latency check.

    Args:
        context: Of the step.
        applied: The applied changes, one item per transaction.
        spread: Latencies of the last hour; None if no change was applied.
        objective: Seconds within which 95 of 100 changes should reach the balances.
    """
    run_metadata = _run_metadata(applied)
    context.add_output_metadata(run_metadata)
    for table, report in _reports_by_table(applied).items():
        for month, counts in sorted(report.counts.items()):
            if counts.changed:
                _log_materialization(context, table, report, month, run_metadata)
    if applied:
        found = latency_result(spread, objective)
        check = dg.AssetCheckEvaluation(
            asset_key=LATENCY_CHECK.asset_key,
            check_name=LATENCY_CHECK.name,
            passed=found.passed,
            severity=found.severity,
            metadata=found.metadata,
        )
        context.log_event(check)  # type: ignore[arg-type]  # accepted, though not declared
        context.log.info(
            f"Changes applied: {run_metadata['changes']:,}, customers: {run_metadata['customers']:,}, "
            f"transactions: {len(applied)}"
        )


def latency_result(spread: LatencySummary | None, objective: int) -> dg.AssetCheckResult:
    """Return the result of the latency check; the objective is in seconds."""
    metadata: Metadata = {"objective_ms": objective * 1000, "changes": 0, "rows": 0}
    if spread is not None:
        metadata |= {"changes": spread.changes, "rows": spread.slow}
        metadata |= {"half_within_ms": spread.median, "95_of_100_within_ms": spread.p95, "longest_ms": spread.maximum}
    return dg.AssetCheckResult(
        asset_key=LATENCY_CHECK.asset_key,
        check_name=LATENCY_CHECK.name,
        passed=spread is None or spread.p95 <= objective * 1000,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _reports_by_table(applied: Sequence[AppliedChanges]) -> dict[sa.Table, TableReport]:
    """Return one report per table, summed over all transactions."""
    by_name = {qualified_name(table): table for table in UPSTREAM}
    together: dict[sa.Table, TableReport] = {}
    for changes in applied:
        for report in changes.reports:
            table = by_name[report.table]
            before = together.get(table, TableReport(report.table, {}))
            rejected = dict(report.rejected)
            together[table] = TableReport(
                report.table, add_counts(before.counts, report.counts), {**before.rejected, **rejected}
            )
    return together


def _log_materialization(
    context: dg.OpExecutionContext, table: sa.Table, report: TableReport, month: str, run_metadata: Metadata
) -> None:
    context.log_event(
        dg.AssetMaterialization(
            table.name,
            description="Applied changes of the billing application",
            partition=None if month == UNPARTITIONED else month,
            metadata=month_metadata(report, month, complete=False) | run_metadata,
            tags=data_version_tags(context.run_id, [dep.asset_key for dep in UPSTREAM[table]]),
        )
    )


def _run_metadata(applied: Sequence[AppliedChanges]) -> dict[str, Any]:
    """Return the numbers of applied changes, their customers and their waits."""
    customers = sorted({customer for changes in applied for customer in changes.customers})
    listed = ", ".join(map(str, customers[:_SHOWN]))
    about: dict[str, Any] = {
        "changes": sum(changes.batch.changes for changes in applied),
        "customers": len(customers),
        "customer_ids": listed if len(customers) <= _SHOWN else f"{listed}, …",
        "transactions": len(applied),
    }
    for name in ("since_change_ms", "since_notice_ms"):
        values = latency.min_median_max([value for changes in applied for value in getattr(changes.batch, name)])
        if values is not None:
            about |= {f"{name}_{which}": value for which, value in zip(("min", "median", "max"), values, strict=True)}
    return about
