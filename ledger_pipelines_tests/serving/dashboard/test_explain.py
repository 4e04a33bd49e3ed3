"""A transaction in words: who follows the numbers that are shown comes to the ledger's own result."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.dashboard.explain import Explainer
from ledger_pipelines.serving.dashboard.formats import LANGUAGES, Formats, Language
from ledger_pipelines.serving.dashboard.words import Words
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.questions.month_details import PricedReading, priced_readings_of
from ledger_pipelines.warehouse.tables import transaction_calculations
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.serving.conftest import Installation


@pytest.fixture(scope="module")
def readings(computed: Installation) -> Sequence[PricedReading]:
    """Every transaction of the demo."""
    engine = warehouse_engine(servers.warehouse(computed.settings), WIB)
    of = transaction_calculations.c
    with engine.connect() as connection:
        whose = connection.execute(sa.select(of.customer_id, of.year_month).distinct()).all()
        found = [row for customer, month in whose for row in priced_readings_of(connection, customer, month)]
    engine.dispose()
    return found


def recomputed(formula: str, language: Language) -> tuple[Decimal, Decimal]:
    """What the left side of a formula comes to, unrounded, and what its right side says."""
    point, thousands = (",", ".") if language == "id" else (".", ",")
    plain = formula.replace(thousands, "").replace(point, ".").replace("−", "-").replace("Sm³", "").replace("Rp", "")
    left, right = re.sub(r"\s", "", plain).replace("×", "*").replace("÷", "/").split("=")
    exact = re.sub(r"(\d+(?:\.\d+)?)", r"Decimal('\1')", left)
    with localcontext(prec=200):
        value: Any = eval(exact, {"Decimal": Decimal})  # noqa: S307 - made of digits and signs just here
        return value, Decimal(right)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_numbers_shown_lead_to_the_result(readings: Sequence[PricedReading], language: Language) -> None:
    explainer = Explainer(Words(language), Formats(language, WIB))
    assert readings
    for row in readings:
        formulas = [step.formula for step in explainer.steps(row) if step.formula]
        results = [row.volume_sm3, row.total_harga]
        if row.pricing_used["factor"] == "computed":
            results = [row.koreksi_meter, *results]
        assert len(formulas) == len(results)
        for formula, result in zip(formulas, results, strict=True):
            value, shown = recomputed(formula, language)
            assert shown == result
            with localcontext(prec=200):
                assert value.quantize(result, rounding=ROUND_HALF_UP) == result, formula


def test_the_demo_has_every_rule_and_origin(readings: Sequence[PricedReading]) -> None:
    assert {row.pricing_used["factor"] for row in readings} >= {"given", "fob"}
    assert {row.pricing_used["rule"] for row in readings} >= {"monthly"}


MOMENT = datetime(2025, 3, 5, 14, 4, tzinfo=WIB)


def made(**changes: Any) -> PricedReading:
    """A reading with a computed factor: the documented check."""
    usual: dict[str, Any] = {
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


def text(row: PricedReading, language: Language = "en") -> str:
    """The explanation as one text."""
    return " ".join(step.text.unescape() for step in Explainer(Words(language), Formats(language, WIB)).steps(row))


def test_a_computed_factor_shows_the_formula_with_its_numbers() -> None:
    steps = Explainer(Words("en"), Formats("en", WIB)).steps(made())
    formula = "((0.85 + 1.01325) ÷ 1.01325) × (300 ÷ (25.01 + 273)) × (1 + 0.002 × 0.85) = 1.85431132031364"
    assert formula in [step.formula for step in steps]
    assert "outlet pressure, 0.85 bar gauge" in text(made())


def test_a_price_that_the_entry_lacks_is_the_default() -> None:
    assert "The entry names no price, so it is the customer's default." in text(made())
    named = {"rule": "monthly", "entry": {"harga_per_meter_kubik": "10000"}, "factor": "given"}
    dates = {"valid_from": "2025-03-01 00:00:00", "valid_to": "2025-03-31 23:59:59"}
    shown = text(made(pricing_used=named | dates))
    assert "names no price" not in shown
    assert "from 1 March 2025, 00:00:00 WIB to 31 March 2025, 23:59:59 WIB" in shown
    assert "1.85431132031364, the customer's default." in shown


def test_a_default_price_says_so() -> None:
    used = {"rule": "default", "entry": None, "valid_from": None, "valid_to": None, "factor": "given"}
    assert "the customer's default: no entry applies" in text(made(pricing_used=used))
    assert "harga dasar pelanggan: tidak ada entri" in text(made(pricing_used=used), "id")


def test_a_volume_that_is_not_the_difference_of_the_states_is_told() -> None:
    assert "not with the difference" not in text(made())
    assert "not with the difference" in text(made(closing_volume=Decimal("15573.5")))


def test_a_negative_temperature_keeps_its_sign() -> None:
    steps = Explainer(Words("en"), Formats("en", WIB)).steps(made(suhu=Decimal("-5.50")))
    assert any("(300 ÷ ((−5.5) + 273))" in (step.formula or "") for step in steps)
