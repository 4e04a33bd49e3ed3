"""Asset checks: the checks of the tables, and the latency of real-time changes.

The checks are not partitioned because Dagster misreports partitioned checks of a run over a range of months. Each check
covers all months and the customers of the run's scope.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.metadata import markdown_table, with_separators
from ledger_pipelines.defs.assets.realtime import LATENCY_CHECK, latency_result
from ledger_pipelines.defs.assets.run import errors_as_failures
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope
from ledger_pipelines.ledger.checks import CHECKS, Check, CheckScope, Findings, evaluate
from ledger_pipelines.warehouse.ops.latency import latency_summary


def asset_checks() -> Sequence[dg.AssetChecksDefinition]:
    """Return the checks of all assets, in one step per asset."""
    return [_checks_of(table) for table in dict.fromkeys(check.table for check in CHECKS)]


def _checks_of(table: sa.Table) -> dg.AssetChecksDefinition:
    checks = [check for check in CHECKS if check.table is table]
    specs = [dg.AssetCheckSpec(check.name, asset=table.name, description=check.description) for check in checks]
    has_latency_check = table.name == LATENCY_CHECK.asset_key.to_user_string()

    @dg.multi_asset_check(name=f"checks_of_{table.name}", specs=[*specs, LATENCY_CHECK] if has_latency_check else specs)
    def of_table(databases: dg.ResourceParam[PipelineDatabases], scope: RunScope) -> Iterator[dg.AssetCheckResult]:
        with errors_as_failures(databases), databases.warehouse.connect() as connection:
            covered = CheckScope(databases.horizon(), scope.customers)
            for check in checks:
                yield _result(check, evaluate(connection, check, covered))
            if has_latency_check:
                objective = databases.settings.realtime_objective_seconds
                yield latency_result(latency_summary(connection, objective * 1000), objective)

    return of_table


def _result(check: Check, found: Findings) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"rows": found.rows}
    if found.amount is not None:
        metadata["rupiah"] = with_separators(found.amount)
    if found.shown:
        shown = markdown_table(found.shown, found.shown[0]._fields)
        metadata["examples" if check.reasons is None else "reasons"] = dg.MetadataValue.md(shown)
    return dg.AssetCheckResult(
        passed=found.rows == 0,
        asset_key=check.table.name,
        check_name=check.name,
        severity=dg.AssetCheckSeverity(check.severity),
        metadata=metadata,
    )
