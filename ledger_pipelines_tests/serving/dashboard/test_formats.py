"""Formats of numbers and times: exact for every value."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_pipelines.serving.dashboard.translations.formats import LANGUAGES, Formats, Language
from ledger_pipelines_tests.support.billing_pipeline import WIB

ENGLISH, INDONESIAN = (Formats(language, WIB) for language in LANGUAGES)
amounts = st.decimals(min_value=-(10**50), max_value=10**50, places=2, allow_nan=False)
digits = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
languages = st.sampled_from(LANGUAGES)


def parse(text: str, language: Language) -> Decimal:
    """Parse a formatted number."""
    point, thousands = (",", ".") if language == "id" else (".", ",")
    plain = text.replace("Rp", "").replace("\N{NO-BREAK SPACE}", "").replace(thousands, "").replace(point, ".")
    return Decimal(plain.replace("−", "-"))


@given(amounts, languages)
def test_rupiah_keep_every_digit(amount: Decimal, language: Language) -> None:
    text = Formats(language, WIB).rupiah(amount)
    assert parse(text, language) == amount
    assert text.startswith("−") == (amount < 0)
    assert text[-3] == (",", ".")[language == "en"]


@given(digits, languages)
def test_numbers_keep_every_digit(value: Decimal, language: Language) -> None:
    assert parse(Formats(language, WIB).number(value), language) == value


@given(amounts, languages)
def test_thousands_are_grouped(amount: Decimal, language: Language) -> None:
    whole = Formats(language, WIB).number(amount, 0).lstrip("−")
    first, *groups = whole.split("." if language == "id" else ",")
    assert 1 <= len(first) <= 3
    assert all(len(group) == 3 for group in groups)


@pytest.mark.parametrize(
    ("value", "english", "indonesian"),
    [
        ("1234567.89", "Rp\N{NO-BREAK SPACE}1,234,567.89", "Rp1.234.567,89"),
        ("-71930493.31", "−Rp\N{NO-BREAK SPACE}71,930,493.31", "−Rp71.930.493,31"),
        ("0", "Rp\N{NO-BREAK SPACE}0.00", "Rp0,00"),
        ("-0.00", "Rp\N{NO-BREAK SPACE}0.00", "Rp0,00"),
        ("0.005", "Rp\N{NO-BREAK SPACE}0.01", "Rp0,01"),
    ],
)
def test_rupiah(value: str, english: str, indonesian: str) -> None:
    assert ENGLISH.rupiah(Decimal(value)) == english
    assert INDONESIAN.rupiah(Decimal(value)) == indonesian


def test_numbers_keep_their_decimals() -> None:
    assert ENGLISH.number(Decimal("257.90999999999985")) == "257.90999999999985"
    assert INDONESIAN.number(Decimal("12205.4900")) == "12.205,4900"
    assert INDONESIAN.price(Decimal("12500.00")) == "Rp12.500"
    assert ENGLISH.price(Decimal("12500.50")) == "Rp\N{NO-BREAK SPACE}12,500.5"
    assert ENGLISH.number(Decimal("1E+3")) == "1,000"


def test_dates() -> None:
    moment = datetime(2025, 3, 4, 18, 4, 5, tzinfo=UTC)  # the fifth in Jakarta
    assert ENGLISH.moment(moment) == "5 March 2025, 01:04:05 WIB"
    assert INDONESIAN.moment(moment) == "5 Maret 2025, 01.04.05 WIB"
    assert INDONESIAN.moment(moment, short=True) == "5 Mar 2025, 01.04.05 WIB"
    assert ENGLISH.month("2025-03") == "March 2025"
    assert INDONESIAN.month("2025-08") == "Agustus 2025"
    assert INDONESIAN.month("2025-08", short=True) == "Agu 2025"


def test_ago() -> None:
    now = datetime(2025, 3, 5, tzinfo=UTC)
    assert ENGLISH.ago(now - timedelta(minutes=3), now) == "3 minutes ago"
    assert INDONESIAN.ago(now - timedelta(minutes=3), now) == "3 menit yang lalu"
    assert ENGLISH.ago(now + timedelta(seconds=2), now) == "1 second ago"  # two clocks


def test_durations() -> None:
    assert ENGLISH.seconds(Decimal("3.249")) == "3.2 s"
    assert INDONESIAN.seconds(Decimal("3.25")) == "3,3 dtk"
    assert ENGLISH.seconds(Decimal("125.9")) == "2 min 5 s"
