"""Tables in a narrow terminal: words, ids and amounts are never broken; the table becomes wider instead."""

import re
from dataclasses import fields
from datetime import datetime
from decimal import Decimal

import pytest
from rich.cells import cell_len

from ledger_pipelines.serving.cli.common.console import print_table
from ledger_pipelines.serving.dry_run import DryRunCustomer
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.installation import NARROW, Installation

pytestmark = pytest.mark.usefixtures("narrow")

AT = datetime(2026, 11, 22, 7, 47, 3, 123456, WIB)
ADDRESS = "https://hooks.example.com/services/of/the/company/low-balances/v2"
KEY = "order_origin_code='WO 2026/11 0001', line_no=12"


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines of the printed table, without rules and blank lines."""
    return [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]


def test_fitting_rows_take_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Some", ("name", "rupiah"), [("PT Gas Satu", Decimal("1234567.50")), ("PT Dua", None)])
    assert lines_of(capsys) == ["Some", "  name                rupiah", "  PT Gas Satu   1,234,567.50", "  PT Dua"]


def test_texts_are_wrapped_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    why = "The webhook did not accept the message, which will be posted again"
    print_table(None, ("id", "raised at", "balance", "state", "why"), [("7", AT, Decimal("-1234.50"), "low", why)])
    heading, first, *more = lines_of(capsys)
    assert re.split(r"\s{2,}", heading.strip()) == ["id", "raised at", "balance", "state", "why"]
    assert re.match(r"  7    2026-11-22 07:47:03   -1,234\.50   low     The webhook", first)
    assert " ".join([first[first.index("The") :], *map(str.strip, more)]) == why
    assert more
    assert max(map(cell_len, [heading, first, *more])) <= NARROW


def test_long_word_narrows_other_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(None, ("what", "why"), [(f"post {ADDRESS}", "a text of more words than fit in this row")])
    lines = lines_of(capsys)
    assert sum(ADDRESS in line for line in lines) == 1
    assert len(lines) > 2, "the other column is wrapped"


def test_oversized_row_widens_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [f"a heading of column {number}" for number in range(8)]
    print_table(None, columns, [[f"word-{number}-{'x' * 20}" for number in range(8)]])
    heading, row = lines_of(capsys)
    assert re.split(r"\s{2,}", heading.strip()) == columns
    assert len(row.split()) == 8
    assert cell_len(heading) > NARROW


def test_verbatim_column_is_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(None, ("row", "old"), [(KEY, "a text that is long enough to be wrapped in a narrow terminal")], ["row"])
    assert KEY in lines_of(capsys)[1]


def test_markup_in_values_is_printed_literally(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("At [bold]", ("[red]",), [("[blue]x[/] [/]",)])
    assert [line.strip() for line in lines_of(capsys)] == ["At [bold]", "[red]", "[blue]x[/] [/]"]


def test_dry_run_headings_are_complete(computed: Installation) -> None:
    printed = computed.run("balance", "initialize", "--all", "--dry-run").stdout
    headings = [field.name.replace("_", " ") for field in fields(DryRunCustomer)]
    assert headings in [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]


def test_booleans_are_yes_and_no(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(None, ("known", "rows"), [(True, 1), (False, 20), (None, 3)])
    assert lines_of(capsys) == ["  known   rows", "  yes        1", "  no        20", "             3"]
