"""Assets of the billing application's data: customers, prices, deposits and meter readings."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.metadata import static_metadata
from ledger_pipelines.defs.assets.run import load_step
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope
from ledger_pipelines.loading.billing import load as billing
from ledger_pipelines.warehouse import tables

POOL = "billing_ledger"
OWNERS = ["team:billing"]
USERS = dg.AssetKey(["billing_app", "users"])
DATA_PENCATATAN = dg.AssetKey(["billing_app", "data_pencatatan"])


def source_specs() -> list[dg.AssetSpec]:
    """Return the specs of the application's own tables, which are only read and start the lineage."""
    return [
        dg.AssetSpec(
            USERS,
            group_name="billing_app",
            kinds={"mysql"},
            description="The billing application's users: customers with their deposit and pricing histories.",
        ),
        dg.AssetSpec(
            DATA_PENCATATAN,
            group_name="billing_app",
            kinds={"mysql"},
            description="The billing application's meter readings (data pencatatan).",
        ),
    ]


def billing_assets(partitions: dg.PartitionsDefinition[Any]) -> Sequence[dg.AssetsDefinition]:
    """Return the four assets of the group `billing`.

    `customers` runs first: it compares all ids with the warehouse and refuses a source that lost too many rows.
    """
    by_month: dict[str, Any] = {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}

    @dg.asset(**_asset_options(tables.customers), deps=[USERS])
    def customers(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Customers of the distributor: the application's users with role customer or fob, and their default prices."""
        return load_step(context, databases, scope, tables.customers, billing.load_customers)

    @dg.asset(**_asset_options(tables.prices), deps=[USERS, "customers"])
    def prices(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Price entries from each customer's pricing history."""
        return load_step(context, databases, scope, tables.prices, billing.load_prices)

    @dg.asset(**_asset_options(tables.deposits), **by_month, deps=[USERS, "customers"])
    def deposits(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Signed deposits and reductions from each customer's deposit history, by the month of their own date."""
        return load_step(context, databases, scope, tables.deposits, billing.load_deposits)

    @dg.asset(**_asset_options(tables.meter_readings), **by_month, deps=[USERS, DATA_PENCATATAN, "customers"])
    def meter_readings(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Meter readings (data pencatatan), metered and fob, by the month of their opening time."""
        return load_step(context, databases, scope, tables.meter_readings, billing.load_readings)

    return [customers, prices, deposits, meter_readings]


def _asset_options(table: sa.Table) -> dict[str, Any]:
    return {
        "group_name": "billing",
        "kinds": {"postgres", "pandas"},
        "owners": OWNERS,
        "metadata": static_metadata(table),
        "pool": POOL,
    }
