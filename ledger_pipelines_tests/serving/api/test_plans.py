"""Query plans of the queries for one customer: by index, for any size of the tables."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.queries.customers import customer
from ledger_pipelines.warehouse.queries.reconciliation.comparison import compared_customers
from ledger_pipelines_tests.bench.data import fill_billing
from ledger_pipelines_tests.support.billing_pipeline import WIB, new_warehouse

HORIZON = Horizon("2025-01", "2025-06", WIB)
CUSTOMERS = 2_000
PARAMETERS = {"customer_id": 777, "month": "2025-03"}
BIG = {"monthly_customer_balances", "transaction_calculations", "customers", "balance_comparison"}


@pytest.fixture(scope="module")
def warehouse(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    """Warehouse with thousands of rows per table and up-to-date statistics."""
    with new_warehouse(embedded_url) as engine:
        fill_billing(engine, HORIZON, customers=CUSTOMERS, readings_per_month=3)
        for step in (transactions.recalculate_transactions, balances.recalculate_balances):
            with engine.begin() as connection:
                step(connection, Scope(HORIZON.months), HORIZON, "test")
        with engine.begin() as connection:
            compare_balances(connection, "test")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("ANALYZE"))
        yield engine


def plan_of(connection: sa.Connection, statement: sa.Select[Any]) -> list[dict[str, Any]]:
    """Return every node of a statement's execution plan."""
    compiled = statement.params(PARAMETERS).compile(connection.engine, compile_kwargs={"literal_binds": True})
    plan = connection.execute(sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}".replace(":", "\\:"))).scalar_one()
    waiting, nodes = [plan[0]["Plan"]], []
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


def scanned(nodes: list[dict[str, Any]]) -> set[str]:
    """Return the tables that a plan scans sequentially; a partition counts as its parent."""
    relations = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return {big for relation in relations for big in BIG if relation.startswith(big)}


STATEMENTS = {
    name: statement
    for name, statement in vars(customer).items()
    if isinstance(statement, sa.Select) and not name.startswith("_")
}


def test_statements_of_one_customer_are_found() -> None:
    assert {"BALANCE", "BALANCES", "CUSTOMER", "DETAILS", "MONTHS", "TRANSACTIONS"} <= STATEMENTS.keys()


@pytest.mark.parametrize("name", STATEMENTS)
def test_one_customer_is_found_by_index(warehouse: sa.Engine, name: str) -> None:
    with warehouse.connect() as connection:
        nodes = plan_of(connection, STATEMENTS[name])
    assert scanned(nodes) == set()
    assert max(node["Actual Rows"] for node in nodes) <= len(HORIZON.months)
    assert any(node["Node Type"].startswith(("Index", "Bitmap")) for node in nodes)


def test_mismatches_are_found_by_their_index(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        of = tables.balance_comparison
        connection.execute(sa.update(of).values(matches=of.c.customer_id <= CUSTOMERS - 20))
        connection.execute(sa.text("ANALYZE ledger.balance_comparison"))
        nodes = plan_of(connection, compared_customers(only_mismatches=True).limit(10))
        connection.rollback()
    assert "balance_comparison" not in scanned(nodes)
    assert "ix_balance_comparison_mismatches" in {node.get("Index Name") for node in nodes}


def test_scanned_finds_sequential_scans(warehouse: sa.Engine) -> None:
    whole = sa.select(sa.func.count()).select_from(tables.monthly_customer_balances)
    with warehouse.connect() as connection:
        connection.execute(sa.text("SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off"))
        assert scanned(plan_of(connection, whole)) == {"monthly_customer_balances"}
