"""Parsing of numbers, moments and JSON in unclean text, by docs/rules.md, "Moments, months, numbers"."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines.sources.values import (
    MAX_JSON_DEPTH,
    UnusableError,
    encode_json,
    is_bare_date,
    is_missing,
    parse_json,
    parse_moment,
    parse_number,
    parse_period,
    parse_text,
    quote_value,
    to_storable,
)

WIB = ZoneInfo("Asia/Jakarta")
FINITE = st.decimals(min_value=Decimal("-999999999999999"), max_value=Decimal("999999999999999"), places=20)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", "5"),
        ('"5"', "5"),
        ('" 5.50 "', "5.50"),
        ('"+5"', "5"),
        ('"-.5"', "-0.5"),
        ('"5."', "5"),
        ("257.90999999999985", "257.90999999999985"),
        ("1e3", "1E+3"),
        ('"1E-3"', "0.001"),
        ("0", "0"),
        ("-0.0", "-0.0"),
        ("999999999999999.9999", "999999999999999.9999"),
        ("1e-40", "1E-40"),
        ("0." + "1" * 40, "0." + "1" * 40),
        ("0." + "1" * 39 + "0", "0." + "1" * 39 + "0"),
        ('"0000000000000000000001"', "1"),
        ("0e999999", "0"),
    ],
)
def test_a_number(text: str, value: str) -> None:
    found = parse_number(parse_json(f"[{text}]")[0], "x")
    assert found == Decimal(value)


@pytest.mark.parametrize("text", ["null", '""', '"  "', r'"\t\n"'])
def test_a_missing_number(text: str) -> None:
    value = parse_json(f"[{text}]")[0]
    assert is_missing(value)
    assert parse_number(value, "x") is None


@pytest.mark.parametrize(
    "text",
    [
        '"12,5"',
        '"1.000,50"',
        '"1_000"',
        '"NaN"',
        "NaN",
        "Infinity",
        "-Infinity",
        '"inf"',
        '"sNaN"',
        "true",
        "false",
        "[]",
        "[5]",
        "{}",
        '"0x1F"',
        '"١٢"',
        '"５"',
        '"--5"',
        '"5 5"',
        '"."',
        '"e5"',
        '"1e"',
        '"1e1234567"',
        '"5m3"',
        r'"5\u0000"',
        r'"\ud800"',
    ],
)
def test_not_a_number(text: str) -> None:
    with pytest.raises(UnusableError, match=r"^volume is not a number: "):
        parse_number(parse_json(f"[{text}]")[0], "volume")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1000000000000000", "out of range"),
        ("-1e15", "out of range"),
        ("1e999999", "out of range"),
        ("9" * 5000, "out of range"),
        ("1e-41", "more than 40 decimals"),
        ("0." + "0" * 41, "more than 40 decimals"),
        ("1e-999999", "more than 40 decimals"),
        ("0." + "1" * 5000, "more than 40 decimals"),
    ],
)
def test_a_number_beyond_the_limits(text: str, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason) as caught:
        parse_number(parse_json(f"[{text}]")[0], "volume")
    assert len(str(caught.value)) < 150, "a message quotes at most a few digits"


@pytest.mark.parametrize(("value", "digits"), [(5, "5"), (-(2**40), "-1099511627776"), (0.1, "0.1"), (1e-7, "1E-7")])
def test_a_float_keeps_the_digits_that_its_database_shows(value: object, digits: str) -> None:
    assert str(parse_number(value, "x")) == digits


def test_a_value_nested_to_the_greatest_depth_is_shown() -> None:
    with pytest.raises(UnusableError, match=r"x is not a number: \[+"):
        parse_number(parse_json("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH), "x")


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity"), b"5"])
def test_a_value_without_a_finite_number(value: object) -> None:
    with pytest.raises(UnusableError, match="not a number"):
        parse_number(value, "x")


@given(value=FINITE)
def test_a_number_keeps_its_digits_through_json(value: Decimal) -> None:
    for text in (f"[{value:f}]", f'["{value}"]', json.dumps([f" {value:f} "]), json.dumps(f"[{value:f}]")):
        found = parse_number(parse_json(text)[0], "x")
        assert found is not None
        assert found.as_tuple() == value.as_tuple()


@given(whole=st.text("0123456789", min_size=1, max_size=15), part=st.text("0123456789", max_size=40))
def test_a_number_keeps_its_digits_as_text(whole: str, part: str) -> None:
    found = parse_number(f"{whole}.{part}", "x")
    assert found is not None
    assert -int(found.as_tuple().exponent) == len(part)
    assert f"{found:f}" == f"{int(whole)}.{part}".removesuffix(".")


@settings(max_examples=80)
@given(value=st.recursive(
    st.none() | st.booleans() | st.text() | FINITE.map(lambda number: f"number {number:f}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
))  # fmt: skip
def test_encoding_is_the_inverse_of_parsing(value: Any) -> None:
    text = json.dumps([value])
    again = encode_json(parse_json(text))
    assert to_storable(again) == again
    assert encode_json(parse_json(again)) == again
    if "\\u0000" not in text and "\\ud" not in text:
        assert json.loads(again) == [value]


@given(value=FINITE)
def test_encoding_keeps_every_digit(value: Decimal) -> None:
    assert encode_json(parse_json(f'{{"amount": {value:f}}}')) == f'{{"amount": {value:f}}}'


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("[1.10, 1E5, -0.0]", "[1.10, 1E5, -0.0]"),
        ("[NaN, Infinity]", '["NaN", "Infinity"]'),
        ("[1e999999]", '["1e999999"]'),
        (r'{"a\u0000": "b\ud800"}', '{"a\ufffd": "b?"}'),
    ],
)
def test_encoding_of_json_that_postgresql_cannot_store(text: str, encoded: str) -> None:
    assert encode_json(parse_json(text)) == encoded


@pytest.mark.parametrize("depth", range(5))
def test_json_in_json_is_unwrapped_to_any_depth(depth: int) -> None:
    text = '{"volume": 12.50}'
    for _ in range(depth):
        text = json.dumps(text)
    assert parse_json(text) == {"volume": "12.50"}


@pytest.mark.parametrize("text", [None, "", "  ", "null", ' " " ', r'"\"\""', '"null"'])
def test_missing_json(text: str | None) -> None:
    assert parse_json(text) is None


@pytest.mark.parametrize("text", ["{", "[1,]", "{'a': 1}", '"{"', "abc", '"abc"', "[" * 100_000, "\x00", '{"a": 01}'])
def test_not_json(text: str) -> None:
    with pytest.raises(UnusableError, match=r"^not JSON"):
        parse_json(text)


@pytest.mark.parametrize("frames", [0, 500])
def test_the_depth_of_the_stack_does_not_decide_what_is_json(frames: int) -> None:
    def call(text: str, more: int) -> object:
        return call(text, more - 1) if more else parse_json(text)

    deepest = '{"a": ' * 60 + "[" * 40 + "]" * 40 + "}" * 60
    assert encode_json(call(deepest, frames)) == encode_json(json.loads(deepest))
    with pytest.raises(UnusableError, match=r"^not JSON \(nested more than 100 levels deep\)$"):
        call(f"[{deepest}]", frames)


@pytest.mark.parametrize("text", ['["' + "[" * 200 + '"]', r'["\"' + "{" * 200 + '"]', "[" + "[], {}, " * 200 + "1]"])
def test_brackets_side_by_side_and_in_strings_are_not_nested(text: str) -> None:
    assert isinstance(parse_json(text), list)


@pytest.mark.parametrize("text", ['"' + r"\"" * 200 + "[" * 101, "[" * 100 + '"\\'])
def test_unterminated_json_is_not_json(text: str) -> None:
    with pytest.raises(UnusableError, match=r"^not JSON"):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2025-03-01T20:45:27", "2025-03-01T20:45:27+07:00"),
        ("2025-03-01 20:45:27", "2025-03-01T20:45:27+07:00"),
        ("2025-03-27 09:32", "2025-03-27T09:32:00+07:00"),
        ("2025-03-27T09:32", "2025-03-27T09:32:00+07:00"),
        ("2025-03-27", "2025-03-27T00:00:00+07:00"),
        ("  2025-03-27\n", "2025-03-27T00:00:00+07:00"),
        ("2024-02-29 23:59:59.5", "2024-02-29T23:59:59.500000+07:00"),
        ("2025-03-01T00:00:00.123456", "2025-03-01T00:00:00.123456+07:00"),
        ("2025-02-28T17:00:00Z", "2025-03-01T00:00:00+07:00"),
        ("2025-02-28 17:00Z", "2025-03-01T00:00:00+07:00"),
        ("2025-03-01T09:00:00+0900", "2025-03-01T07:00:00+07:00"),
        ("2025-03-01T09:00:00+09:00", "2025-03-01T07:00:00+07:00"),
        ("2025-02-27T17:30:00-23:59", "2025-03-01T00:29:00+07:00"),
        ("2025-03-01T00:00:00.5+07:00", "2025-03-01T00:00:00.500000+07:00"),
    ],
)
def test_a_moment(text: str, iso: str) -> None:
    found = parse_moment(text, "waktu", WIB)
    assert found == datetime.fromisoformat(iso)
    assert found is not None
    assert found.isoformat() == iso


@pytest.mark.parametrize("value", [None, "", "   "])
def test_a_missing_moment(value: object) -> None:
    assert parse_moment(value, "waktu", WIB) is None


@pytest.mark.parametrize(
    "value",
    [
        "2025-02-29",
        "2025-13-01",
        "2025-00-10",
        "2025-03-32",
        "0000-01-01",
        "2025-03-01 24:00",
        "2025-03-01 10:60",
        "2025-03-01 10:00:60",
        "2025-03-01 10",
        "2025-03-01  10:00",
        "2025-03-01T10:00:00.1234567",
        "2025-03-01T10:00:00+7",
        "2025-03-01T10:00:00+24:00",
        "2025-03-01T10:00:00 +07:00",
        "2025-03-01+07:00",
        "2025-03-01z",
        "2025-3-1",
        "01-03-2025",
        "01/03/2025",
        "20250301",
        "2025-W10-1",
        "２０２５-03-01",
        "kemarin",
        "2025-03-01\x00",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59Z",
        True,
        5,
        [],
        {},
    ],
)
def test_not_a_moment(value: object) -> None:
    with pytest.raises(UnusableError, match=r"^waktu is not a date"):
        parse_moment(value, "waktu", WIB)


@given(at=st.datetimes(datetime(1950, 1, 1), datetime(2200, 1, 1)), offset=st.integers(-23 * 60, 23 * 60))  # noqa: DTZ001
def test_an_offset_is_converted_to_wib(at: datetime, offset: int) -> None:
    sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
    text = f"{at.isoformat(timespec='microseconds')}{sign}{hours:02d}:{minutes:02d}"
    found = parse_moment(text, "waktu", WIB)
    assert found == datetime.fromisoformat(text)
    assert found is not None
    assert found.tzinfo is WIB


@pytest.mark.parametrize(
    ("start", "end", "first", "after"),
    [
        ("2025-03-01", "2025-03-15", "2025-03-01T00:00:00", "2025-03-16T00:00:00"),
        ("2025-03-01 00:00:00", "2025-03-15 23:59:59", "2025-03-01T00:00:00", "2025-03-16T00:00:00"),
        ("2025-03-01", "2025-03-15 00:00", "2025-03-01T00:00:00", "2025-03-15T00:00:01"),
        ("2025-03-01 10:00:00.9", "2025-03-01 10:00:00.1", "2025-03-01T10:00:00", "2025-03-01T10:00:01"),
        ("2025-03-01", " 2025-03-01 ", "2025-03-01T00:00:00", "2025-03-02T00:00:00"),
        ("2025-02-28T17:00:00Z", "2025-03-01", "2025-03-01T00:00:00", "2025-03-02T00:00:00"),
    ],
)
def test_a_period_includes_both_ends(start: str, end: str, first: str, after: str) -> None:
    found = parse_period({"start_date": start, "end_date": end}, WIB)
    assert [at.replace(tzinfo=None).isoformat() for at in found] == [first, after]


@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-31 23:59:59"])
def test_a_period_may_end_with_the_calendar(end: str) -> None:
    start, after = parse_period({"start_date": "2025-03-01", "end_date": end}, WIB)
    assert start.replace(tzinfo=None).isoformat() == "2025-03-01T00:00:00"
    assert after.year == 9999


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"end_date": "2025-03-01"}, "start_date is missing"),
        ({"start_date": "2025-03-01", "end_date": " "}, "end_date is missing"),
        ({"start_date": "x", "end_date": "2025-03-01"}, "start_date is not a date and time"),
        ({"start_date": "2025-03-01", "end_date": "2025-02-29"}, "end_date is not a date of the calendar"),
        ({"start_date": "2025-03-02", "end_date": "2025-03-01"}, "ends before it starts"),
        ({"start_date": "2025-03-01 10:00:01", "end_date": "2025-03-01 10:00"}, "ends before it starts"),
    ],
)
def test_not_a_period(entry: dict[str, str], reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        parse_period(entry, WIB)


@pytest.mark.parametrize(("value", "bare"), [("2025-03-01", True), (" 2025-03-01 ", True), ("2025-03-01 00:00", False)])
def test_a_bare_date(value: str, bare: bool) -> None:
    assert is_bare_date(value) is bare


@given(text=st.text() | st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)))
def test_storable_text_can_be_stored(text: str) -> None:
    made = to_storable(text)
    assert "\x00" not in made
    assert made.encode("utf-8").decode("utf-8") == made
    if "\x00" not in text and not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        assert made == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), ("", ""), ("a\x00b", "a\ufffdb"), ([1, None], "[1, null]"), (True, "true")]
)
def test_free_text(value: object, text: str | None) -> None:
    assert parse_text(value) == text


def test_a_value_in_a_message_is_short() -> None:
    assert quote_value("x" * 1000) == f'"{"x" * 59}…'
    assert quote_value(parse_json("[" + "9" * 1000 + "]")[0]) == f"{'9' * 60}…"
    assert quote_value({"a": None}) == '{"a": null}'
