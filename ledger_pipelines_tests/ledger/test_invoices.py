"""Purchases compared with invoices: month, account and status, with every amount counted once."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.reconciliation.invoices import reconcile_invoices
from ledger_pipelines.ledger.reconciliation.partners import set_partner
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops.loaded_months import InputNotLoadedError, mark_loaded
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines.warehouse.queries.reconciliation import invoices
from ledger_pipelines.warehouse.queries.reconciliation.invoices import ReconciledAccount
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline

ANNA, BUDI, CITRA, DEWI = 11, 12, 13, 14
MONTHS = ("2025-01", "2025-02", "2025-03")
LINES = tables.erp_tables["so_invoice_line"]


@pytest.fixture
def warehouse(shared_pipeline: Pipeline) -> Pipeline:
    """Return the shared warehouse with three months and no customers, purchases or invoices."""
    shared_pipeline.reset(MONTHS[0], MONTHS[-1])
    shared_pipeline.horizon = Horizon(MONTHS[0], MONTHS[-1], WIB)
    with shared_pipeline.warehouse.begin() as connection:
        for month in MONTHS:
            ensure_partition(connection, LINES, month)
        for table in (tables.monthly_customer_balances, LINES):
            mark_loaded(connection, table, MONTHS, "test")
    return shared_pipeline


def insert_customers(
    pipeline: Pipeline, contracts: dict[int, str | None], purchases: Sequence[tuple[int, str, str]] = ()
) -> None:
    """Insert customers with their contract numbers, and purchases: customer, month, rupiah."""
    customers = [
        {"customer_id": number, "name": f"PT {number}", "role": "fob", "no_kontrak": contract,
         "use_realtime_calculation": True}
        for number, contract in contracts.items()
    ]  # fmt: skip
    zeros = dict.fromkeys(("opening_balance", "total_deposits", "closing_balance", "total_volume_sm3"), 0)
    balances = [
        zeros | {"customer_id": number, "year_month": month, "total_purchases": Decimal(amount),
                   "calculation_details": {}, "last_calculated_at": sa.func.now()}
        for number, month, amount in purchases
    ]  # fmt: skip
    with pipeline.warehouse.begin() as connection:
        connection.execute(sa.insert(tables.customers), customers)
        for balance in balances:
            connection.execute(sa.insert(tables.monthly_customer_balances).values(balance))


def insert_invoice_line(
    pipeline: Pipeline,
    bp_code: str | None,
    amount: str | None,
    delivered: str | None = "2025-02-28",
    dated: str | None = "2025-02-28",
) -> None:
    """Insert a line of so_invoice_line, in the month of its copy."""
    month = (delivered or dated or "2025-02")[:7]
    row: dict[str, Any] = {"year_month": month, "bp_code": bp_code, "bp_name": f"PT {bp_code}", "sales_order": "SO1"}
    row |= {"amount_hc": None if amount is None else Decimal(amount)}
    row |= {"delivery_date": delivered and date.fromisoformat(delivered)}
    row |= {"invoice_date": dated and date.fromisoformat(dated)}
    with pipeline.warehouse.begin() as connection:
        connection.execute(sa.insert(LINES).values(row))


def run_reconciliation(pipeline: Pipeline, *months: str) -> TableReport:
    """Reconcile the given months, or all months."""
    with pipeline.warehouse.begin() as connection:
        return reconcile_invoices(connection, months or MONTHS, "test")


def accounts(pipeline: Pipeline, month: str = "2025-02", **options: Any) -> list[ReconciledAccount]:
    """Return the result of the query function."""
    with pipeline.warehouse.connect() as connection:
        return invoices.invoice_reconciliation(connection, month, **options)


def statuses(pipeline: Pipeline, month: str = "2025-02") -> dict[str, tuple[str, str, str]]:
    """Return status, purchases and invoices of each account of a month."""
    return {one.account: (one.status, str(one.purchases), str(one.invoiced)) for one in accounts(pipeline, month)}


def map_partner(pipeline: Pipeline, customer_id: int, bp_code: str) -> None:
    """Set a partner by hand."""
    with pipeline.warehouse.begin() as connection:
        set_partner(connection, customer_id, bp_code)


def test_each_status(warehouse: Pipeline) -> None:
    contracts = {ANNA: "K1", BUDI: " K2 ", CITRA: "K3", DEWI: None}
    insert_customers(warehouse, contracts, [(number, "2025-02", "100.00") for number in contracts])
    insert_invoice_line(warehouse, "K1", "99.0001")
    insert_invoice_line(warehouse, "K2", "99")
    insert_invoice_line(warehouse, "K3", "100", "2025-01-31")
    insert_invoice_line(warehouse, "K4", "7")
    run_reconciliation(warehouse)
    assert statuses(warehouse) == {
        "customer:11": ("matched", "100.00", "99.0001"),
        "customer:12": ("differs", "100.00", "99"),
        "customer:13": ("not_invoiced", "100.00", "0"),
        "customer:14": ("customer_without_partner", "100.00", "0"),
        "partner:K4": ("partner_without_customer", "0.00", "7"),
    }
    assert statuses(warehouse, "2025-01") == {"customer:13": ("differs", "0.00", "100")}
    found = {one.account: one for one in accounts(warehouse)}
    budi, dewi, alone = found["customer:12"], found["customer:14"], found["partner:K4"]
    assert (budi.customer_id, budi.customer_name, budi.partner_name) == (BUDI, "PT 12", "PT K2")
    assert (budi.customers, budi.bp_codes) == ((BUDI,), ("K2",))
    assert (str(budi.difference), budi.invoice_lines) == ("1.00", 1)
    assert (dewi.customers, dewi.bp_codes, dewi.partner_name) == ((DEWI,), (), None)
    assert (alone.customer_id, alone.customers, alone.bp_codes, alone.partner_name) == (None, (), ("K4",), "PT K4")


def test_trailing_blanks_of_codes_are_ignored(warehouse: Pipeline) -> None:
    insert_customers(warehouse, {ANNA: "K1"}, [(ANNA, "2025-02", "100")])
    insert_invoice_line(warehouse, "K1  ", "60")
    insert_invoice_line(warehouse, "K1", "40")
    insert_invoice_line(warehouse, "  ", "7")
    insert_invoice_line(warehouse, None, "1")
    run_reconciliation(warehouse)
    assert statuses(warehouse) == {
        "customer:11": ("matched", "100.00", "100"),
        "partner:": ("partner_without_customer", "0.00", "8"),
    }


def test_month_is_the_month_of_delivery(warehouse: Pipeline) -> None:
    """Gas is invoiced after the end of the month; a line without a delivery date counts by its invoice date."""
    insert_customers(warehouse, {ANNA: "K1"}, [(ANNA, "2025-02", "100")])
    insert_invoice_line(warehouse, "K1", "60", "2025-02-28", "2025-03-03")
    insert_invoice_line(warehouse, "K1", "40", None, "2025-02-15")
    insert_invoice_line(warehouse, "K1", "500", "2025-02-28", None)
    run_reconciliation(warehouse)
    assert statuses(warehouse) == {"customer:11": ("matched", "100.00", "100")}
    assert statuses(warehouse, "2025-03") == {}


def test_equal_lines_and_credit_notes_count(warehouse: Pipeline) -> None:
    insert_customers(warehouse, {ANNA: "K1"}, [(ANNA, "2025-02", "150")])
    for amount in ("100", "100", "-50", None):
        insert_invoice_line(warehouse, "K1", amount)
    run_reconciliation(warehouse)
    (anna,) = accounts(warehouse)
    assert (anna.status, str(anna.invoiced), anna.invoice_lines) == ("matched", "150", 4)


def test_customers_with_one_contract_share_a_partner(warehouse: Pipeline) -> None:
    insert_customers(warehouse, {ANNA: "K1", BUDI: "K1"}, [(ANNA, "2025-02", "60"), (BUDI, "2025-02", "40")])
    insert_invoice_line(warehouse, "K1", "100")
    run_reconciliation(warehouse)
    (account,) = accounts(warehouse)
    assert (account.account, account.customers, account.bp_codes) == ("customer:11", (ANNA, BUDI), ("K1",))
    assert (account.status, str(account.purchases), str(account.invoiced)) == ("matched", "100.00", "100")


def test_a_customer_with_several_partners(warehouse: Pipeline) -> None:
    insert_customers(warehouse, {ANNA: "K1"}, [(ANNA, "2025-02", "100")])
    for code, amount in (("K1", "50"), ("K2", "70"), ("K3", "30")):
        insert_invoice_line(warehouse, code, amount)
    map_partner(warehouse, ANNA, "K2")
    map_partner(warehouse, ANNA, "K3")
    run_reconciliation(warehouse)
    assert statuses(warehouse) == {
        "customer:11": ("matched", "100.00", "100"),
        "partner:K1": ("partner_without_customer", "0.00", "50"),
    }


@pytest.mark.parametrize("pairs", [[], [(ANNA, "K1")], [(ANNA, "K1"), (ANNA, "K2")], [(ANNA, "K1"), (BUDI, "K1")]])
def test_every_amount_is_counted_once(warehouse: Pipeline, pairs: list[tuple[int, str]]) -> None:
    """For any mapping, even one edited in the table, the sums of a month equal the sums of both sides."""
    insert_customers(
        warehouse,
        {ANNA: "K3", BUDI: "K3", CITRA: None},
        [(customer, "2025-02", "100") for customer in (ANNA, BUDI, CITRA)],
    )
    for code in ("K1", "K2", "K3", None):
        insert_invoice_line(warehouse, code, "70")
    for pair in pairs:
        map_partner(warehouse, *pair)
    chain = [{"customer_id": BUDI, "bp_code": "K2"}, {"customer_id": CITRA, "bp_code": "K2"}]
    for more in ([], chain):
        with warehouse.warehouse.begin() as connection:
            for row in more:
                values = row | {"origin": "set"}
                connection.execute(sa.insert(tables.customer_business_partners).values(values))
        run_reconciliation(warehouse)
        found = accounts(warehouse)
        assert sum(one.purchases for one in found) == 300
        assert sum(one.invoiced for one in found) == 280
        assert sorted(sum((one.customers for one in found), ())) == [ANNA, BUDI, CITRA]


def test_unchanged_rows_keep_their_time(warehouse: Pipeline) -> None:
    insert_customers(warehouse, {ANNA: "K1", BUDI: "K2"}, [(ANNA, "2025-02", "100"), (BUDI, "2025-02", "100")])
    insert_invoice_line(warehouse, "K1", "100")
    first = run_reconciliation(warehouse)
    assert {month: counts.inserted for month, counts in first.counts.items()} == {
        "2025-01": 0, "2025-02": 2, "2025-03": 0,
    }  # fmt: skip
    before = {row["account"]: row for row in warehouse.rows(tables.invoice_reconciliation)}
    mapped = warehouse.rows(tables.customer_business_partners)
    assert run_reconciliation(warehouse).total.changed == 0
    assert warehouse.rows(tables.customer_business_partners) == mapped
    insert_invoice_line(warehouse, "K2", "99")
    insert_invoice_line(warehouse, "K1", "5", "2025-03-01")
    assert run_reconciliation(warehouse, "2025-02").total.updated == 1
    after = {row["account"]: row for row in warehouse.rows(tables.invoice_reconciliation)}
    assert after["customer:11"] == before["customer:11"]
    assert after["customer:12"]["compared_at"] > before["customer:12"]["compared_at"]
    assert after.keys() == before.keys(), "another month was changed"


def test_the_months_must_have_been_loaded(warehouse: Pipeline) -> None:
    with pytest.raises(InputNotLoadedError, match=r"monthly_customer_balances of 2025-04"):
        run_reconciliation(warehouse, "2025-03", "2025-04")


def test_pages_and_sums(warehouse: Pipeline) -> None:
    insert_customers(
        warehouse, {number: f"K{number}" for number in range(1, 6)}, [(n, "2025-02", f"{n}00") for n in range(1, 6)]
    )
    for number in range(1, 7):
        insert_invoice_line(warehouse, f"K{number}", "100")
    run_reconciliation(warehouse)
    assert [one.account for one in accounts(warehouse, limit=2, offset=1)] == ["customer:4", "customer:3"]
    mismatches = [one.account for one in accounts(warehouse, statuses=invoices.MISMATCHES)]
    assert mismatches == ["customer:5", "customer:4", "customer:3", "customer:2", "partner:K6"]
    with warehouse.warehouse.connect() as connection:
        summary = invoices.invoice_summary(connection, "2025-02")
        assert invoices.invoice_months(connection) == list(MONTHS)
        never = invoices.invoice_summary(connection, "2024-12")
    assert (summary.accounts, summary.mismatches) == (6, 5)
    totals = {one.status: f"{one.accounts}: {one.difference}" for one in summary.totals if one.accounts}
    assert totals == {"matched": "1: 0.00", "differs": "4: 1000.00", "partner_without_customer": "1: -100.00"}
    assert summary.compared_at is not None
    assert (never.accounts, never.compared_at) == (0, None)
