"""docs/analytics.md: every query runs with an analyst's role, on the demo, and returns rows."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.horizon import Scope
from ledger_pipelines.ledger import balances
from ledger_pipelines.settings import project_folder
from ledger_pipelines.warehouse.tables import (
    customer_business_partners,
    deposits,
    erp_tables,
    monthly_customer_balances,
    realtime_batches,
)
from ledger_pipelines_tests.support.billing_pipeline import Pipeline

PAGE = (project_folder() / "docs" / "analytics.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^### (.+?)\n+```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))


def test_page_queries_every_view() -> None:
    assert len(QUERIES) == PAGE.count("```sql") >= 15
    for view in VIEWS:
        assert any(re.search(rf"\b{view.name}\b", query) for query in QUERIES.values()), f"no query uses {view.name}"


OTHER_PRODUCTS = "What do our gas customers buy from us besides gas?"
UP_TO_DATE = "Is what I am looking at up to date?"
BATCH = {"run_id": "test", "customers": 1, "changes": 1, "first_month": "2025-01"}
WAITED: dict[str, list[int]] = {"since_change_ms": [], "since_notice_ms": []}


@pytest.fixture
def customer_with_other_products(demo: Pipeline) -> Iterator[None]:
    """Map a customer to a business partner that buys other products, which the demo does not contain."""
    line, mapping = erp_tables["so_invoice_line"].c, customer_business_partners
    other = sa.select(sa.func.rtrim(line.bp_code)).where(
        line.invoice_date.is_not(None), sa.func.rtrim(line.product_type) != "GAS"
    )
    with demo.warehouse.begin() as connection:
        values = {"customer_id": 11, "bp_code": connection.execute(other.limit(1)).scalar_one(), "origin": "set"}
        connection.execute(sa.insert(mapping).values(values))
    yield
    with demo.warehouse.begin() as connection:
        connection.execute(sa.delete(mapping).where(mapping.c.origin == "set"))


@pytest.mark.usefixtures("customer_with_other_products")
@pytest.mark.parametrize("question", QUERIES)
def test_query_returns_rows(analyst: sa.Engine, question: str) -> None:
    with analyst.connect() as connection:
        rows = connection.exec_driver_sql(QUERIES[question]).all()
    assert rows != []
    assert any(value is not None for value in rows[0])


@pytest.mark.usefixtures("customer_with_other_products")
def test_other_products_exclude_gas(analyst: sa.Engine) -> None:
    with analyst.connect() as connection:
        rows = connection.exec_driver_sql(QUERIES[OTHER_PRODUCTS]).all()
    assert {row.customer_id for row in rows} == {11}
    assert "GAS" not in {(row.product_type or "").rstrip() for row in rows}


def test_customers_of_the_page_exist_in_every_month(demo: Pipeline) -> None:
    queries = " ".join(query for query in QUERIES.values() if re.search(r"'\d{4}-\d{2}'", query))
    named = {int(number) for number in re.findall(r"customer_id = (\d+)", queries)}
    assert named
    balance = monthly_customer_balances.c
    begins = sa.select(balance.customer_id, sa.func.min(balance.year_month).label("first_month")).group_by(
        balance.customer_id
    )
    with demo.warehouse.connect() as connection:
        first = {row.customer_id: row.first_month for row in connection.execute(begins)}
    assert {first[customer_id] for customer_id in named} == {demo.horizon.first}


def written_at(connection: sa.Connection) -> dict[str, Any]:
    """Return the time when each table was written, by the page's query."""
    connection.exec_driver_sql("SET LOCAL search_path TO analytics, ledger, billing, erp, ops")
    return {row.table_name: row.written_at for row in connection.exec_driver_sql(QUERIES[UP_TO_DATE])}


def test_scoped_runs_count_as_written(demo: Pipeline) -> None:
    with demo.warehouse.connect() as connection:  # rolled back
        before = written_at(connection)
        connection.execute(sa.delete(deposits).where(deposits.c.customer_id == 11))
        balances.recalculate_balances(connection, Scope(demo.horizon.months, (11,)), demo.horizon, "test")
        recalculated = written_at(connection)
        connection.execute(sa.insert(realtime_batches).values(BATCH | WAITED))
        applied = written_at(connection)
        now = connection.scalar(sa.select(sa.func.now()))
    changed = {name for name in before if recalculated[name] != before[name]}
    assert changed == {"ledger.monthly_customer_balances"}
    assert recalculated["ledger.monthly_customer_balances"] >= now
    changed = {name for name in before if applied[name] != recalculated[name]}
    assert changed == {f"billing.{name}" for name in ("customers", "prices", "deposits", "meter_readings")}
