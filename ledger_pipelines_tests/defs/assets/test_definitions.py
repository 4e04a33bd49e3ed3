"""Definitions of the assets, as the UI shows them before the first run."""

import subprocess
import sys
from datetime import datetime

import dagster as dg
import pytest

from ledger_pipelines.definitions import build_definitions
from ledger_pipelines.defs.assets.checks import asset_checks
from ledger_pipelines.defs.assets.realtime import LATENCY_CHECK
from ledger_pipelines.defs.partitions import monthly_partitions
from ledger_pipelines.horizon import month_of
from ledger_pipelines.ledger.checks import CHECKS
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.support.dagster_internals import AssetGraph

TABLES = {
    "customers": tables.customers,
    "prices": tables.prices,
    "deposits": tables.deposits,
    "meter_readings": tables.meter_readings,
    "transaction_calculations": tables.transaction_calculations,
    "monthly_customer_balances": tables.monthly_customer_balances,
}
RECONCILIATION = {
    "balance_comparison": tables.balance_comparison,
    "invoice_reconciliation": tables.invoice_reconciliation,
}
UNPARTITIONED = {"customers", "prices", "balance_comparison"}
ERP = dict(tables.erp_tables)
ALL = TABLES | RECONCILIATION | ERP
POOLS = dict.fromkeys(ERP, "erp") | dict.fromkeys(RECONCILIATION, "reconciliation")
GROUPS = dict.fromkeys(RECONCILIATION, "reconciliation")


@pytest.fixture(scope="module")
def graph() -> AssetGraph:
    """Return the asset graph of the definitions."""
    settings = Settings(warehouse_url="postgresql://h/w", billing_url="mysql://h/b", first_month="2025-01")
    graph: AssetGraph = build_definitions(settings).resolve_asset_graph()
    return graph


def test_the_assets_are_those_of_the_tables(graph: AssetGraph) -> None:
    assert {key.to_user_string() for key in graph.materializable_asset_keys} == ALL.keys()
    assert {key.to_user_string() for key in graph.external_asset_keys} == {
        "billing_app/users",
        "billing_app/data_pencatatan",
        *(f"erp_source/{name}" for name in ERP),
    }


@pytest.mark.parametrize("name", ALL)
def test_an_asset_has_metadata(graph: AssetGraph, name: str) -> None:
    node, table = graph.get(dg.AssetKey(name)), ALL[name]
    assert node.group_name == GROUPS.get(name, table.schema)
    assert "postgres" in node.kinds
    assert node.owners == ["team:erp" if name in ERP else "team:billing"]
    assert node.description
    assert len(node.description) > 40
    assert node.metadata["dagster/table_name"] == f"{table.schema}.{name}"
    schema = node.metadata["dagster/column_schema"]
    assert [(column.name, column.description) for column in schema.columns] == [
        (column.name, column.comment) for column in table.columns
    ]
    assert [column.constraints.nullable for column in schema.columns] == [column.nullable for column in table.columns]
    assert node.pools == {POOLS.get(name, "billing_ledger")}


@pytest.mark.parametrize("name", ALL)
def test_a_range_of_months_is_one_run(graph: AssetGraph, name: str) -> None:
    node = graph.get(dg.AssetKey(name))
    assert node.is_partitioned is (name not in UNPARTITIONED)
    if node.is_partitioned:
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


@pytest.mark.parametrize(
    ("asset", "upstream"),
    [
        ("customers", {"billing_app/users"}),
        ("prices", {"billing_app/users", "customers"}),
        ("deposits", {"billing_app/users", "customers"}),
        ("meter_readings", {"billing_app/users", "billing_app/data_pencatatan", "customers"}),
        ("transaction_calculations", {"customers", "prices", "meter_readings"}),
        ("monthly_customer_balances", {"deposits", "transaction_calculations", "monthly_customer_balances"}),
        *((name, {f"erp_source/{name}"}) for name in ERP),
        (
            "balance_comparison",
            {
                "customers",
                "deposits",
                "meter_readings",
                "transaction_calculations",
                "monthly_customer_balances",
            },
        ),
        ("invoice_reconciliation", {"customers", "monthly_customer_balances", "so_invoice_line"}),
    ],
)
def test_lineage(graph: AssetGraph, asset: str, upstream: set[str]) -> None:
    assert {key.to_user_string() for key in graph.get(dg.AssetKey(asset)).parent_keys} == upstream


@pytest.mark.parametrize("name", ERP)
def test_a_copy_has_no_retry_policy(graph: AssetGraph, name: str) -> None:
    """Dagster would retry the step even after a user cancelled it."""
    definition = graph.get(dg.AssetKey(name)).assets_def
    assert definition.op.retry_policy is None


def test_a_balance_depends_on_its_own_month_before(graph: AssetGraph) -> None:
    balances = dg.AssetKey("monthly_customer_balances")
    mapping = graph.get_partition_mapping(balances, balances)
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    assert (mapping.start_offset, mapping.end_offset) == (-1, -1)


def test_every_check_is_an_asset_check() -> None:
    specs = [spec for check in asset_checks() for spec in check.check_specs]
    found = sorted((spec.asset_key.to_user_string(), spec.name) for spec in specs)
    latency = ("monthly_customer_balances", LATENCY_CHECK.name)
    assert found == sorted([*((check.table.name, check.name) for check in CHECKS), latency])
    assert all(spec.description for spec in specs)


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        ("2025-03-01T00:00:00+07:00", "2025-03"),
        ("2025-02-28T16:59:59+00:00", "2025-02"),
        ("2025-03-31T23:59:59+07:00", "2025-03"),
    ],
)
def test_the_current_month_in_wib_is_a_partition(moment: str, last: str) -> None:
    partitions = monthly_partitions(Settings(first_month="2024-12"))
    now = datetime.fromisoformat(moment)
    keys = partitions.get_partition_keys(current_time=now)
    assert keys[0] == "2024-12"
    assert keys[-1] == last == month_of(now, Settings().zone)
    window = partitions.time_window_for_partition_key("2025-02")
    assert window.start.isoformat() == "2025-02-01T00:00:00+07:00"
    assert window.end.isoformat() == "2025-03-01T00:00:00+07:00"


def test_loading_the_definitions_touches_no_database() -> None:
    """The servers do not exist: importing the definitions does not connect to them and raises no warning."""
    program = "import ledger_pipelines.definitions as d; print(len(d.defs.assets))"
    environment = {
        "LEDGER_WAREHOUSE_URL": "postgresql://me@no-such-host.invalid/w",
        "LEDGER_BILLING_URL": "mysql://me@no-such-host.invalid/b",
    }
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) == len(ALL) + len(ERP) + 2, "copies, the ERP's tables, and the application's two"
