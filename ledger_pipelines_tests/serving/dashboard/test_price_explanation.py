"""Explanations of transactions: the numbers shown give the ledger's own result."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.dashboard.price_explanation import PriceExplainer
from ledger_pipelines.serving.dashboard.translations import Translator
from ledger_pipelines.serving.dashboard.translations.formats import LANGUAGES, Formats, Language
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.queries.customers.month_details import PricedReading, priced_readings_of
from ledger_pipelines.warehouse.tables import transaction_calculations
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.installation import Installation


@pytest.fixture(scope="module")
def readings(computed: Installation) -> Sequence[PricedReading]:
    """Return every transaction of the demo."""
    engine = warehouse_engine(database_urls.warehouse_url(computed.settings), WIB)
    of = transaction_calculations.c
    with engine.connect() as connection:
        whose = connection.execute(sa.select(of.customer_id, of.year_month).distinct()).all()
        found = [row for customer, month in whose for row in priced_readings_of(connection, customer, month)]
    engine.dispose()
    return found


def evaluate(formula: str, language: Language) -> tuple[Decimal, Decimal]:
    """Return the unrounded value of a formula's left side, and the number on its right side."""
    point, thousands = (",", ".") if language == "id" else (".", ",")
    formula_text = (
        formula.replace(thousands, "").replace(point, ".").replace("−", "-").replace("Sm³", "").replace("Rp", "")
    )
    left, right = re.sub(r"\s", "", formula_text).replace("×", "*").replace("÷", "/").split("=")
    expression = re.sub(r"(\d+(?:\.\d+)?)", r"Decimal('\1')", left)
    with localcontext(prec=200):
        value: Any = eval(expression, {"Decimal": Decimal})  # noqa: S307 - consists of digits and operators
        return value, Decimal(right)


@pytest.mark.parametrize("language", LANGUAGES)
def test_formulas_give_the_stored_results(readings: Sequence[PricedReading], language: Language) -> None:
    explainer = PriceExplainer(Translator(language), Formats(language, WIB))
    assert readings
    for row in readings:
        formulas = [step.formula for step in explainer.steps(row) if step.formula]
        results = [row.volume_sm3, row.total_harga]
        if row.pricing_used["factor"] == "computed":
            results = [row.koreksi_meter, *results]
        assert len(formulas) == len(results)
        for formula, result in zip(formulas, results, strict=True):
            value, shown = evaluate(formula, language)
            assert shown == result
            with localcontext(prec=200):
                assert value.quantize(result, rounding=ROUND_HALF_UP) == result, formula


def test_demo_has_the_usual_rules_and_factors(readings: Sequence[PricedReading]) -> None:
    assert {row.pricing_used["factor"] for row in readings} >= {"given", "fob"}
    assert {row.pricing_used["rule"] for row in readings} >= {"monthly"}


MOMENT = datetime(2025, 3, 5, 14, 4, tzinfo=WIB)


def priced_reading(**changes: Any) -> PricedReading:
    """Return a reading with a computed factor: the check documented in docs/rules.md."""
    usual: dict[str, Any] = {
        **dict.fromkeys(PricedReading.__dataclass_fields__),
        "data_pencatatan_id": 7,
        "transaction_date": MOMENT,
        "volume_flow_meter": Decimal("15473"),
        "koreksi_meter": Decimal("1.85431132031364"),
        "volume_sm3": Decimal("28691.7590"),
        "harga_per_m3": Decimal("10000.00"),
        "total_harga": Decimal("286917590.59"),
        "pricing_used": {"rule": "monthly", "entry": {"year_month": "2025-03"}, "factor": "computed",
                         "valid_from": "2025-03-01 00:00:00", "valid_to": "2025-03-31 23:59:59"},
        "tekanan_keluar": Decimal("0.850"),
        "suhu": Decimal("25.01"),
        "calculated_at": MOMENT,
        "ended_at": MOMENT,
        "opening_volume": Decimal("100"),
        "closing_volume": Decimal("15573"),
        "status_pembayaran": "lunas",
    }  # fmt: skip
    return PricedReading(**usual | changes)


def explanation(row: PricedReading, language: Language = "en") -> str:
    """Return an explanation as one text."""
    return " ".join(
        step.text.unescape() for step in PriceExplainer(Translator(language), Formats(language, WIB)).steps(row)
    )


def test_computed_factor_shows_its_formula() -> None:
    steps = PriceExplainer(Translator("en"), Formats("en", WIB)).steps(priced_reading())
    formula = "((0.85 + 1.01325) ÷ 1.01325) × (300 ÷ (25.01 + 273)) × (1 + 0.002 × 0.85) = 1.85431132031364"
    assert formula in [step.formula for step in steps]
    assert "outlet pressure, 0.85 bar gauge" in explanation(priced_reading())


def test_entry_without_a_price_uses_the_default() -> None:
    assert "The entry has no price, so the customer's default price is used." in explanation(priced_reading())
    named = {"rule": "monthly", "entry": {"harga_per_meter_kubik": "10000"}, "factor": "given"}
    dates = {"valid_from": "2025-03-01 00:00:00", "valid_to": "2025-03-31 23:59:59"}
    shown = explanation(priced_reading(pricing_used=named | dates))
    assert "has no price" not in shown
    assert "from 1 March 2025, 00:00:00 WIB to 31 March 2025, 23:59:59 WIB" in shown
    assert "1.85431132031364, the customer's default factor." in shown


def test_rule_without_a_text_of_its_own_is_named() -> None:
    used = {"rule": "seasonal", "entry": None, "factor": "given"}
    dates = {"valid_from": "2025-03-01 00:00:00", "valid_to": "2025-03-31 23:59:59"}
    assert "from the price entry (seasonal)" in explanation(priced_reading(pricing_used=used | dates))


def test_default_price_is_explained() -> None:
    used = {"rule": "default", "entry": None, "valid_from": None, "valid_to": None, "factor": "given"}
    assert "the customer's default price: no price entry applies" in explanation(priced_reading(pricing_used=used))
    assert "harga dasar pelanggan: tidak ada entri harga" in explanation(priced_reading(pricing_used=used), "id")


def test_volume_that_differs_from_the_meter_states() -> None:
    assert "not with the difference" not in explanation(priced_reading())
    assert "not with the difference" in explanation(priced_reading(closing_volume=Decimal("15573.5")))


def test_negative_temperature_keeps_its_sign() -> None:
    steps = PriceExplainer(Translator("en"), Formats("en", WIB)).steps(priced_reading(suhu=Decimal("-5.50")))
    assert any("(300 ÷ ((−5.5) + 273))" in (step.formula or "") for step in steps)
