"""Jobs: which assets are run together."""

import dagster as dg

#: Everything from the billing application to the balances, with all checks, for any range of months.
ledger_job = dg.define_asset_job(
    "billing_ledger",
    selection=dg.AssetSelection.groups("billing", "ledger"),
    description="Read the billing application and recalculate transactions and balances, for a range of months.",
)
