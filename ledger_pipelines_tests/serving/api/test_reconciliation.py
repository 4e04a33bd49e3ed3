"""The comparison report and the invoice reconciliation: stored results in pages, from one snapshot."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import month_of
from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import qualified_name
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.api import ApiUnderTest
from ledger_pipelines_tests.support.tables import rows_of

COMPARISON = "/api/realtime-balance/comparison-report"
INVOICES = "/api/realtime-balance/invoice-reconciliation"
CURRENT = month_of(datetime.now(WIB), WIB)
_balances, _customers = tables.monthly_customer_balances, tables.customers
_compared, _accounts = tables.balance_comparison, tables.invoice_reconciliation


def clear(api: ApiUnderTest, table: sa.Table) -> None:
    """Delete a table's rows and its load marks."""
    marks = tables.loaded_months
    with api.warehouse.begin() as connection:
        connection.execute(sa.delete(table))
        connection.execute(sa.delete(marks).where(marks.c.table_name == qualified_name(table)))


@pytest.fixture
def compared(api: ApiUnderTest) -> Iterator[ApiUnderTest]:
    """API whose balances have been compared."""
    with api.warehouse.begin() as connection:
        compare_balances(connection, "test")
    yield api
    clear(api, _compared)


def test_report_before_the_first_comparison(api: ApiUnderTest) -> None:
    found = api.get(COMPARISON, decimals="string")
    assert (found["data"], found["pagination"]["total"]) == ([], 0)
    assert (found["summary"]["compared_at"], found["summary"]["total_customers"]) == (None, 0)


def test_comparison_report(compared: ApiUnderTest) -> None:
    customers = rows_of(compared.warehouse, _customers, "customer_id")
    latest = {row["customer_id"]: row for row in rows_of(compared.warehouse, _balances, "year_month")}
    found = compared.get(COMPARISON, decimals="string", per_page=100)
    assert found.keys() == {"success", "summary", "data", "pagination"}
    assert [row["customer_id"] for row in found["data"]] == [row["customer_id"] for row in customers]
    for row, customer in zip(found["data"], customers, strict=True):
        stored = latest[row["customer_id"]]["closing_balance"]
        application = customer["total_deposit"] - customer["total_purchases"]
        assert (row["customer_name"], row["year_month"]) == (customer["name"], CURRENT)
        assert (Decimal(row["stored_balance"]), Decimal(row["application_balance"])) == (stored, application)
        assert Decimal(row["difference"]) == stored - application
        assert row["matches"] == (abs(stored - application) < Decimal("0.01"))
    assert found["pagination"]["total"] == len(customers)


def test_the_report_gives_the_stored_reasons(compared: ApiUnderTest) -> None:
    found = {row["customer_id"]: row for row in compared.get(COMPARISON, decimals="string", per_page=100)["data"]}
    for stored in rows_of(compared.warehouse, _compared):
        reported = {reason["name"]: reason for reason in found[stored["customer_id"]]["reasons"]}
        amounts = {name: stored[name] for name in tables.DIFFERENCE_REASONS if stored[name]}
        assert {name: Decimal(reason["amount"]) for name, reason in reported.items()} == amounts
        assert {name: reason["rows"] for name, reason in reported.items() if reason["rows"]} == stored["reason_rows"]
        assert datetime.fromisoformat(found[stored["customer_id"]]["compared_at"]) == stored["compared_at"]
    assert any(row["reasons"] for row in found.values())


def test_the_summary_covers_all_customers(compared: ApiUnderTest) -> None:
    stored = rows_of(compared.warehouse, _compared)
    summary = compared.get(COMPARISON, decimals="string", per_page=1)["summary"]
    assert summary["total_customers"] == len(stored)
    assert summary["matching"] == sum(row["matches"] for row in stored)
    assert summary["mismatching"] == len(stored) - summary["matching"]
    assert Decimal(summary["difference"]) == sum(row["difference"] for row in stored)
    assert Decimal(summary["largest_difference"]) == max(abs(row["difference"]) for row in stored)
    reasons = {reason["name"]: (Decimal(reason["amount"]), reason["customers"]) for reason in summary["reasons"]}
    assert reasons == {
        name: (sum(row[name] for row in stored), sum(row[name] != 0 for row in stored))
        for name in tables.DIFFERENCE_REASONS
    }
    marks = rows_of(compared.warehouse, tables.loaded_months)
    (mark,) = (row for row in marks if row["table_name"] == qualified_name(_compared))
    assert datetime.fromisoformat(summary["compared_at"]) == mark["loaded_at"]


def test_pages_of_the_comparison_report(compared: ApiUnderTest) -> None:
    every = compared.get(COMPARISON, decimals="string", per_page=100)["data"]
    mismatches = [row for row in every if not row["matches"]]
    found = compared.get(COMPARISON, only="mismatches", per_page=100, decimals="string")
    assert (found["data"], found["pagination"]["total"]) == (mismatches, len(mismatches))
    page = compared.get(COMPARISON, per_page=2, page=2, decimals="string")
    assert page["data"] == every[2:4]
    assert (page["pagination"]["from"], page["pagination"]["to"], page["pagination"]["last_page"]) == (3, 4, 3)


def test_the_total_matches_the_rows_after_a_new_comparison(compared: ApiUnderTest) -> None:
    """The cached summary of the previous comparison is not used."""
    for _ in range(3):
        compared.get(COMPARISON)
    balance = next(row for row in rows_of(compared.warehouse, _balances) if row["year_month"] == CURRENT)
    of_customer = _customers.c.customer_id == balance["customer_id"]
    customers = rows_of(compared.warehouse, _customers)
    customer = next(row for row in customers if row["customer_id"] == balance["customer_id"])
    try:
        for application in (balance["closing_balance"], balance["closing_balance"] - 1):
            with compared.warehouse.begin() as connection:
                totals = {"total_deposit": application, "total_purchases": None}
                connection.execute(sa.update(_customers).where(of_customer).values(totals))
                compare_balances(connection, "test")
            found = compared.get(COMPARISON, only="mismatches", per_page=100)
            assert found["pagination"]["total"] == found["summary"]["mismatching"] == len(found["data"])
            shown = balance["customer_id"] in {row["customer_id"] for row in found["data"]}
            assert shown == (application != balance["closing_balance"])
    finally:
        with compared.warehouse.begin() as connection:
            before = {name: customer[name] for name in ("total_deposit", "total_purchases")}
            connection.execute(sa.update(_customers).where(of_customer).values(before))


def account(number: int, status: str, purchases: str, invoiced: str, **more: Any) -> dict[str, Any]:
    """Return a row of the current month's reconciliation."""
    amounts = {"purchases": Decimal(purchases), "invoiced": Decimal(invoiced)}
    row = {
        "year_month": CURRENT, "account": f"customer:{number}", "customer_id": number, "customers": [number],
        "bp_codes": [f"K{number}"], "partner_name": f"PT {number}", "invoice_lines": 1, "status": status,
        "compared_at": datetime.now(WIB),
    }  # fmt: skip
    return row | amounts | {"difference": amounts["purchases"] - amounts["invoiced"]} | more


ACCOUNTS = (
    account(1, "matched", "100.00", "100"),
    account(2, "differs", "100.00", "70.5"),
    account(3, "not_invoiced", "50.00", "0", invoice_lines=0),
    account(4, "customer_without_partner", "20.00", "0", bp_codes=[], partner_name=None, invoice_lines=0),
    account(5, "partner_without_customer", "0.00", "10.125", account="partner:K5", customer_id=None, customers=[]),
)


@pytest.fixture
def reconciled(api: ApiUnderTest) -> Iterator[ApiUnderTest]:
    """API with a reconciled month that has an account of each status."""
    with api.warehouse.begin() as connection:
        connection.execute(sa.insert(_accounts), ACCOUNTS)
        mark_loaded(connection, _accounts, [CURRENT], "test")
    yield api
    clear(api, _accounts)


@pytest.mark.parametrize(
    ("only", "expected"),
    [("", [3, 2, 4, 5, 1]), ("all", [3, 2, 4, 5, 1]), ("mismatches", [3, 2, 4, 5]), ("unmatched", [4, 5])],
)
def test_the_accounts_of_a_month(reconciled: ApiUnderTest, only: str, expected: list[int]) -> None:
    found = reconciled.get(INVOICES, only=only, decimals="string")
    assert found.keys() == {"success", "year_month", "summary", "data", "pagination"}
    assert found["year_month"] == CURRENT
    assert [row["account"] for row in found["data"]] == [ACCOUNTS[number - 1]["account"] for number in expected]
    assert found["pagination"]["total"] == len(expected)
    for row in found["data"]:
        (stored,) = (account for account in ACCOUNTS if account["account"] == row["account"])
        for name in ("purchases", "invoiced", "difference"):
            assert Decimal(row[name]) == stored[name]
        for name in ("customer_id", "customers", "bp_codes", "partner_name", "invoice_lines", "status"):
            assert row[name] == stored[name]


def test_the_summary_of_a_month(reconciled: ApiUnderTest) -> None:
    summary = reconciled.get(INVOICES, decimals="string", only="unmatched", per_page=1)["summary"]
    assert (summary["accounts"], summary["mismatches"]) == (5, 4)
    assert [total["status"] for total in summary["totals"]] == list(tables.INVOICE_STATUSES)
    assert [Decimal(total["difference"]) for total in summary["totals"]] == [row["difference"] for row in ACCOUNTS]
    assert summary["compared_at"] is not None


def test_pages_of_the_accounts(reconciled: ApiUnderTest) -> None:
    found = reconciled.get(INVOICES, year_month=CURRENT, per_page=2, page=3)
    assert [row["account"] for row in found["data"]] == ["customer:1"]
    expected = {"current_page": 3, "last_page": 3, "per_page": 2, "total": 5, "from": 5, "to": 5}
    assert found["pagination"] == expected


def test_a_month_without_reconciliation(reconciled: ApiUnderTest) -> None:
    found = reconciled.get(INVOICES, year_month="1999-01")
    assert (found["year_month"], found["data"], found["pagination"]["total"]) == ("1999-01", [], 0)
    assert (found["summary"]["compared_at"], found["summary"]["accounts"]) == (None, 0)
