"""The turn of the month in Dagster: the service that runs it and the materialisations that record it."""

from collections.abc import Iterator

import dagster as dg

from ledger_pipelines.defs.assets.metadata import data_version_tags, month_metadata
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.realtime.month_turn import MonthTurn, MonthTurnResult
from ledger_pipelines.warehouse.tables import monthly_customer_balances


def new_month_turn(databases: PipelineDatabases, run_id: str) -> MonthTurn:
    """Return the service that turns months for a run or a sensor."""
    guard, limits = databases.deletion_guard(accept_deletions=False), databases.default_low_balance()
    return MonthTurn(databases.billing_app, databases.warehouse, guard, run_id, limits)


def month_turn_events(turned: MonthTurnResult | None, run_id: str) -> Iterator[dg.AssetMaterialization]:
    """Yield one materialisation of the balances for each turned month."""
    if turned is None:
        return
    balances = turned.reports[-1]
    metadata = {"customers_with_early_rows": len(turned.early_customers), "early_rows_are_queued_because": turned.error}
    for month in turned.months:
        yield dg.AssetMaterialization(
            monthly_customer_balances.name,
            description="Turn of the month: balances of every customer carried forward",
            partition=month,
            metadata=month_metadata(balances, month, complete=True) | metadata,
            tags=data_version_tags(run_id, [dg.AssetKey(monthly_customer_balances.name)]),
        )
