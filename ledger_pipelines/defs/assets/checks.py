"""Asset checks: invariants of the ledger fail as errors; data checks and rejected rows are warnings.

The checks are not partitioned because Dagster misreports partitioned checks of a run over a range of months. Each check
covers all months and the customers of the run's scope.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.metadata import markdown_table
from ledger_pipelines.defs.assets.realtime import LATENCY_CHECK, LATENCY_MINUTES, latency_check
from ledger_pipelines.defs.assets.run import errors_as_failures
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope
from ledger_pipelines.ledger.data_checks import DATA_CHECKS, DataCheck
from ledger_pipelines.ledger.invariants import INVARIANTS, Invariant
from ledger_pipelines.warehouse.ops import latency
from ledger_pipelines.warehouse.queries.summaries import rejections_by_reason
from ledger_pipelines.warehouse.tables import (
    customers,
    deposits,
    erp_tables,
    meter_readings,
    monthly_customer_balances,
    prices,
    transaction_calculations,
)

_EXAMPLES = 10
_TABLES_WITH_REJECTIONS = (customers, prices, deposits, meter_readings, transaction_calculations, *erp_tables.values())
_TABLES = (*_TABLES_WITH_REJECTIONS, monthly_customer_balances)


def asset_checks() -> Sequence[dg.AssetChecksDefinition]:
    """Return the checks of all assets, in one step per asset."""
    return [_checks_of(table) for table in _TABLES]


def _checks_of(table: sa.Table) -> dg.AssetChecksDefinition:
    invariants = [invariant for invariant in INVARIANTS if invariant.table is table]
    data_checks = [check for check in DATA_CHECKS if check.table is table]
    has_rejections = table in _TABLES_WITH_REJECTIONS
    specs = [*(_spec(item) for item in invariants), *(_spec(item) for item in data_checks)]
    if has_rejections:
        description = "Source rows that cannot be used; each is in ops.rejected_rows with its reason."
        specs.append(dg.AssetCheckSpec("no_rejected_rows", asset=table.name, description=description))
    has_latency_check = table is monthly_customer_balances
    if has_latency_check:
        description = (
            "95 of 100 changes of the last hour reached the balances within LEDGER_REALTIME_OBJECTIVE_SECONDS."
        )
        specs.append(dg.AssetCheckSpec(LATENCY_CHECK, asset=table.name, description=description))

    @dg.multi_asset_check(name=f"checks_of_{table.name}", specs=specs)
    def checks(databases: dg.ResourceParam[PipelineDatabases], scope: RunScope) -> Iterator[dg.AssetCheckResult]:
        with errors_as_failures(databases), databases.warehouse.connect() as connection:
            horizon = databases.horizon()
            for invariant in invariants:
                query = invariant.violations(horizon, scope.customers)
                yield _result(connection, table, invariant.name, query, dg.AssetCheckSeverity.ERROR)
            for check in data_checks:
                query = check.rows(scope.customers)
                yield _result(connection, table, check.name, query, dg.AssetCheckSeverity.WARN)
            if has_rejections:
                yield _rejections_result(connection, table)
            if has_latency_check:
                yield _latency_result(connection, databases.settings.realtime_objective_seconds)

    return checks


def _spec(item: Invariant | DataCheck) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(item.name, asset=item.table.name, description=item.description)


def _result(
    connection: sa.Connection, table: sa.Table, name: str, query: sa.Select[Any], severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    found = query.subquery("found")
    rows = connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0
    metadata: dict[str, Any] = {"rows": rows}
    if rows:
        examples = connection.execute(sa.select(found).limit(_EXAMPLES)).all()
        metadata["examples"] = dg.MetadataValue.md(markdown_table(examples, list(found.c.keys())))
    return dg.AssetCheckResult(
        passed=rows == 0, asset_key=table.name, check_name=name, severity=severity, metadata=metadata
    )


def _latency_result(connection: sa.Connection, objective: int) -> dg.AssetCheckResult:
    found = latency_check(latency.latency_summary(connection, LATENCY_MINUTES, objective * 1000), objective)
    return dg.AssetCheckResult(
        passed=found.passed,
        asset_key=found.asset_key,
        check_name=found.check_name,
        severity=found.severity,
        metadata=found.metadata,
    )


def _rejections_result(connection: sa.Connection, table: sa.Table) -> dg.AssetCheckResult:
    reasons = connection.execute(rejections_by_reason(table.name)).all()
    rows = sum(row.rows for row in reasons)
    metadata: dict[str, Any] = {"rows": rows}
    if reasons:
        metadata["reasons"] = dg.MetadataValue.md(markdown_table(reasons, ["reason", "rows", "example"]))
    return dg.AssetCheckResult(
        passed=rows == 0,
        asset_key=table.name,
        check_name="no_rejected_rows",
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
