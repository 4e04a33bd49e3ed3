"""The notes of what is to be recalculated: who takes which of them, and what they make of a scope."""

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.stale import note_stale, take_stale
from ledger_pipelines.warehouse.tables import monthly_customer_balances as balances
from ledger_pipelines.warehouse.tables import stale_months
from ledger_pipelines.warehouse.tables import transaction_calculations as transactions

MARCH = ("2025-03",)
LAST = "2025-06"


def notes(connection: sa.Connection) -> list[tuple[str, int | None]]:
    """The months noted, of whom."""
    note = stale_months.c
    found = connection.execute(sa.select(note.year_month, note.customer_id).order_by(note.year_month, note.customer_id))
    return [(row.year_month, row.customer_id) for row in found]


def test_a_recalculation_of_all_takes_every_note_of_its_table(connection: sa.Connection) -> None:
    note_stale(connection, balances, ["2025-01"], [7])
    note_stale(connection, balances, ["2025-02", "2025-04"], None)
    note_stale(connection, transactions, ["2025-05"], None)
    taken = take_stale(connection, balances, Scope(MARCH), until=LAST)
    assert taken == Scope(("2025-01", "2025-02", "2025-03", "2025-04"))
    assert notes(connection) == [("2025-05", None)]


def test_a_recalculation_of_some_is_widened_by_the_notes_of_others(connection: sa.Connection) -> None:
    note_stale(connection, balances, ["2025-01"], [7, 8])
    assert take_stale(connection, balances, Scope(MARCH, (8, 9)), until=LAST) == Scope(("2025-01", *MARCH), (7, 8, 9))
    assert notes(connection) == []


def test_what_is_noted_for_all_widens_the_months_of_some_and_stays_for_the_others(connection: sa.Connection) -> None:
    note_stale(connection, balances, ["2025-01"], None)
    assert take_stale(connection, balances, Scope(MARCH, (8,)), until=LAST) == Scope(("2025-01", *MARCH), (8,))
    assert notes(connection) == [("2025-01", None)]


@pytest.mark.parametrize("scope", [Scope(MARCH), Scope(MARCH, (7,))])
def test_what_is_noted_of_later_months_stays(connection: sa.Connection, scope: Scope) -> None:
    note_stale(connection, balances, ["2025-06", "2025-07"], [7])
    assert take_stale(connection, balances, scope, until=LAST).months == ("2025-03", "2025-06")
    assert notes(connection) == [("2025-07", 7)]


def test_what_is_noted_twice_is_noted_once(connection: sa.Connection) -> None:
    for customers in ([7], [7], None, None):
        note_stale(connection, balances, ["2025-01", "2025-01"], customers)
    assert notes(connection) == [("2025-01", 7), ("2025-01", None)]


@pytest.mark.parametrize(
    ("months", "customers", "covered", "noted"),
    [
        (MARCH, [7], Scope(MARCH, (7, 8)), []),
        (MARCH, None, Scope(MARCH), []),
        (["2025-02", *MARCH], [7], Scope(MARCH, (7, 8)), [("2025-02", 7), ("2025-03", 7)]),
        (MARCH, [7], Scope(MARCH, (8,)), [("2025-03", 7)]),
        (MARCH, None, Scope(MARCH, (8,)), [("2025-03", None)]),
        ([], [7], None, []),
    ],
)
def test_what_is_recalculated_anyway_is_not_noted(
    connection: sa.Connection,
    months: list[str],
    customers: list[int] | None,
    covered: Scope | None,
    noted: list[tuple[str, int | None]],
) -> None:
    note_stale(connection, balances, months, customers, covered=covered)
    assert notes(connection) == noted
