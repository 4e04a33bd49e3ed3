"""Months and customers affected by a change: each row of the table in docs/rules.md, "Real time"."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.changes import (
    AffectedCustomer,
    CustomerState,
    EntryState,
    ReadingState,
    diff_customers,
    diff_readings,
    earliest_months,
)

HORIZON = Horizon("2025-01", "2025-06", ZoneInfo("Asia/Jakarta"))
MARCH, MAY = EntryState("2025-03", "march"), EntryState("2025-05", "may")
KNOWN = CustomerState(profile="PT Satu", defaults=100)


def account(**attributes: Any) -> CustomerState:
    """Return the known customer with other attributes; lists of entries become sets."""
    sets: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, list) else value for name, value in attributes.items()
    }
    known: dict[str, Any] = {"profile": "PT Satu", "defaults": 100}
    return CustomerState(**known | sets)


@pytest.mark.parametrize(
    ("before", "after", "month"),
    [
        pytest.param(KNOWN, account(deposits=[MARCH]), "2025-03", id="a deposit: at its own date"),
        pytest.param(account(deposits=[MARCH, MAY]), account(deposits=[MARCH]), "2025-05", id="a deposit is removed"),
        pytest.param(account(deposits=[MAY]), account(deposits=[MARCH]), "2025-03", id="a deposit moves: both months"),
        pytest.param(
            account(deposits=[MARCH]), account(deposits=[MAY]), "2025-03", id="a deposit moves later: both months"
        ),
        pytest.param(KNOWN, account(prices=[MAY]), "2025-05", id="a price: from its start"),
        pytest.param(account(prices=[MARCH]), account(prices=[MAY]), "2025-03", id="a period moves: old and new days"),
        pytest.param(KNOWN, account(defaults=200), "2025-02", id="a default: from the first reading"),
        pytest.param(KNOWN, account(profile="PT Dua"), "2025-06", id="a name: nothing is recalculated"),
        pytest.param(CustomerState(), KNOWN, "2025-01", id="a customer is added"),
        pytest.param(KNOWN, CustomerState(), "2025-01", id="a customer is deleted, or is no longer a customer"),
        pytest.param(KNOWN, account(rejected=[MARCH]), "2025-03", id="a rejected entry"),
        pytest.param(
            KNOWN, account(rejected=[EntryState(None, "x")]), "2025-06", id="a rejected entry without a month"
        ),
        pytest.param(KNOWN, account(prices=[EntryState("2024-11", "early")]), "2025-01", id="before the partitions"),
        pytest.param(KNOWN, account(prices=[EntryState("2025-09", "late")]), "2025-06", id="after the current month"),
    ],
)
def test_account_change_starts_at_the_earliest_month(before: CustomerState, after: CustomerState, month: str) -> None:
    changes = diff_customers({7: before}, {7: after}, {7: "2025-02"}, HORIZON)
    assert changes == [AffectedCustomer(row_id=7, customer_id=7, first_month=month)]


def test_default_without_readings_affects_the_current_month() -> None:
    assert diff_customers({7: KNOWN}, {7: account(defaults=200)}, {}, HORIZON) == [AffectedCustomer(7, 7, "2025-06")]


def test_unreadable_list_counts_as_unchanged() -> None:
    before = account(prices=[MARCH], deposits=[MAY])
    assert diff_customers({7: before}, {7: account(prices=None, deposits=None)}, {}, HORIZON) == []
    rejected = account(prices=None, deposits=[MAY], rejected=[EntryState(None, "unreadable")])
    assert diff_customers({7: before}, {7: rejected}, {}, HORIZON) == [AffectedCustomer(7, 7, "2025-06")]


def test_unchanged_customer_has_no_change() -> None:
    both = {7: account(prices=[MARCH]), 8: KNOWN}
    assert diff_customers(both, both, {}, HORIZON) == []
    assert [change.customer_id for change in diff_customers(both, both | {8: CustomerState()}, {}, HORIZON)] == [8]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, ReadingState(1, "2025-03", "x"), {1: "2025-03"}, id="created"),
        pytest.param(ReadingState(1, "2025-03", "x"), None, {1: "2025-03"}, id="deleted"),
        pytest.param(ReadingState(1, "2025-03", "x"), ReadingState(1, "2025-03", "y"), {1: "2025-03"}, id="changed"),
        pytest.param(ReadingState(1, "2025-05", "x"), ReadingState(1, "2025-03", "x"), {1: "2025-03"}, id="moved back"),
        pytest.param(
            ReadingState(1, "2025-03", "x"), ReadingState(1, "2025-05", "x"), {1: "2025-03"}, id="moved forward"
        ),
        pytest.param(
            ReadingState(1, "2025-03", "x"),
            ReadingState(2, "2025-05", "x"),
            {1: "2025-03", 2: "2025-05"},
            id="moved to another customer",
        ),
        pytest.param(
            ReadingState(1, "2025-03", "x"),
            ReadingState(1, None, "no moment"),
            {1: "2025-01"},
            id="changed to have no moment",
        ),
        pytest.param(None, ReadingState(1, None, "no moment"), {1: "2025-01"}, id="rejected, without a month"),
        pytest.param(ReadingState(1, None, "no moment"), None, {1: "2025-06"}, id="rejected, without a month, deleted"),
        pytest.param(ReadingState(1, "2025-03", "x"), ReadingState(1, "2025-03", "x"), {}, id="unchanged"),
    ],
)
def test_reading_affects_old_and_new_place(
    before: ReadingState | None, after: ReadingState | None, expected: dict[int, str]
) -> None:
    sides = [{} if side is None else {17: side} for side in (before, after)]
    changes = diff_readings(sides[0], sides[1], HORIZON)
    assert earliest_months(changes) == expected
    assert {change.row_id for change in changes} <= {17}


def test_earliest_month_of_several_changes() -> None:
    changes = [AffectedCustomer(1, 7, "2025-04"), AffectedCustomer(2, 7, "2025-02"), AffectedCustomer(3, 8, "2025-05")]
    assert earliest_months(changes) == {7: "2025-02", 8: "2025-05"}
