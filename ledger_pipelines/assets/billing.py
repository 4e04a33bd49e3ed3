"""The billing application's data as assets: customers, prices, deposits and meter readings."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.assets.metadata import static_metadata
from ledger_pipelines.assets.run import load_step
from ledger_pipelines.loading import billing
from ledger_pipelines.resources import Databases, RunScope
from ledger_pipelines.warehouse import tables

POOL = "billing_ledger"
OWNERS = ["team:billing"]
USERS = dg.AssetKey(["billing_app", "users"])
DATA_PENCATATAN = dg.AssetKey(["billing_app", "data_pencatatan"])


def source_specs() -> list[dg.AssetSpec]:
    """The application's own tables, which we only read: where the lineage begins."""
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
    """The four assets of the group `billing`; customers come first, and refuse a source that has lost too much."""
    by_month: dict[str, Any] = {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}

    @dg.asset(**_about(tables.customers), deps=[USERS])
    def customers(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Customers of the distributor: the application's users with role customer or fob, and their default prices."""
        return load_step(context, databases, scope, tables.customers, billing.load_customers)

    @dg.asset(**_about(tables.prices), deps=[USERS, "customers"])
    def prices(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Price entries, monthly and of custom periods, out of each customer's pricing history."""
        return load_step(context, databases, scope, tables.prices, billing.load_prices)

    @dg.asset(**_about(tables.deposits), **by_month, deps=[USERS, "customers"])
    def deposits(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Deposits and their reductions, signed, by the month of their own date, out of each deposit history."""
        return load_step(context, databases, scope, tables.deposits, billing.load_deposits)

    @dg.asset(**_about(tables.meter_readings), **by_month, deps=[USERS, DATA_PENCATATAN, "customers"])
    def meter_readings(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Meter readings (data pencatatan), metered and fob, by the month of their opening moment."""
        return load_step(context, databases, scope, tables.meter_readings, billing.load_readings)

    return [customers, prices, deposits, meter_readings]


def _about(table: sa.Table) -> dict[str, Any]:
    return {
        "group_name": "billing",
        "kinds": {"postgres", "pandas"},
        "owners": OWNERS,
        "metadata": static_metadata(table),
        "pool": POOL,
    }
