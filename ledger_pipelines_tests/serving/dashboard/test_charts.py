"""The charts: what they draw is what the warehouse has, to the last digit."""

import json
from decimal import Decimal

import pytest

from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Reader, Series
from ledger_pipelines.serving.dashboard.formats import LANGUAGES, Formats, Language
from ledger_pipelines.serving.dashboard.words import Words
from ledger_pipelines_tests.pipeline import WIB

MONTHS = ("2025-03", "2025-04")
VALUES = (Decimal("71930493.31"), Decimal("-1234567890.05"))


def reader(language: Language = "en") -> Reader:
    """Somebody who reads a language."""
    return Reader(Words(language), Formats(language, WIB))


@pytest.mark.parametrize("language", LANGUAGES)
def test_amounts_are_drawn_exactly_in_a_round_unit(language: Language) -> None:
    chart = charts.monthly_amounts(reader(language), "Saldo", MONTHS, [Series("Saldo", VALUES, "chart-balance")])
    figure = json.loads(chart.figure, parse_float=Decimal)
    (bars,) = figure["data"]
    assert [Decimal(value) * 10**9 for value in bars["y"]] == list(VALUES)
    unit = {"en": "billion rupiah", "id": "miliar rupiah"}[language]
    assert figure["layout"]["yaxis"]["title"]["text"] == unit
    assert bars["x"] == list(MONTHS)
    assert figure["layout"]["separators"] == {"en": ".,", "id": ",."}[language]
    assert Formats(language, WIB).rupiah(VALUES[1]) in bars["hovertext"][1]


def test_a_chart_says_in_words_what_it_shows() -> None:
    chart = charts.monthly_volume(reader(), "Volume", MONTHS, [Decimal("1.5000"), Decimal("2.2500")])
    assert "from March 2025 to April 2025" in chart.summary
    assert "2.2500 Sm³" in chart.summary


def test_nothing_is_drawn_in_a_colour_of_its_own() -> None:
    """The stylesheet's colours follow light and dark; Plotly's own do not."""
    chart = charts.monthly_amounts(reader(), "Saldo", MONTHS, [Series("Saldo", VALUES, "chart-balance")], lines=True)
    assert json.loads(chart.figure)["data"][0]["line"]["color"] == "var(--chart-balance)"
    assert json.loads(chart.figure)["layout"]["template"] == {}


def test_a_month_of_nothing_can_be_drawn() -> None:
    chart = charts.monthly_volume(reader(), "Volume", MONTHS, [Decimal("0.0000"), Decimal("0.0000")])
    assert json.loads(chart.figure)["data"][0]["y"] == ["0", "0"]


def test_months_are_labelled_sparsely_and_in_the_reader_s_language() -> None:
    months = [f"2025-{number:02d}" for number in range(1, 13)]
    chart = charts.monthly_volume(reader("id"), "Volume", months, [Decimal("1.0000")] * 12)
    axis = json.loads(chart.figure)["layout"]["xaxis"]
    assert axis["tickvals"] == months[::2]
    assert axis["ticktext"][2] == "Mei<br>2025"
