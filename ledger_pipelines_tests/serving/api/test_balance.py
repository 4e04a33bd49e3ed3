"""/api/realtime-balance: the contract of each address, and its figures to the last digit."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import month_of
from ledger_pipelines.warehouse.tables import monthly_customer_balances
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.serving.api.apis import Api, bearer

ROOT = "/api/realtime-balance"
CURRENT = month_of(datetime.now(WIB), WIB)
FIGURES = ("opening_balance", "total_deposits", "total_purchases", "closing_balance", "total_volume_sm3")


def ask(api: Api, path: str, status: int = 200, **parameters: object) -> Any:
    """What a viewer is answered."""
    answer = api.client.get(f"{ROOT}{path}", headers=bearer(api.callers.viewer), params=parameters)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return orjson.loads(answer.content)


def a_balance(api: Api) -> sa.RowMapping:
    """A balance of the current month."""
    column = monthly_customer_balances.c
    statement = sa.select(monthly_customer_balances).where(column.year_month == CURRENT).order_by(column.customer_id)
    with api.warehouse.connect() as connection:
        found = connection.execute(statement).mappings().first()
    assert found is not None
    return found


def test_status(api: Api) -> None:
    found = ask(api, "/status")
    assert found.keys() == {"status", "statistics", "recent_updates", "checked_at"}
    assert found["status"] == "operational"
    assert found["statistics"].keys() == {
        "total_monthly_balances", "total_transaction_calculations", "active_customers", "avg_query_time_ms",
    }  # fmt: skip
    assert found["statistics"]["active_customers"] == 6
    assert found["statistics"]["total_monthly_balances"] == 18
    assert len(found["recent_updates"]) == 10
    assert found["recent_updates"][0].keys() == {"customer_name", "year_month", "last_calculated_at", "closing_balance"}
    assert found["checked_at"].endswith("+07:00")


def test_balance(api: Api) -> None:
    expected = a_balance(api)
    customer = expected["customer_id"]
    for parameters in ({"year_month": CURRENT}, {}):  # the current month is the usual one
        found = ask(api, f"/customer/{customer}/balance", **parameters, decimals="string")
        assert found.keys() == {"customer_id", "customer_name", "year_month", "balance"}
        assert (found["customer_id"], found["year_month"]) == (customer, CURRENT)
        assert found["balance"].keys() == {*FIGURES, "last_calculated_at"}
        for figure in FIGURES:
            assert found["balance"][figure] == str(expected[figure])
        assert datetime.fromisoformat(found["balance"]["last_calculated_at"]) == expected["last_calculated_at"]


def test_figures_are_numbers_of_exactly_their_digits(api: Api) -> None:
    expected = a_balance(api)
    path = f"{ROOT}/customer/{expected['customer_id']}/balance"
    answer = api.client.get(path, headers=bearer(api.callers.viewer))
    for figure in FIGURES:
        value: Decimal = expected[figure]
        assert f'"{figure}":{value:f}' in answer.text


@pytest.mark.parametrize("path", ["/customer/999/balance"])
def test_an_unknown_customer(api: Api, path: str) -> None:
    found = ask(api, path, status=404)
    assert found["success"] is False
    assert found["message"].startswith("There is no customer 999.")


def test_a_month_without_a_balance(api: Api) -> None:
    customer = a_balance(api)["customer_id"]
    message = ask(api, f"/customer/{customer}/balance", status=404, year_month="1999-01")["message"]
    assert f"Customer {customer} " in message
    assert "has no balance of 1999-01, but of the months from " in message
    assert message.endswith(f" to {CURRENT}.")
