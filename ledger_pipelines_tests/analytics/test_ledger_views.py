"""Views of the ledger equal its tables, and read only one customer's rows if filtered by customer."""

import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.queries import summaries
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, new_warehouse

VIEW = {view.name: view.table for view in VIEWS}
CENT, VOLUME_UNIT = Decimal("0.01"), Decimal("0.0001")


@pytest.fixture
def connection(demo: Pipeline) -> Iterator[sa.Connection]:
    """Yield a connection to the demo's warehouse."""
    with demo.warehouse.connect() as connection:
        yield connection


def rows(connection: sa.Connection, name: str, *order: str) -> list[dict[str, Any]]:
    """Return the rows of a view."""
    view = VIEW[name]
    statement = sa.select(view).order_by(*(view.c[column] for column in order))
    return [dict(row) for row in connection.execute(statement).mappings()]


def balances(demo: Pipeline) -> dict[int, list[sa.RowMapping]]:
    """Return each customer's balances by month."""
    found: dict[int, list[sa.RowMapping]] = {}
    for row in demo.rows(tables.monthly_customer_balances):
        found.setdefault(row["customer_id"], []).append(row)
    return found


def test_the_current_balance_is_the_last(demo: Pipeline, connection: sa.Connection) -> None:
    found = {row["customer_id"]: row for row in rows(connection, "current_balances", "customer_id")}
    last = {customer: months[-1] for customer, months in balances(demo).items()}
    assert found.keys() == last.keys()
    for customer, row in found.items():
        assert {name: row[name] for name in row.keys() & last[customer].keys()} == {
            name: last[customer][name] for name in row.keys() & last[customer].keys()
        }
        assert row["owes"] is (row["closing_balance"] < 0)


def test_the_summary_is_the_sum(demo: Pipeline, connection: sa.Connection) -> None:
    found = {row["year_month"]: row for row in rows(connection, "monthly_summary", "year_month")}
    expected = connection.execute(summaries.monthly_summary(Scope(demo.horizon.months))).all()
    assert [row.year_month for row in expected] == list(found)
    for row in expected:
        one = found[row.year_month]
        sums = (row.customers, row.owing, row.opening, row.deposits, row.purchases, row.closing, row.volume)
        assert sums == tuple(
            one[name] for name in ("customers", "customers_owing", "opening_balance", "total_deposits",
                                   "total_purchases", "closing_balance", "total_volume_sm3")
        )  # fmt: skip
    owed = [month[-1]["closing_balance"] for month in balances(demo).values() if month[-1]["closing_balance"] < 0]
    assert found[demo.horizon.current]["owed"] == -sum(owed)


def rounded(value: Decimal, to: Decimal) -> Decimal:
    """Round as PostgreSQL does."""
    return value.quantize(to, rounding=ROUND_HALF_UP)


def test_the_balance_trend(demo: Pipeline, connection: sa.Connection) -> None:
    expected = [
        {
            "change": now["total_deposits"] - now["total_purchases"],
            "change_from_year_before": now["closing_balance"] - months[at - 12]["closing_balance"]
            if at >= 12
            else None,
            "average_of_3_months": rounded(
                mean([row["closing_balance"] for row in months[max(at - 2, 0) : at + 1]]), CENT
            ),
            "fell": now["total_deposits"] < now["total_purchases"],
        }
        for _, months in sorted(balances(demo).items())
        for at, now in enumerate(months)
    ]
    found = rows(connection, "balance_trend", "customer_id", "year_month")
    assert [{name: row[name] for name in expected[0]} for row in found] == expected
    assert any(row["change_from_year_before"] for row in expected)


def test_the_consumption_trend(demo: Pipeline, connection: sa.Connection) -> None:
    expected = []
    for _, months in sorted(balances(demo).items()):
        volumes = [month["total_volume_sm3"] for month in months]
        for at, month in enumerate(months):
            before, year = volumes[at - 1] if at else None, volumes[at - 12] if at >= 12 else None
            expected.append(
                {
                    "change": None if before is None else volumes[at] - before,
                    "change_percent": per_cent(volumes[at], before),
                    "year_before": year,
                    "change_from_year_before_percent": per_cent(volumes[at], year),
                    "average_of_3_months": rounded(mean(volumes[max(at - 2, 0) : at + 1]), VOLUME_UNIT),
                    "average_price": rounded(month["total_purchases"] / volumes[at], CENT) if volumes[at] else None,
                }
            )
    found = rows(connection, "consumption_trend", "customer_id", "year_month")
    assert [{name: row[name] for name in expected[0]} for row in found] == expected


def mean(values: list[Decimal]) -> Decimal:
    """Return the arithmetic mean."""
    return sum(values, Decimal(0)) / len(values)


def per_cent(now: Decimal, before: Decimal | None) -> Decimal | None:
    """Return the growth in per cent."""
    return rounded(100 * (now - before) / before, CENT) if before else None


def test_all_balances_of_a_customer_in_one_object(demo: Pipeline, connection: sa.Connection) -> None:
    """The JSON text equals the balances to the last digit."""
    view = VIEW["customer_monthly_balances"].c
    texts = connection.execute(sa.select(view.customer_id, sa.cast(view.monthly_balances, sa.Text))).all()
    found = {customer: json.loads(text, parse_float=Decimal, parse_int=Decimal) for customer, text in texts}
    assert found == {
        customer: {month["year_month"]: month["closing_balance"] for month in months}
        for customer, months in balances(demo).items()
    }


def test_each_transaction_has_the_price_of_its_span(demo: Pipeline, connection: sa.Connection) -> None:
    """The price history contains the price of every transaction at its moment."""
    found = connection.execute(
        sa.text(
            "SELECT t.data_pencatatan_id, count(*), bool_and(p.price = t.harga_per_m3), "
            "bool_and(p.rule = t.pricing_used ->> 'rule'), bool_and(p.tekanan_keluar = t.tekanan_keluar), "
            "bool_and(t.pricing_used ->> 'factor' = 'fob' OR "
            "(p.factor = t.koreksi_meter AND p.factor_from = t.pricing_used ->> 'factor')) "
            "FROM ledger.transaction_calculations AS t LEFT JOIN analytics.price_history AS p "
            "ON p.customer_id = t.customer_id AND coalesce(p.valid_from, '-infinity') <= t.transaction_date "
            "AND coalesce(p.valid_to, 'infinity') > t.transaction_date GROUP BY 1"
        )
    ).all()
    assert len(found) == len(demo.rows(tables.transaction_calculations)) > 1_000
    assert [row for row in found if tuple(row)[1:] != (1, True, True, True, True)] == []
    rules = connection.scalars(sa.select(VIEW["price_history"].c.rule).distinct()).all()
    assert set(rules) == {"custom_period", "monthly", "default"}


def test_the_spans_of_a_customer_follow_each_other(demo: Pipeline, connection: sa.Connection) -> None:
    spans: dict[int, list[dict[str, Any]]] = {}
    for row in rows(connection, "price_history"):
        spans.setdefault(row["customer_id"], []).append(row)
    assert spans.keys() == {row["customer_id"] for row in demo.rows(tables.customers)}
    for own in spans.values():
        own.sort(key=lambda row: (row["valid_from"] is not None, row["valid_from"]))
        ends = [None, *(row["valid_to"] for row in own)]
        assert ends[-1] is None
        assert [row["valid_from"] for row in own] == ends[:-1]


_EACH_MONTH = (
    "FROM generate_series(1, 4000) AS n, generate_series(timestamptz '2024-01-01+07', '2025-12-01+07', '1 month') AS m"
)
_CUSTOMERS = """
INSERT INTO billing.customers (customer_id, role, use_realtime_calculation)
SELECT n, 'customer', true FROM generate_series(1, 4000) AS n
"""
_PRICES = f"""
INSERT INTO billing.prices (customer_id, position, rule, valid_from, valid_to, entry)
SELECT n, row_number() OVER (PARTITION BY n ORDER BY m) - 1, 'monthly', m, m + interval '1 month', '{{}}' {_EACH_MONTH}
"""
_BALANCES = f"""
INSERT INTO ledger.monthly_customer_balances
SELECT n, to_char(m, 'YYYY-MM'), 0, 0, 0, n, 0, '{{}}', m {_EACH_MONTH}
"""


@pytest.fixture(scope="module")
def large_warehouse(embedded_url: sa.URL) -> Iterator[sa.Connection]:
    """Yield a connection to an analyzed warehouse of 4,000 customers with 24 months and price entries each."""
    with new_warehouse(embedded_url) as engine:
        with engine.begin() as connection:
            for statement in (_CUSTOMERS, _PRICES, _BALANCES):
                connection.exec_driver_sql(statement)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
            yield connection


@pytest.mark.parametrize(
    "name",
    ["current_balances", "balance_trend", "consumption_trend", "customer_monthly_balances", "price_history"],
)
def test_one_customer_reads_only_its_rows(large_warehouse: sa.Connection, name: str) -> None:
    """The condition on the customer is pushed down to every table and uses an index."""
    plan = large_warehouse.exec_driver_sql(
        f"EXPLAIN (FORMAT JSON, ANALYZE) SELECT * FROM analytics.{name} WHERE customer_id = 77"
    )
    nodes = list(nodes_of(plan.scalar_one()[0]["Plan"]))
    assert [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"] == []
    read = max(node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0) for node in nodes)
    assert 0 < nodes[0]["Actual Rows"] <= 26
    assert read <= 26 * 24, "rows of other customers were read"


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan, from the top."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)
