"""What a run of the real-time job tells Dagster: which months of which assets changed, and how long it took."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.assets.billing import DATA_PENCATATAN, USERS
from ledger_pipelines.assets.metadata import Metadata, of_month, provenance
from ledger_pipelines.realtime.catch_up import TakenUp
from ledger_pipelines.warehouse import latency, tables
from ledger_pipelines.warehouse.latency import Spread
from ledger_pipelines.warehouse.months import NO_MONTH, add, qualified
from ledger_pipelines.warehouse.report import Report

LATENCY_CHECK = "realtime_latency"
LATENCY_MINUTES = 60
_SHOWN = 20
_key = dg.AssetKey
_FROM: Mapping[sa.Table, Sequence[dg.AssetKey]] = {
    tables.customers: [USERS],
    tables.prices: [USERS, _key("customers")],
    tables.deposits: [USERS, _key("customers")],
    tables.meter_readings: [USERS, DATA_PENCATATAN, _key("customers")],
    tables.transaction_calculations: [_key("customers"), _key("prices"), _key("meter_readings")],
    tables.monthly_customer_balances: [
        _key("deposits"),
        _key("transaction_calculations"),
        _key("monthly_customer_balances"),
    ],
}


def record(context: dg.OpExecutionContext, taken: Sequence[TakenUp], spread: Spread | None, objective: int) -> None:
    """Record what a run has taken up: materialisations of what changed, latencies, and whether they are as they should.

    Args:
        context: Of the step.
        taken: What was taken up.
        spread: The latencies of the last hour.
        objective: Seconds under which 95 of 100 changes should be in the balances.
    """
    about_run = _about(taken)
    context.add_output_metadata(about_run)
    for table, report in _together(taken).items():
        for month, counts in sorted(report.counts.items()):
            if counts.written:
                _materialised(context, table, report, month, about_run)
    if taken:
        context.log_event(latency_check(spread, objective))  # type: ignore[arg-type]  # taken, though not declared
        context.log.info(
            f"{about_run['changes']:,} changes of {about_run['customers']:,} customers taken up in "
            f"{len(taken)} transactions"
        )


def latency_check(spread: Spread | None, objective: int) -> dg.AssetCheckEvaluation:
    """Whether the changes of the last hour were in the balances as soon as they should."""
    metadata: Metadata = {"objective_ms": objective * 1000, "changes": 0, "rows": 0}
    if spread is not None:
        metadata |= {"changes": spread.changes, "rows": spread.slow}
        metadata |= {"half_within_ms": spread.half, "95_of_100_within_ms": spread.most, "longest_ms": spread.longest}
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(tables.monthly_customer_balances.name),
        check_name=LATENCY_CHECK,
        passed=spread is None or spread.most <= objective * 1000,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _together(taken: Sequence[TakenUp]) -> dict[sa.Table, Report]:
    """One report for each table of what all transactions did to it."""
    by_name = {qualified(table): table for table in _FROM}
    together: dict[sa.Table, Report] = {}
    for one in taken:
        for report in one.reports:
            table = by_name[report.table]
            before = together.get(table, Report(report.table, {}))
            rejected = dict(report.rejected)
            together[table] = Report(report.table, add(before.counts, report.counts), {**before.rejected, **rejected})
    return together


def _materialised(
    context: dg.OpExecutionContext, table: sa.Table, report: Report, month: str, about_run: Metadata
) -> None:
    context.log_event(
        dg.AssetMaterialization(
            table.name,
            description="Changes in the billing application taken up",
            partition=None if month == NO_MONTH else month,
            metadata=of_month(report, month, whole=False) | about_run,
            tags=provenance(context.run_id, _FROM[table]),
        )
    )


def _about(taken: Sequence[TakenUp]) -> dict[str, Any]:
    """What a run took up, and how long that had waited."""
    customers = sorted({customer for one in taken for customer in one.customers})
    listed = ", ".join(map(str, customers[:_SHOWN]))
    about: dict[str, Any] = {
        "changes": sum(one.batch.changes for one in taken),
        "customers": len(customers),
        "customer_ids": listed if len(customers) <= _SHOWN else f"{listed}, …",
        "transactions": len(taken),
    }
    for name in ("since_change_ms", "since_notice_ms"):
        values = latency.of([value for one in taken for value in getattr(one.batch, name)])
        if values is not None:
            about |= {f"{name}_{which}": value for which, value in zip(("min", "median", "max"), values, strict=True)}
    return about
