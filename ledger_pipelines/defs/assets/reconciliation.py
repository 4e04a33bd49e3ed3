"""Assets of the reconciliations: balances against the application's totals, purchases against the ERP's invoices."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from ledger_pipelines.defs.assets.declaration import asset_options
from ledger_pipelines.defs.assets.metadata import Metadata, markdown_table, rounded
from ledger_pipelines.defs.assets.run import errors_as_failures, run_and_report, scope_of
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope
from ledger_pipelines.ledger.reconciliation import comparison, invoices
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.queries.reconciliation.comparison import comparison_summary
from ledger_pipelines.warehouse.queries.reconciliation.invoices import invoice_summary
from ledger_pipelines.warehouse.table_report import TableReport

GROUP = POOL = "reconciliation"
_INVOICE_HEADINGS = ("month", "accounts", "purchases", "invoiced", "difference", *tables.INVOICE_STATUSES)


def reconciliation_assets(partitions: dg.PartitionsDefinition[Any]) -> Sequence[dg.AssetsDefinition]:
    """Return the two assets of the group `reconciliation`, which have their own pool and delay no other run."""
    options = partial(asset_options, group=GROUP, pool=POOL)

    @dg.asset(
        **options(tables.balance_comparison),
        deps=["customers", "deposits", "meter_readings", "transaction_calculations", "monthly_customer_balances"],
    )
    def balance_comparison(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases]
    ) -> dg.MaterializeResult[None]:
        """Latest balance of each customer against the application's own totals, with the reasons of a difference."""

        def step() -> TableReport:
            with databases.warehouse.begin() as connection:
                return comparison.compare_balances(connection, context.run.run_id)

        with errors_as_failures(databases):
            return run_and_report(context, step, lambda _: (_comparison_metadata(databases), {}))

    @dg.asset(
        **options(tables.invoice_reconciliation, partitions),
        deps=["customers", "monthly_customer_balances", "so_invoice_line"],
    )
    def invoice_reconciliation(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases]
    ) -> dg.MaterializeResult[None]:
        """Purchases of each customer and month against the ERP's invoices to the customer's business partner."""
        with errors_as_failures(databases):
            months = scope_of(context, RunScope(), databases.horizon()).months

            def step() -> TableReport:
                with databases.warehouse.begin() as connection:
                    return invoices.reconcile_invoices(connection, months, context.run.run_id)

            return run_and_report(context, step, lambda _: _invoices_metadata(databases, months))

    return [balance_comparison, invoice_reconciliation]


def _comparison_metadata(databases: PipelineDatabases) -> Metadata:
    with databases.warehouse.connect() as connection:
        found = comparison_summary(connection)
    reasons = [(reason.name, reason.amount, reason.customers) for reason in found.reasons]
    return {
        "customers": found.total_customers,
        "mismatches": found.mismatching,
        "ledger_balance_rupiah": rounded(found.stored_balance),
        "application_balance_rupiah": rounded(found.application_balance),
        "difference_rupiah": rounded(found.difference),
        "reasons": dg.MetadataValue.md(markdown_table(reasons, ("reason", "rupiah", "customers"))),
    }


def _invoices_metadata(databases: PipelineDatabases, months: Sequence[str]) -> tuple[Metadata, dict[str, Metadata]]:
    with databases.warehouse.connect() as connection:
        found = {month: invoice_summary(connection, month) for month in months}
    lines, metadata_by_month = [], {}
    for month, summary in found.items():
        totals = summary.totals
        sums = [sum(getattr(total, name) for total in totals) for name in ("purchases", "invoiced", "difference")]
        lines.append((month, summary.accounts, *sums, *(total.accounts for total in totals)))
        metadata_by_month[month] = {
            "dagster/partition_row_count": summary.accounts,
            "month_mismatches": summary.mismatches,
            "month_purchases_rupiah": rounded(sums[0]),
            "month_invoiced_rupiah": rounded(sums[1]),
        }
    table = markdown_table(lines, _INVOICE_HEADINGS, bar_of="difference")
    mismatches = sum(summary.mismatches for summary in found.values())
    return {"mismatches": mismatches, "months": dg.MetadataValue.md(table)}, metadata_by_month
