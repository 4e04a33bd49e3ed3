"""Months: keys, boundaries in WIB, arithmetic in months, and the horizon."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_pipelines.horizon import (
    Horizon,
    MonthError,
    Scope,
    month_of,
    month_start,
    months_between,
    parse_month,
    shift_month,
)

WIB = ZoneInfo("Asia/Jakarta")
MONTHS = st.dates(date(1971, 1, 1), date(2400, 12, 31)).map(lambda day: f"{day:%Y-%m}")


@pytest.mark.parametrize("text", ["2025-01", "2025-12", "1999-06"])
def test_parse_month(text: str) -> None:
    assert parse_month(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "2025-00", "2025-13", "2025-1", "25-01", "2025/01", "2025-01-01", "2025-01\n", " 2025-01", "２０２５-01"],
)
def test_text_that_is_not_a_month(text: str) -> None:
    with pytest.raises(MonthError, match="expected YYYY-MM"):
        parse_month(text)


@pytest.mark.parametrize(
    ("utc", "month"),
    [
        (datetime(2025, 2, 28, 16, 59, 59, 999999, tzinfo=UTC), "2025-02"),
        (datetime(2025, 2, 28, 17, tzinfo=UTC), "2025-03"),
        (datetime(2024, 12, 31, 17, tzinfo=UTC), "2025-01"),
        (datetime(2024, 2, 29, 16, 59, 59, tzinfo=UTC), "2024-02"),
    ],
)
def test_month_boundaries_are_in_wib(utc: datetime, month: str) -> None:
    assert month_of(utc, WIB) == month


@given(month=MONTHS)
def test_a_month_starts_where_the_one_before_ends(month: str) -> None:
    start = month_start(month, WIB)
    assert month_of(start, WIB) == month
    assert start.isoformat() == f"{month}-01T00:00:00+07:00"
    assert (month_start(shift_month(month, 1), WIB) - start).days in {28, 29, 30, 31}


@given(month=MONTHS, by=st.integers(-600, 600))
def test_shifting_counts_months(month: str, by: int) -> None:
    shifted = shift_month(month, by)
    assert shift_month(shifted, -by) == month
    assert (shifted > month) == (by > 0)
    assert len(months_between(*sorted((month, shifted)))) == abs(by) + 1


def test_shifting_skips_no_february() -> None:
    assert [shift_month("2024-12", by) for by in range(-1, 4)] == [
        "2024-11",
        "2024-12",
        "2025-01",
        "2025-02",
        "2025-03",
    ]


def test_the_horizon_includes_the_current_month() -> None:
    horizon = Horizon.at(datetime(2025, 2, 28, 17, tzinfo=UTC), first="2024-12", zone=WIB)
    assert horizon.months == ("2024-12", "2025-01", "2025-02", "2025-03")
    assert [horizon.require_month(month) for month in horizon.months] == list(horizon.months)


@pytest.mark.parametrize(
    ("month", "message"),
    [
        ("2025-04", "2025-04 is in the future: the current month is 2025-03"),
        ("2024-11", "set LEDGER_FIRST_MONTH"),
        ("2025-3", "expected YYYY-MM"),
        ("2025-01-15", "expected YYYY-MM"),
    ],
)
def test_months_outside_the_horizon(month: str, message: str) -> None:
    with pytest.raises(MonthError, match=message):
        Horizon("2024-12", "2025-03", WIB).require_month(month)


def test_a_scope_without_customers_is_whole() -> None:
    assert Scope(("2025-01",)).covers_all_customers
    assert not Scope(("2025-01",), (1,)).covers_all_customers
    assert not Scope(("2025-01",), ()).covers_all_customers


def test_a_scope_covers_its_months_and_customers() -> None:
    months = ("2025-01", "2025-02")
    some, all_customers = Scope(months, (1, 2)), Scope(months)
    assert some.covers(["2025-02"], [1])
    assert not some.covers(["2025-03"], [1])
    assert not some.covers(["2025-01"], [1, 3])
    assert not some.covers(["2025-01"], None)
    assert all_customers.covers(["2025-01"], [7])
    assert all_customers.covers(months, None)
