"""`ledger partners` on a small demo: list, set, remove, suggest."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.ledger.reconciliation.invoices import reconcile_invoices
from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines.warehouse.tables import (
    customer_business_partners,
    customers,
    erp_tables,
    invoice_reconciliation,
    loaded_months,
    monthly_customer_balances,
)
from ledger_pipelines_tests.support.serving.installation import Installation, json_of

CUSTOMER = 11
LINES = erp_tables["so_invoice_line"]


@pytest.fixture
def demo(computed: Installation) -> Iterator[Installation]:
    """The small demo with invoices to three partners.

    One has a customer's contract number, one has a similar number, one has purchases of an equal amount.
    """
    with computed.warehouse("READ COMMITTED") as connection:
        found = connection.execute(sa.select(customers.c.customer_id, customers.c.no_kontrak))
        contract_numbers: dict[int, str] = {row.customer_id: row.no_kontrak for row in found}
        balance = monthly_customer_balances.c
        months = sorted(connection.scalars(sa.select(balance.year_month).distinct()))
        bought = connection.scalar(
            sa.select(balance.total_purchases).where(balance.customer_id == 13, balance.year_month == months[0])
        )
        for month in months:
            ensure_partition(connection, LINES, month)
        mark_loaded(connection, LINES, months, "test")
        similar = contract_numbers[12].replace("/", "-").lower()
        for code, name, amount in ((contract_numbers[CUSTOMER], "A", 1), (similar, "B", 2), ("K9", "C", bought)):
            row = {"year_month": months[0], "bp_code": code, "bp_name": name, "amount_hc": amount}
            connection.execute(sa.insert(LINES).values(row | {"invoice_date": f"{months[0]}-15"}))
        reconcile_invoices(connection, months, "test")
        connection.commit()
    yield computed
    with computed.warehouse() as connection:
        for table in (LINES, invoice_reconciliation, customer_business_partners):
            connection.execute(sa.delete(table))
        forgotten = [f"{table.schema}.{table.name}" for table in (LINES, invoice_reconciliation)]
        connection.execute(sa.delete(loaded_months).where(loaded_months.c.table_name.in_(forgotten)))


def listed(demo: Installation, *options: str) -> list[tuple[int, str]]:
    """Return customer and origin of each mapping in the JSON output of `ledger partners list`."""
    found: list[dict[str, Any]] = demo.run_json("partners", "list", *options)["partners"]
    return [(one["customer_id"], one["origin"]) for one in found]


def test_list_set_remove(demo: Installation) -> None:
    assert listed(demo) == [(CUSTOMER, "default")]
    done = demo.succeed("partners", "set", "--customer-id", "12", "--bp-code", "K9")
    assert "is invoiced as K9" in done.stderr
    assert listed(demo) == [(CUSTOMER, "default"), (12, "set")]
    assert listed(demo, "--customer-id", "12") == [(12, "set")]
    assert "K9" in demo.run("partners", "list").stdout
    removed = demo.run_json("partners", "remove", "--customer-id", "12")["removed"]
    assert removed == [{"customer_id": 12, "bp_code": "K9", "origin": "set"}]
    demo.succeed("partners", "remove", "--customer-id", str(CUSTOMER))
    assert listed(demo) == [(CUSTOMER, "excluded")]


def test_commands_are_audited(demo: Installation) -> None:
    for arguments in (["set", "--customer-id", "12", "--bp-code", "K9"], *[["remove", "--customer-id", "12"]] * 2):
        demo.run("partners", *arguments)
    listed(demo)
    with demo.warehouse() as connection:
        entries = audit.latest(connection, limit=3)
    assert [(entry.action, entry.target, entry.outcome) for entry in entries] == [
        ("ledger partners remove", "customer 12 as any", "refused"),
        ("ledger partners remove", "customer 12 as any", "done"),
        ("ledger partners set", "customer 12 as K9", "done"),
    ]
    assert all((entry.actor or "").startswith("command line (") for entry in entries)


def test_similar_partners_are_suggested(demo: Installation) -> None:
    found = demo.run_json("partners", "suggest")["suggestions"]
    signs = [(one["customer_id"], one["same_contract"], one["same_name"], one["equal_months"]) for one in found]
    assert signs == [(12, True, False, 0), (13, False, False, 1)]
    assert found[1]["bp_code"] == "K9"
    assert "partners set" in demo.run("partners", "suggest").stderr
    demo.run("partners", "set", "--customer-id", "13", "--bp-code", "K9")
    assert [one["customer_id"] for one in demo.run_json("partners", "suggest")["suggestions"]] == [12]


def test_suggestions_ignore_the_legal_form_of_names(demo: Installation) -> None:
    with demo.warehouse() as connection:
        name = str(connection.scalar(sa.select(customers.c.name).where(customers.c.customer_id == 14)))
        changed = f"{name.partition(' ')[2].upper()}, PT."
        connection.execute(sa.update(LINES).where(LINES.c.bp_code == "K9").values(bp_name=changed, amount_hc=5))
    found = demo.run_json("partners", "suggest", "--limit", "9")["suggestions"]
    assert [(one["customer_id"], one["same_name"]) for one in found][:2] == [(12, False), (14, True)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "--customer-id", "4711", "--bp-code", "K9"], "There is no customer 4711"),
        (["set", "--customer-id", "11", "--bp-code", "K"], "No line of so_invoice_line has the business partner 'K'"),
        (["remove", "--customer-id", "12"], "Customer 12 has no business partner"),
        (["remove", "--customer-id", "11", "--bp-code", "K9"], "has no business partner 'K9'"),
    ],
)
def test_invalid_request_is_explained(demo: Installation, arguments: list[str], message: str) -> None:
    result = demo.run("partners", *arguments, "--json")
    assert result.exit_code == 1
    assert message in json_of(result)["error"]
