"""Sensor that requests the first reconciliation as soon as its inputs are loaded."""

from collections.abc import Collection, Iterator
from datetime import datetime

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.automation.failures import record_failures
from ledger_pipelines.defs.automation.first_computation import skip_unless_computed
from ledger_pipelines.defs.automation.jobs import reconciliation_job
from ledger_pipelines.defs.partitions import month_range_tags
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops.loaded_months import last_loaded_at, months_loaded
from ledger_pipelines.warehouse.tables import (
    balance_comparison,
    erp_tables,
    invoice_reconciliation,
    monthly_customer_balances,
)

_NEEDS = {
    balance_comparison: (monthly_customer_balances,),
    invoice_reconciliation: (monthly_customer_balances, erp_tables["so_invoice_line"]),
}


def reconciliation_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Return the sensor of the first reconciliation; the schedule requests later ones."""

    @dg.sensor(
        job=reconciliation_job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Request the first reconciliation once balances, and the ERP's invoices, are loaded; the schedule "
        "repeats it daily at 03:00.",
    )
    def first_reconciliation(
        databases: dg.ResourceParam[PipelineDatabases],
    ) -> list[dg.RunRequest] | dg.SkipReason:
        horizon = databases.horizon()
        with record_failures(databases, "sensor first_reconciliation"):
            if (reason := skip_unless_computed(databases)) is not None:
                return reason
            with databases.warehouse_connection() as connection:
                due = dict(_due(connection, horizon.months, with_erp=database_urls.has_erp(settings)))
        # Dagster accepts a run key only once. The load time in the key allows another run after the next load.
        requests = [
            dg.RunRequest(
                run_key=f"{table.name} since {since.isoformat()}",
                tags=month_range_tags(horizon.first, horizon.current) if "year_month" in table.c else None,
                asset_selection=[dg.AssetKey(table.name)],
            )
            for table, since in due.items()
        ]
        return requests or dg.SkipReason(
            "All possible reconciliations have been made; they are repeated daily at 03:00."
        )

    return [first_reconciliation]


def reconcilable(connection: sa.Connection, months: Collection[str], *, with_erp: bool) -> list[sa.Table]:
    """Return the reconciliations whose inputs have been loaded for all months."""
    return [
        table
        for table, needs in _NEEDS.items()
        if (with_erp or table is not invoice_reconciliation)
        and all(months_loaded(connection, needed) >= set(months) for needed in needs)
    ]


def _due(connection: sa.Connection, months: Collection[str], *, with_erp: bool) -> Iterator[tuple[sa.Table, datetime]]:
    """Yield each reconciliation that was never made although its inputs are loaded, with the latest load time."""
    for table in reconcilable(connection, months, with_erp=with_erp):
        if not months_loaded(connection, table):
            yield table, max(last_loaded_at(connection, needed) for needed in _NEEDS[table])
