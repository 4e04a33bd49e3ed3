"""Declaration of assets: their options, and the assets that those of the ledger are computed from."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.metadata import static_metadata
from ledger_pipelines.warehouse import tables

USERS = dg.AssetKey(["billing_app", "users"])
DATA_PENCATATAN = dg.AssetKey(["billing_app", "data_pencatatan"])
_THE_MONTH_BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)


def _deps(*upstream: dg.AssetKey | str) -> list[dg.AssetDep]:
    return [dg.AssetDep(asset) for asset in upstream]


UPSTREAM: Mapping[sa.Table, Sequence[dg.AssetDep]] = {
    tables.customers: _deps(USERS),
    tables.prices: _deps(USERS, "customers"),
    tables.deposits: _deps(USERS, "customers"),
    tables.meter_readings: _deps(USERS, DATA_PENCATATAN, "customers"),
    tables.transaction_calculations: _deps("customers", "prices", "meter_readings"),
    tables.monthly_customer_balances: [
        *_deps("deposits", "transaction_calculations"),
        dg.AssetDep("monthly_customer_balances", partition_mapping=_THE_MONTH_BEFORE),
    ],
}


def asset_options(
    table: sa.Table,
    partitions: dg.PartitionsDefinition[Any] | None = None,
    *,
    group: str,
    pool: str,
    kind: str = "sql",
    owner: str = "team:billing",
) -> dict[str, Any]:
    """Return the options of the asset of a table; with partitions, a range of months is one run."""
    by_month = {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()} if partitions else {}
    return by_month | {
        "group_name": group,
        "kinds": {"postgres", kind},
        "owners": [owner],
        "metadata": static_metadata(table),
        "pool": pool,
    }
