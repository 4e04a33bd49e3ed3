"""Assets of the billing application's data: customers, prices, deposits and meter readings."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from ledger_pipelines.defs.assets.declaration import DATA_PENCATATAN, UPSTREAM, USERS, asset_options
from ledger_pipelines.defs.assets.run import load_step
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope
from ledger_pipelines.loading.billing import load as billing
from ledger_pipelines.warehouse import tables

POOL = "billing_ledger"


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
            description="The billing application's meter readings (data_pencatatan).",
        ),
    ]


def billing_assets(partitions: dg.PartitionsDefinition[Any]) -> Sequence[dg.AssetsDefinition]:
    """Return the four assets of the group `billing`.

    `customers` runs first: it compares all ids with the warehouse and refuses a source that lost too many rows.
    """
    options = partial(asset_options, group="billing", pool=POOL, kind="pandas")

    @dg.asset(**options(tables.customers), deps=UPSTREAM[tables.customers])
    def customers(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Customers of the distributor: the application's users with role customer or fob, and their default prices."""
        return load_step(context, databases, scope, tables.customers, billing.load_customers)

    @dg.asset(**options(tables.prices), deps=UPSTREAM[tables.prices])
    def prices(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Price entries from each customer's pricing history."""
        return load_step(context, databases, scope, tables.prices, billing.load_prices)

    @dg.asset(**options(tables.deposits, partitions), deps=UPSTREAM[tables.deposits])
    def deposits(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Signed deposits and reductions from each customer's deposit history, by the month of their own date."""
        return load_step(context, databases, scope, tables.deposits, billing.load_deposits)

    @dg.asset(**options(tables.meter_readings, partitions), deps=UPSTREAM[tables.meter_readings])
    def meter_readings(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Meter readings (data_pencatatan), metered and FOB, by the month of their start."""
        return load_step(context, databases, scope, tables.meter_readings, billing.load_readings)

    return [customers, prices, deposits, meter_readings]
