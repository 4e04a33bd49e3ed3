"""The reconciliations as assets: balances against the application's totals, purchases against the ERP's invoices."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.assets.billing import OWNERS
from ledger_pipelines.assets.metadata import Metadata, markdown_table, static_metadata, whole
from ledger_pipelines.assets.run import explained, reported, scope_of
from ledger_pipelines.ledger.reconciliation import comparison, invoices
from ledger_pipelines.resources import Databases, RunScope
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.questions.comparison import comparison_summary
from ledger_pipelines.warehouse.questions.invoices import invoice_summary
from ledger_pipelines.warehouse.report import Report

GROUP = POOL = "reconciliation"
_INVOICE_HEADINGS = ("month", "accounts", "purchases", "invoiced", "difference", *tables.INVOICE_STATUSES)


def reconciliation_assets(partitions: dg.PartitionsDefinition[Any]) -> Sequence[dg.AssetsDefinition]:
    """The two assets of the group `reconciliation`; they have a pool of their own, and no run waits for them."""

    @dg.asset(
        **_about(tables.balance_comparison),
        deps=["customers", "deposits", "meter_readings", "transaction_calculations", "monthly_customer_balances"],
    )
    def balance_comparison(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases]
    ) -> dg.MaterializeResult[None]:
        """Each customer's latest balance against the application's own totals, and where a difference comes from."""

        def step() -> Report:
            with databases.warehouse.begin() as connection:
                return comparison.compare(connection, context.run.run_id)

        with explained(databases):
            return reported(context, step, lambda _: (_about_comparison(databases), {}))

    @dg.asset(
        **_about(tables.invoice_reconciliation),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=["customers", "monthly_customer_balances", "so_invoice_line"],
    )
    def invoice_reconciliation(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases]
    ) -> dg.MaterializeResult[None]:
        """Each month's purchases of customers against what their business partners were invoiced in the ERP."""
        with explained(databases):
            months = scope_of(context, RunScope(), databases.horizon()).months

            def step() -> Report:
                with databases.warehouse.begin() as connection:
                    return invoices.reconcile(connection, months, context.run.run_id)

            return reported(context, step, lambda _: _about_invoices(databases, months))

    return [balance_comparison, invoice_reconciliation]


def _about(table: sa.Table) -> dict[str, Any]:
    return {
        "group_name": GROUP,
        "kinds": {"postgres", "sql"},
        "owners": OWNERS,
        "metadata": static_metadata(table),
        "pool": POOL,
    }


def _about_comparison(databases: Databases) -> Metadata:
    with databases.warehouse.connect() as connection:
        found = comparison_summary(connection)
    reasons = [(reason.name, reason.amount, reason.rows) for reason in found.reasons]
    return {
        "customers": found.customers,
        "mismatches": found.mismatches,
        "ledger_balance_rupiah": whole(found.ledger_balance),
        "application_balance_rupiah": whole(found.application_balance),
        "difference_rupiah": whole(found.difference),
        "reasons": dg.MetadataValue.md(markdown_table(reasons, ("reason", "rupiah", "customers"))),
    }


def _about_invoices(databases: Databases, months: Sequence[str]) -> tuple[Metadata, dict[str, Metadata]]:
    with databases.warehouse.connect() as connection:
        found = [invoice_summary(connection, month) for month in months]
    lines, about_months = [], {}
    for one in found:
        sums = [sum(getattr(total, name) for total in one.totals) for name in ("purchases", "invoiced", "difference")]
        lines.append((one.year_month, one.accounts, *sums, *(total.accounts for total in one.totals)))
        about_months[one.year_month] = {
            "dagster/partition_row_count": one.accounts,
            "month_mismatches": one.mismatches,
            "month_purchases_rupiah": whole(sums[0]),
            "month_invoiced_rupiah": whole(sums[1]),
        }
    table = markdown_table(lines, _INVOICE_HEADINGS, bar_of="difference")
    return {"mismatches": sum(one.mismatches for one in found), "months": dg.MetadataValue.md(table)}, about_months
