"""Jobs: the sets of assets that run together."""

import dagster as dg

#: All assets from the billing application to the balances, with their checks, for any range of months.
ledger_job = dg.define_asset_job(
    "billing_ledger",
    selection=dg.AssetSelection.groups("billing", "ledger"),
    description="Read the billing application and recalculate transactions and balances, for a range of months.",
)

#: The tables of the ERP, with their checks, for any range of months.
erp_job = dg.define_asset_job(
    "erp_sync",
    selection=dg.AssetSelection.groups("erp"),
    description="Bring the copies of the ERP's tables up to date: a range of months, and other rows that differ.",
)

#: The comparisons of the ledger with the application's own totals and the ERP's invoices, with their checks.
reconciliation_job = dg.define_asset_job(
    "reconciliation",
    selection=dg.AssetSelection.groups("reconciliation"),
    description="Compare balances with the application's totals, and purchases with the ERP's invoices.",
)
