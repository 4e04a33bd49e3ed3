"""`ledger price preview` on a small demo: its answer for a person and for a program, and that nothing is changed."""

from decimal import Decimal

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import shift
from ledger_pipelines.serving.cli import price as price_command
from ledger_pipelines.serving.cli.console import print_message
from ledger_pipelines.warehouse.session import lock
from ledger_pipelines.warehouse.tables import monthly_customer_balances, transaction_calculations
from ledger_pipelines_tests.serving.conftest import MONTHS, Installation, json_of

CUSTOMER = 11


def first_month(installation: Installation) -> str:
    """The first month of the ledger."""
    return installation.settings.first_month


def test_a_program_is_told_every_figure_and_nothing_is_changed(computed: Installation) -> None:
    before, first = computed.fingerprint(), first_month(computed)
    result = computed.run(
        "price", "preview", "--customer-id", str(CUSTOMER), "--from", first, "--price", "23456.5", "--json"
    )
    assert result.exit_code == 0, result.output
    told = json_of(result)
    assert computed.fingerprint() == before
    assert (told["from_month"], told["to_month"]) == (first, shift(first, MONTHS - 1))
    assert told["computed_months"] == [shift(first, number) for number in range(MONTHS)]
    assert told["changed"]
    for one in told["changed"]:
        assert one["after"]["harga_per_m3"] == "23456.5"
        assert one["after"]["rule"] == "monthly"
        assert one["after"]["volume_sm3"] == one["before"]["volume_sm3"]
    assert {one["after"]["rule"] for one in told["kept"]} <= {"custom_period"}
    difference = sum(Decimal(one["difference"]) for one in told["changed"])
    assert Decimal(told["totals"]["difference"]) == difference != 0
    last = told["balances"][-1]
    assert Decimal(last["before"]["closing_balance"]) - Decimal(last["after"]["closing_balance"]) == difference, (
        "what is paid more is what the balance is less"
    )
    stored = sa.select(monthly_customer_balances.c.closing_balance).where(
        monthly_customer_balances.c.customer_id == CUSTOMER,
        monthly_customer_balances.c.year_month == last["year_month"],
    )
    with computed.warehouse() as connection:
        assert connection.scalar(stored) == Decimal(last["before"]["closing_balance"])


def test_a_person_is_told_so_too(computed: Installation) -> None:
    first = first_month(computed)
    asked = ("price", "preview", "--customer-id", str(CUSTOMER), "--from", first, "--to", first)
    result = computed.run(*asked, "--price", "23456.5", "--correction", "1.5")
    assert result.exit_code == 0, result.output
    assert "nothing is changed" in result.stderr
    for words in (
        "Transactions that would change",
        "Balances (before → after)",
        "23,456.5",
        "→ 1.5",
        "pricing_history",
    ):
        assert words in result.stdout


def test_it_needs_no_billing_application(computed: Installation) -> None:
    gone = "postgresql://nobody@127.0.0.1:1/gone"
    asked = ("price", "preview", "--customer-id", str(CUSTOMER), "--from", first_month(computed), "--price", "1")
    assert computed.run(*asked, LEDGER_BILLING_URL=gone).exit_code == 0


@pytest.mark.parametrize("table", [transaction_calculations, monthly_customer_balances], ids=lambda table: table.name)
def test_it_waits_for_a_run_and_says_so(
    computed: Installation, table: sa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("price", "preview", "--customer-id", str(CUSTOMER), "--from", first_month(computed), "--price", "1")
    with computed.warehouse("READ COMMITTED") as writer:

        def end_the_run(message: str) -> None:
            print_message(message)
            if "A run is writing the tables" in message:
                writer.commit()

        monkeypatch.setattr(price_command, "say", end_the_run)
        lock(writer, table)
        result = computed.run(*asked)
    assert result.exit_code == 0, result.output
    assert "A run is writing the tables" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
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
def test_what_cannot_be_asked_is_said_in_words(computed: Installation, options: dict[str, str], words: str) -> None:
    usual = {"--customer-id": str(CUSTOMER), "--from": first_month(computed), "--price": "1"}
    arguments = [argument for pair in (usual | options).items() for argument in pair]
    result = computed.run("price", "preview", *arguments, "--json")
    assert result.exit_code == 1
    assert words in json_of(result)["error"]
    assert words in result.stderr.replace("\n", " ")


def test_months_that_end_before_they_start_are_refused(computed: Installation) -> None:
    first = first_month(computed)
    result = computed.run(
        "price", "preview", "--customer-id", "11", "--from", shift(first, 1), "--to", first, "--price", "1"
    )
    assert result.exit_code == 1
    assert "The months end before they start" in result.stderr
