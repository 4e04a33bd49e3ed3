"""/api/realtime-balance: the contract of each path, and its figures to the last digit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from starlette.testclient import TestClient

from ledger_pipelines.horizon import month_of
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.serving.app import create_app
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.tables import monthly_customer_balances
from ledger_pipelines_tests.support.billing_pipeline import WIB, without_loaded_months
from ledger_pipelines_tests.support.builders import reason_values
from ledger_pipelines_tests.support.open_incidents import REFUSED, temporary_incidents
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer, guarded_api_paths
from ledger_pipelines_tests.support.serving.fake_dagster import serve_fake_dagster
from ledger_pipelines_tests.support.tables import execute

ROOT = "/api/realtime-balance"
CURRENT = month_of(datetime.now(WIB), WIB)
FIGURES = ("opening_balance", "total_deposits", "total_purchases", "closing_balance", "total_volume_sm3")


def a_balance(api: ApiUnderTest) -> sa.RowMapping:
    """Return a balance of the current month."""
    column = monthly_customer_balances.c
    statement = sa.select(monthly_customer_balances).where(column.year_month == CURRENT).order_by(column.customer_id)
    with api.warehouse.connect() as connection:
        found = connection.execute(statement).mappings().first()
    assert found is not None
    return found


def test_status(api: ApiUnderTest) -> None:
    found = api.get(f"{ROOT}/status")
    assert found.keys() == {"status", "incidents", "statistics", "recent_updates", "checked_at"}
    assert (found["status"], found["incidents"]) == ("operational", [])
    assert found["statistics"].keys() == {
        "total_monthly_balances", "total_transaction_calculations", "active_customers", "avg_query_time_ms",
    }  # fmt: skip
    assert found["statistics"]["active_customers"] == 6
    assert found["statistics"]["total_monthly_balances"] == 18
    assert len(found["recent_updates"]) == 10
    assert found["recent_updates"][0].keys() == {"customer_name", "year_month", "last_calculated_at", "closing_balance"}
    assert found["checked_at"].endswith("+07:00")


def test_status_while_an_incident_is_open(api: ApiUnderTest) -> None:
    assert api.get(f"{ROOT}/status")["status"] == "operational"
    with temporary_incidents(api.warehouse, REFUSED) as (incident,):
        found = api.get(f"{ROOT}/status")
    assert found["status"] == "blocked"
    assert found["incidents"] == [
        {
            "id": incident.id,
            "kind": "deletion_refused",
            "subject": "customer 11",
            "customers": [11],
            "opened_at": incident.opened_at.isoformat(),
            "last_seen_at": incident.last_seen_at.isoformat(),
            "occurrences": 1,
            "owner": "team:billing",
            "reason": REFUSED.reason,
            "what_to_do": REFUSED.what_to_do,
        }
    ]
    after = api.get(f"{ROOT}/status")
    assert (after["status"], after["incidents"]) == ("operational", []), "counts are cached, incidents are not"


def test_balance(api: ApiUnderTest) -> None:
    expected = a_balance(api)
    customer = expected["customer_id"]
    for query in (f"year_month={CURRENT}", ""):  # the current month is the default
        found = api.get(f"{ROOT}/customer/{customer}/balance?decimals=string&{query}")
        assert found.keys() == {"customer_id", "customer_name", "year_month", "balance"}
        assert (found["customer_id"], found["year_month"]) == (customer, CURRENT)
        assert found["balance"].keys() == {*FIGURES, "last_calculated_at"}
        for figure in FIGURES:
            assert found["balance"][figure] == str(expected[figure])
        assert datetime.fromisoformat(found["balance"]["last_calculated_at"]) == expected["last_calculated_at"]


def test_figures_are_numbers_with_all_digits(api: ApiUnderTest) -> None:
    expected = a_balance(api)
    response = api.client.get(f"{ROOT}/customer/{expected['customer_id']}/balance", headers=bearer(api.callers.viewer))
    for figure in FIGURES:
        assert f'"{figure}":{expected[figure]:f}' in response.text


@pytest.mark.parametrize("path", [path for path in guarded_api_paths("GET", customer_id=999) if "/999/" in path])
def test_an_unknown_customer(api: ApiUnderTest, path: str) -> None:
    found = api.get(path, expect=404)
    assert found["success"] is False
    assert found["message"].startswith("There is no customer 999 in the warehouse.")


def test_a_customer_whose_row_is_rejected(api: ApiUnderTest) -> None:
    named = {"asset": "customers", "source_table": "users", "source_id": "998", "customer_id": 998, "raw_row": "{}"}
    seen = {"run_id": "test", "first_seen": sa.func.now(), "last_seen": sa.func.now()}
    row = named | seen | reason_values(RejectionReason.of(ReasonCode.NOT_A_NUMBER, column="suhu", value="NaN"))
    execute(api.warehouse, sa.insert(tables.rejected_rows).values(row))
    try:
        message = api.get(f"{ROOT}/customer/998/balance", expect=404)["message"]
    finally:
        execute(api.warehouse, sa.delete(tables.rejected_rows).where(tables.rejected_rows.c.source_id == "998"))
    assert message.startswith(
        "Customer 998 has no balance: the customer's row in the billing application's table users"
    )
    assert "(suhu is not a number: NaN)" in message


def test_a_month_without_a_balance(api: ApiUnderTest) -> None:
    customer = a_balance(api)["customer_id"]
    message = api.get(f"{ROOT}/customer/{customer}/balance", expect=404, year_month="1999-01")["message"]
    assert f"Customer {customer} " in message
    assert "has no balance for 1999-01. Balances exist for " in message
    assert message.endswith(f" to {CURRENT}.")


@pytest.fixture
def newcomer(api: ApiUnderTest) -> Iterator[str]:
    """Path of a customer with neither readings nor deposits."""
    row = {"customer_id": 998, "role": "customer", "name": "PT Baru", "use_realtime_calculation": True}
    execute(api.warehouse, sa.insert(tables.customers).values(row))
    yield f"{ROOT}/customer/998"
    execute(api.warehouse, sa.delete(tables.customers).where(tables.customers.c.customer_id == 998))


def test_a_customer_without_any_balance(api: ApiUnderTest, newcomer: str) -> None:
    message = api.get(f"{newcomer}/balance", expect=404)["message"]
    assert message == "Customer 998 (PT Baru) has no balance yet: the customer has neither readings nor deposits."
    found = api.get(f"{newcomer}/transactions", decimals="string")
    assert found["transactions"] == []
    assert found["summary"] == {"total_transactions": 0, "total_volume": "0.0000", "total_amount": "0.00"}


@pytest.mark.parametrize("billing", [None, SecretStr("mysql+pymysql://reader@127.0.0.1:1/billing")])
def test_messages_before_the_first_computation(api: ApiUnderTest, newcomer: str, billing: SecretStr | None) -> None:
    settings = api.settings.model_copy(update={"billing_url": billing})
    with TestClient(create_app(settings)) as client, without_loaded_months(api.warehouse):
        installed = replace(api, client=client, settings=settings)
        message = installed.get(f"{newcomer}/balance", expect=404)["message"]
        unknown = installed.get(f"{ROOT}/customer/999/balance", expect=404)["message"]
    assert message.startswith("Customer 998 (PT Baru) has no balance yet. The ledger has never been computed")
    assert unknown.startswith("There are no customers yet. The ledger has never been computed")
    for text in (message, unknown):
        assert "ledger balance initialize --all" in text
        assert ("`ledger up` computes the demo's" in text) == (billing is None)
        assert ("ledger billing test-connection" in text) == (billing is not None)


def test_transactions(api: ApiUnderTest) -> None:
    column = tables.transaction_calculations.c
    with api.warehouse.connect() as connection:
        rows = connection.execute(sa.select(tables.transaction_calculations)).mappings().all()
        customer, month = rows[0]["customer_id"], rows[0]["year_month"]
        name = connection.scalar(sa.select(tables.customers.c.name).where(tables.customers.c.customer_id == customer))
    stored = {
        row["data_pencatatan_id"]: row for row in rows if (row["customer_id"], row["year_month"]) == (customer, month)
    }
    found = api.get(f"{ROOT}/customer/{customer}/transactions", year_month=month, decimals="string")
    assert found.keys() == {"customer_id", "customer_name", "year_month", "transactions", "summary"}
    assert (found["customer_id"], found["customer_name"], found["year_month"]) == (customer, name, month)
    in_order = sorted(stored, key=lambda number: (stored[number]["transaction_date"], number))
    assert [row["data_pencatatan_id"] for row in found["transactions"]] == in_order
    for row in found["transactions"]:
        assert row.keys() == {item.name for item in column} - {"customer_id", "year_month"}
        expected = stored[row["data_pencatatan_id"]]
        for figure in ("volume_flow_meter", "koreksi_meter", "volume_sm3", "harga_per_m3", "total_harga"):
            assert row[figure] == f"{expected[figure]:f}"
        assert row["pricing_used"]["rule"] == expected["pricing_used"]["rule"]
    assert found["summary"] == {
        "total_transactions": len(stored),
        "total_volume": str(sum(row["volume_sm3"] for row in stored.values())),
        "total_amount": str(sum(row["total_harga"] for row in stored.values())),
    }


def test_update(api: ApiUnderTest) -> None:
    customer = a_balance(api)["customer_id"]
    path = f"{ROOT}/customer/{customer}/update"
    with serve_fake_dagster(api.settings.ui_port) as dagster:
        whole = api.post(path)
        by_query = api.post(f"{path}?start_month={CURRENT}")
        by_body = api.post(path, start_month=CURRENT)
    assert whole.keys() == {"success", "message", "customer_id", "start_month", "run_id"}
    assert (whole["customer_id"], whole["start_month"]) == (customer, api.context.horizon.first)
    assert by_query == by_body
    first, second, third = dagster.launched
    assert second == third
    for launched, month in ((first, api.context.horizon.first), (second, CURRENT)):
        tags = {tag["key"]: tag["value"] for tag in launched["executionMetadata"]["tags"]}
        assert tags["dagster/asset_partition_range_start"] == month
        assert tags["dagster/asset_partition_range_end"] == CURRENT
        scope = launched["runConfigData"]["resources"]["scope"]["config"]
        assert scope == {"customer_ids": [customer], "force": False, "accept_deletions": False}


def test_update_of_an_unknown_customer(api: ApiUnderTest) -> None:
    with serve_fake_dagster(api.settings.ui_port) as dagster:
        assert "There is no customer 999" in api.post(f"{ROOT}/customer/999/update", expect=404)["message"]
    assert dagster.launched == []


@pytest.mark.parametrize("month", ["1999-01", "2999-01", "2025-13"])
def test_update_from_an_invalid_month(api: ApiUnderTest, month: str) -> None:
    path = f"{ROOT}/customer/{a_balance(api)['customer_id']}/update"
    assert list(api.post(f"{path}?start_month={month}", expect=422)["errors"]) == ["start_month"]
    assert list(api.post(path, expect=422, start_month=month)["errors"]) == ["start_month"]


def test_update_from_two_months(api: ApiUnderTest) -> None:
    path = f"{ROOT}/customer/{a_balance(api)['customer_id']}/update?start_month={CURRENT}"
    assert list(api.post(path, expect=422, start_month="2025-01")["errors"]) == ["start_month"]
