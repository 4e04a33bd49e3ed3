"""Numbers, moments, JSON and rounding: each detail of docs/rules.md separately."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from ledger_pipelines_tests.reference.ledger import WIB
from ledger_pipelines_tests.reference.values import (
    Json,
    NotANumberError,
    NotJsonError,
    Numeral,
    UnparsableError,
    is_year_month,
    moment,
    months,
    number,
    read_json,
    rounded,
    write_json,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Numeral("257.90999999999985"), "257.90999999999985"),
        (Numeral("1E+2"), "100"),
        (Numeral("-0"), "0"),
        (Numeral("0e99"), "0"),
        ("150", "150"),
        (" +7.50\n", "7.5"),
        (".5", "0.5"),
        ("12.", "12"),
        ("-1e-3", "-0.001"),
        ("1e-40", "0." + "0" * 39 + "1"),
        ("999999999999999.9999", "999999999999999.9999"),
        ("0" * 30 + "1", "1"),
        ("123456789012345." + "1" * 40, "123456789012345." + "1" * 40),
    ],
)
def test_numbers(value: Json, expected: str) -> None:
    assert number(value) == Decimal(expected)


@pytest.mark.parametrize("value", [None, "", "  ", "\t\n"])
def test_missing_number(value: Json) -> None:
    assert number(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "12,5", "NaN", "Infinity", "1_000", "1 000", "0x10", ".", "-", "1e", "1.2.3", "--1", "٣", "1e5.0", True, False,
        [], {}, [Numeral("1")], Numeral("NaN"), Numeral("-Infinity"), Numeral("1e15"), "-1000000000000000",
        "0." + "0" * 41, "1e-41", Numeral("1e400"), "1e999999999999", "9" * 5000,
    ],
)  # fmt: skip
def test_values_that_are_not_numbers(value: Json) -> None:
    with pytest.raises(NotANumberError):
        number(value)


def test_trailing_zeros_count_as_places() -> None:
    assert number("1." + "0" * 40) == 1
    with pytest.raises(NotANumberError):
        number("1." + "0" * 41)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-01T20:45:27", "2025-03-01T13:45:27"),
        ("2025-03-01 20:45", "2025-03-01T13:45:00"),
        ("2025-03-01", "2025-02-28T17:00:00"),
        (" 2025-03-01 20:45:27.5 ", "2025-03-01T13:45:27.500000"),
        ("2025-03-01T20:45:27.000001", "2025-03-01T13:45:27.000001"),
        ("2025-03-01T20:45Z", "2025-03-01T20:45:00"),
        ("2025-03-01T20:45:27+0700", "2025-03-01T13:45:27"),
        ("2025-03-01T20:45:27-05:30", "2025-03-02T02:15:27"),
        ("2024-02-29 00:00", "2024-02-28T17:00:00"),
    ],
)
def test_moments(text: str, expected: str) -> None:
    found = moment(text, WIB)

    assert found is not None
    assert found.at.tzinfo is WIB
    assert found.at == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2025-02-29", "2025-13-01", "2025-00-10", "2025-3-1", "20250301", "01/03/2025", "2025-03-01T24:00",
        "2025-03-01T20:60", "2025-03-01T20:45:60", "2025-03-01T20", "2025-03-01t20:45", "2025-03-01  20:45",
        "2025-03-01T20:45:27.1234567", "2025-03-01T20:45:27.", "2025-03-01T20:45+7", "2025-03-01T20:45+25:00",
        "2025-03-01T20:45z", "0000-00-00 00:00:00", "9999-12-31T23:59:59Z", "٢٠٢٥-03-01", "besok", Numeral("20250301"),
        True, [], {},
    ],
)  # fmt: skip
def test_unparsable_moments(value: Json) -> None:
    with pytest.raises(UnparsableError):
        moment(value, WIB)


def test_missing_moment() -> None:
    assert moment(None, WIB) is None
    assert moment("  ", WIB) is None


def test_the_month_of_a_moment_is_in_wib() -> None:
    last, first = moment("2025-01-31T16:59:59Z", WIB), moment("2025-01-31T17:00:00Z", WIB)

    assert last is not None
    assert first is not None
    assert (last.month, first.month) == ("2025-01", "2025-02")


@pytest.mark.parametrize("value", ["2025-03", "2025-12", "1999-01"])
def test_year_months(value: Json) -> None:
    assert is_year_month(value)


@pytest.mark.parametrize("value", ["2025-13", "2025-00", "2025-3", "2025-03-01", "03-2025", Numeral("202503"), None])
def test_values_that_are_not_months(value: Json) -> None:
    assert not is_year_month(value)


def test_months_are_contiguous() -> None:
    assert list(months("2024-11", "2025-03")) == ["2024-11", "2024-12", "2025-01", "2025-02", "2025-03"]
    assert list(months("2025-01", "2025-01")) == ["2025-01"]
    assert list(months("2025-02", "2025-01")) == []


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("0.005", 2, "0.01"),
        ("-0.005", 2, "-0.01"),
        ("0.00499999999999999999999999999999999999", 2, "0.00"),
        ("1.005", 2, "1.01"),
        ("-1.015", 2, "-1.02"),
        ("2.5", 0, "3"),
        ("-2.5", 0, "-3"),
        ("1234567890" * 4 + ".125", 2, "1234567890" * 4 + ".13"),
    ],
)  # fmt: skip
def test_halves_round_away_from_zero(value: str, places: int, expected: str) -> None:
    assert str(rounded(Fraction(value), places)) == expected


def test_json_is_unwrapped_to_any_depth() -> None:
    text = '[{"amount": 257.90999999999985}]'
    for _ in range(4):
        assert read_json(text) == [{"amount": Numeral("257.90999999999985")}]
        text = json.dumps(text)


def test_json_text_survives_reading_and_writing() -> None:
    text = '{"a": 1.50e+2, "b": [null, true, "\\u00e9\\n"], "c": {"d": -0.0}}'

    assert write_json(read_json(text)) == text


@pytest.mark.parametrize("text", ["", "  ", "null", '""', '" "', '"null"'])
def test_blank_json_is_none(text: str) -> None:
    assert read_json(text) is None


@pytest.mark.parametrize("text", ["[", "{'a': 1}", "tidak", '"["', "[1,]", "[" * 100_000, "[" * 101 + "]" * 101])
def test_text_that_is_not_json(text: str) -> None:
    with pytest.raises(NotJsonError):
        read_json(text)


def test_json_of_the_greatest_depth_is_read_and_written() -> None:
    text = '{"a": ' * 50 + "[" * 50 + "]" * 50 + "}" * 50

    assert write_json(read_json(text)) == text


def test_the_last_of_equal_keys_wins_and_nan_is_read() -> None:
    assert read_json('{"a": 1, "a": NaN}') == {"a": Numeral("NaN")}
