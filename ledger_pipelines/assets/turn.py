"""The turn of the month as Dagster has it: who makes it, and what is recorded of it."""

from collections.abc import Iterator

import dagster as dg

from ledger_pipelines.assets.metadata import of_month, provenance
from ledger_pipelines.realtime.turn import MonthTurn, Turned
from ledger_pipelines.resources import Databases
from ledger_pipelines.warehouse.tables import monthly_customer_balances


def month_turn(databases: Databases, run_id: str) -> MonthTurn:
    """Return the turns that a run, or a sensor, makes."""
    guard, low = databases.guard(accept_deletions=False), databases.low_balance()
    return MonthTurn(databases.billing_app, databases.warehouse, guard, run_id, low)


def turned_months(turned: Turned | None, run_id: str) -> Iterator[dg.AssetMaterialization]:
    """Yield the materialisations of the balances of the months that were turned; none if none were."""
    if turned is None:
        return
    balances = turned.reports[-1]
    metadata = {"customers_with_early_rows": len(turned.early), "early_rows_are_queued_because": turned.error}
    for month in turned.months:
        yield dg.AssetMaterialization(
            monthly_customer_balances.name,
            description="The month has begun: every customer is carried forward",
            partition=month,
            metadata=of_month(balances, month, whole=True) | metadata,
            tags=provenance(run_id, [dg.AssetKey(monthly_customer_balances.name)]),
        )
