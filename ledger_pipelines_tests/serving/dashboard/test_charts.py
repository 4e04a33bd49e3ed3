"""Charts: they draw the exact values, to the last digit."""

import json
from decimal import Decimal

import pytest

from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Locale, Series
from ledger_pipelines.serving.dashboard.translations import Translator
from ledger_pipelines.serving.dashboard.translations.formats import LANGUAGES, Formats, Language
from ledger_pipelines_tests.support.billing_pipeline import WIB

MONTHS = ("2025-03", "2025-04")
VALUES = (Decimal("71930493.31"), Decimal("-1234567890.05"))


def locale(language: Language = "en") -> Locale:
    """Return the locale of a language."""
    return Locale(Translator(language), Formats(language, WIB))


@pytest.mark.parametrize("language", LANGUAGES)
def test_amounts_are_exact_in_a_round_unit(language: Language) -> None:
    chart = charts.monthly_amounts(locale(language), "Saldo", MONTHS, [Series("Saldo", VALUES, "chart-balance")])
    figure = json.loads(chart.figure, parse_float=Decimal)
    (bars,) = figure["data"]
    assert [Decimal(value) * 10**9 for value in bars["y"]] == list(VALUES)
    unit = {"en": "billion rupiah", "id": "miliar rupiah"}[language]
    assert figure["layout"]["yaxis"]["title"]["text"] == unit
    assert bars["x"] == list(MONTHS)
    assert figure["layout"]["separators"] == {"en": ".,", "id": ",."}[language]
    assert Formats(language, WIB).rupiah(VALUES[1]) in bars["hovertext"][1]


def test_chart_has_a_summary() -> None:
    chart = charts.monthly_volume(locale(), "Volume", MONTHS, [Decimal("1.5000"), Decimal("2.2500")])
    assert "from March 2025 to April 2025" in chart.summary
    assert "2.2500 Sm³" in chart.summary


def test_colours_come_from_the_stylesheet() -> None:
    """Colours of the stylesheet follow light and dark mode; Plotly's own colours do not."""
    chart = charts.monthly_amounts(locale(), "Saldo", MONTHS, [Series("Saldo", VALUES, "chart-balance")], lines=True)
    assert json.loads(chart.figure)["data"][0]["line"]["color"] == "var(--chart-balance)"
    assert json.loads(chart.figure)["layout"]["template"] == {}


def test_chart_of_zeros() -> None:
    chart = charts.monthly_volume(locale(), "Volume", MONTHS, [Decimal("0.0000"), Decimal("0.0000")])
    assert json.loads(chart.figure)["data"][0]["y"] == ["0", "0"]


def test_month_labels_are_sparse_and_localized() -> None:
    months = [f"2025-{number:02d}" for number in range(1, 13)]
    chart = charts.monthly_volume(locale("id"), "Volume", months, [Decimal("1.0000")] * 12)
    axis = json.loads(chart.figure)["layout"]["xaxis"]
    assert axis["tickvals"] == months[::2]
    assert axis["ticktext"][2] == "Mei<br>2025"
