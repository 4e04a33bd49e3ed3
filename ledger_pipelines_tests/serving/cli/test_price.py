"""`ledger price preview` on a small demo: text and JSON output, and that nothing is changed."""

from decimal import Decimal

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import shift_month
from ledger_pipelines.serving.cli import price as price_command
from ledger_pipelines.serving.cli.common.console import print_message
from ledger_pipelines.warehouse.tables import monthly_customer_balances, transaction_calculations
from ledger_pipelines.warehouse.transaction_setup import lock_tables
from ledger_pipelines_tests.support.serving.installation import MONTHS, Installation, json_of

CUSTOMER = 11


def first_month(installation: Installation) -> str:
    """Return the first month of the ledger."""
    return installation.settings.first_month


def test_json_has_all_figures_and_nothing_changes(computed: Installation) -> None:
    before, first = computed.fingerprint(), first_month(computed)
    result = computed.succeed(
        "price", "preview", "--customer-id", str(CUSTOMER), "--from", first, "--price", "23456.5", "--json"
    )
    answer = json_of(result)
    assert computed.fingerprint() == before
    assert (answer["from_month"], answer["to_month"]) == (first, shift_month(first, MONTHS - 1))
    assert answer["computed_months"] == [shift_month(first, number) for number in range(MONTHS)]
    assert answer["changed"]
    for one in answer["changed"]:
        assert one["after"]["harga_per_m3"] == "23456.5"
        assert one["after"]["rule"] == "monthly"
        assert one["after"]["volume_sm3"] == one["before"]["volume_sm3"]
    assert {one["after"]["rule"] for one in answer["kept"]} <= {"custom_period"}
    difference = sum(Decimal(one["difference"]) for one in answer["changed"])
    assert Decimal(answer["totals"]["difference"]) == difference != 0
    last = answer["balances"][-1]
    assert Decimal(last["before"]["closing_balance"]) - Decimal(last["after"]["closing_balance"]) == difference, (
        "higher purchases lower the balance by the same amount"
    )
    stored = sa.select(monthly_customer_balances.c.closing_balance).where(
        monthly_customer_balances.c.customer_id == CUSTOMER,
        monthly_customer_balances.c.year_month == last["year_month"],
    )
    with computed.warehouse() as connection:
        assert connection.scalar(stored) == Decimal(last["before"]["closing_balance"])


def test_text_output(computed: Installation) -> None:
    first = first_month(computed)
    command = ("price", "preview", "--customer-id", str(CUSTOMER), "--from", first, "--to", first)
    result = computed.succeed(*command, "--price", "23456.5", "--correction", "1.5")
    assert "nothing was changed" in result.stderr
    for words in (
        "Transactions that would change",
        "Balances (before → after)",
        "23,456.5",
        "→ 1.5",
        "pricing_history",
    ):
        assert words in result.stdout


def test_preview_needs_no_billing_application(computed: Installation) -> None:
    unreachable = "postgresql://reader@127.0.0.1:1/gone"
    command = ("price", "preview", "--customer-id", str(CUSTOMER), "--from", first_month(computed), "--price", "1")
    computed.succeed(*command, LEDGER_BILLING_URL=unreachable)


@pytest.mark.parametrize("table", [transaction_calculations, monthly_customer_balances], ids=lambda table: table.name)
def test_preview_waits_for_a_run_with_a_message(
    computed: Installation, table: sa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("price", "preview", "--customer-id", str(CUSTOMER), "--from", first_month(computed), "--price", "1")
    with computed.warehouse("READ COMMITTED") as writer:

        def end_the_run(message: str) -> None:
            print_message(message)
            if "A run is writing the tables" in message:
                writer.commit()

        monkeypatch.setattr(price_command, "print_message", end_the_run)
        lock_tables(writer, table)
        result = computed.succeed(*command)
    assert "A run is writing the tables" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"--customer-id": "4711"}, "There is no customer 4711 in the warehouse"),
        ({"--from": "2999-01"}, "2999-01 is in the future"),
        ({"--from": "1999-01"}, "LEDGER_FIRST_MONTH"),
        ({"--from": "last month"}, "expected YYYY-MM"),
        ({"--to": "1999-01"}, "is before"),
        ({"--price": "12,5"}, "--price is not a number"),
        ({"--price": "-1"}, "--price is below 0"),
        ({"--price": ""}, "--price is missing"),
        ({"--price": "1000000000000000"}, "--price is out of range"),
        ({"--correction": "NaN"}, "--correction is not a number"),
    ],
)
def test_invalid_options_are_explained(computed: Installation, options: dict[str, str], message: str) -> None:
    defaults = {"--customer-id": str(CUSTOMER), "--from": first_month(computed), "--price": "1"}
    arguments = [argument for pair in (defaults | options).items() for argument in pair]
    result = computed.run("price", "preview", *arguments, "--json")
    assert result.exit_code == 1
    assert message in json_of(result)["error"]
    assert message in result.stderr.replace("\n", " ")


def test_reversed_range_of_months_is_refused(computed: Installation) -> None:
    first = first_month(computed)
    result = computed.run(
        "price", "preview", "--customer-id", "11", "--from", shift_month(first, 1), "--to", first, "--price", "1"
    )
    assert result.exit_code == 1
    assert "The months end before they start" in result.stderr
