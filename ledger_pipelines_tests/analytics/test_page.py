"""docs/analytics.md: every query of it runs as the analyst, on the demo, and answers something."""

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
from ledger_pipelines_tests.pipeline import Pipeline

PAGE = (project_folder() / "docs" / "analytics.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^### (.+?)\n+```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_has_questions_of_every_kind() -> None:
    assert len(QUERIES) == PAGE.count("```sql") >= 15
    for view in VIEWS:
        assert any(re.search(rf"\b{view.name}\b", query) for query in QUERIES.values()), f"nobody asks {view.name}"


BESIDES_GAS = "What do our gas customers buy from us besides gas?"
UP_TO_DATE = "Is what I am looking at up to date?"
BATCH = {"run_id": "test", "customers": 1, "changes": 1, "first_month": "2025-01"}
WAITED: dict[str, list[int]] = {"since_change_ms": [], "since_notice_ms": []}


@pytest.fixture
def buys_more_than_gas(demo: Pipeline) -> Iterator[None]:
    """A customer is also a business partner who buys something else, as nobody is in the demo."""
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


@pytest.mark.usefixtures("buys_more_than_gas")
@pytest.mark.parametrize("question", QUERIES)
def test_a_query_answers_something(analyst: sa.Engine, question: str) -> None:
    with analyst.connect() as connection:
        rows = connection.exec_driver_sql(QUERIES[question]).all()
    assert rows != []
    assert any(value is not None for value in rows[0])


@pytest.mark.usefixtures("buys_more_than_gas")
def test_gas_is_nothing_besides_gas(analyst: sa.Engine) -> None:
    with analyst.connect() as connection:
        rows = connection.exec_driver_sql(QUERIES[BESIDES_GAS]).all()
    assert {row.customer_id for row in rows} == {11}
    assert "GAS" not in {(row.product_type or "").rstrip() for row in rows}


def test_whom_the_page_asks_about_in_a_month_is_a_customer_from_the_first_on(demo: Pipeline) -> None:
    asked = " ".join(query for query in QUERIES.values() if re.search(r"'\d{4}-\d{2}'", query))
    named = {int(number) for number in re.findall(r"customer_id = (\d+)", asked)}
    assert named
    balance = monthly_customer_balances.c
    begins = sa.select(balance.customer_id, sa.func.min(balance.year_month).label("first_month")).group_by(
        balance.customer_id
    )
    with demo.warehouse.connect() as connection:
        first = {row.customer_id: row.first_month for row in connection.execute(begins)}
    assert {first[customer_id] for customer_id in named} == {demo.horizon.first}


def written_at(connection: sa.Connection) -> dict[str, Any]:
    """When each table was written, as the page's query says."""
    connection.exec_driver_sql("SET LOCAL search_path TO analytics, ledger, billing, erp, ops")
    return {row.table_name: row.written_at for row in connection.exec_driver_sql(QUERIES[UP_TO_DATE])}


def test_what_is_written_for_one_customer_counts_as_written(demo: Pipeline) -> None:
    with demo.warehouse.connect() as connection:  # rolled back
        before = written_at(connection)
        connection.execute(sa.delete(deposits).where(deposits.c.customer_id == 11))
        balances.recalculate(connection, Scope(demo.horizon.months, (11,)), demo.horizon, "test")
        recalculated = written_at(connection)
        connection.execute(sa.insert(realtime_batches).values(BATCH | WAITED))
        taken_up = written_at(connection)
        now = connection.scalar(sa.select(sa.func.now()))
    moved = {name for name in before if recalculated[name] != before[name]}
    assert moved == {"ledger.monthly_customer_balances"}
    assert recalculated["ledger.monthly_customer_balances"] >= now
    moved = {name for name in before if taken_up[name] != recalculated[name]}
    assert moved == {f"billing.{name}" for name in ("customers", "prices", "deposits", "meter_readings")}
