"""/api/realtime-balance/dashboard: sums over all customers, compared with sums that the tests compute."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

import sqlalchemy as sa

from ledger_pipelines.horizon import month_of
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.api import ApiUnderTest
from ledger_pipelines_tests.support.tables import rows_of

DASHBOARD = "/api/realtime-balance/dashboard"
CURRENT = month_of(datetime.now(WIB), WIB)
_balances = tables.monthly_customer_balances


def test_a_year(api: ApiUnderTest) -> None:
    year = CURRENT[:4]
    rows = [row for row in rows_of(api.warehouse, _balances, "year_month") if row["year_month"].startswith(year)]
    last = {row["customer_id"]: row for row in rows}
    found = api.get(DASHBOARD, year=year, decimals="string")
    assert found.keys() == {"year", "summary", "monthly_trend", "top_customers", "generated_at"}
    assert found["year"] == int(year)
    assert found["summary"] == {
        "total_customers": len(last),
        "total_deposits": str(sum(row["total_deposits"] for row in rows)),
        "total_purchases": str(sum(row["total_purchases"] for row in rows)),
        "total_closing_balance": str(sum(row["closing_balance"] for row in last.values())),
        "total_volume": str(sum(row["total_volume_sm3"] for row in rows)),
    }
    assert [row["year_month"] for row in found["monthly_trend"]] == sorted({row["year_month"] for row in rows})
    of_month = [row for row in rows if row["year_month"] == CURRENT]
    assert found["monthly_trend"][-1] == {
        "year_month": CURRENT,
        "monthly_deposits": str(sum(row["total_deposits"] for row in of_month)),
        "monthly_purchases": str(sum(row["total_purchases"] for row in of_month)),
        "monthly_balance": str(sum(row["closing_balance"] for row in of_month)),
        "monthly_volume": str(sum(row["total_volume_sm3"] for row in of_month)),
    }


def test_the_top_customers_of_a_year(api: ApiUnderTest) -> None:
    rows = [row for row in rows_of(api.warehouse, _balances) if row["year_month"].startswith(CURRENT[:4])]
    top = api.get(DASHBOARD, decimals="string")["top_customers"]
    volumes = [Decimal(row["total_volume"]) for row in top]
    assert volumes == sorted(volumes, reverse=True)
    for found in top:
        assert found.keys() == {"id", "name", "total_volume", "total_purchases", "avg_balance"}
        own = [row for row in rows if row["customer_id"] == found["id"]]
        mean = sum(row["closing_balance"] for row in own) / len(own)
        assert Decimal(found["avg_balance"]) == mean.quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert Decimal(found["total_volume"]) == sum(row["total_volume_sm3"] for row in own)
        assert Decimal(found["total_purchases"]) == sum(row["total_purchases"] for row in own)


def test_the_closing_balance_uses_each_customers_last_month(api: ApiUnderTest) -> None:
    """A customer whose balances end in March counts with the balance of March."""
    year = str(int(CURRENT[:4]) - 30)
    template = dict(rows_of(api.warehouse, _balances)[0]) | {"customer_id": 997}
    closed = {"01": Decimal("1.00"), "03": Decimal("7.00"), "02": Decimal("3.00")}
    rows = [
        template | {"year_month": f"{year}-{month}", "closing_balance": balance} for month, balance in closed.items()
    ]
    with api.warehouse.begin() as connection:
        connection.execute(sa.insert(_balances), rows)
    try:
        found = api.get(DASHBOARD, year=year, decimals="string")
        assert found["summary"]["total_closing_balance"] == "7.00"
        assert found["summary"]["total_customers"] == 1
        assert [row["monthly_balance"] for row in found["monthly_trend"]] == ["1.00", "3.00", "7.00"]
        assert found["top_customers"][0]["avg_balance"] == "3.67"
    finally:
        with api.warehouse.begin() as connection:
            connection.execute(sa.delete(_balances).where(_balances.c.customer_id == 997))


def test_a_year_without_balances(api: ApiUnderTest) -> None:
    found = api.get(DASHBOARD, year=1980, decimals="string")
    assert found["summary"] == {
        "total_customers": 0, "total_deposits": "0.00", "total_purchases": "0.00", "total_closing_balance": "0.00",
        "total_volume": "0.0000",
    }  # fmt: skip
    assert (found["monthly_trend"], found["top_customers"]) == ([], [])
