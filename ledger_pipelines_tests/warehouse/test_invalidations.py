"""Invalidations: which of them a recalculation consumes, and how they widen its scope."""

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.invalidations import consume_invalidations, invalidate
from ledger_pipelines.warehouse.tables import monthly_customer_balances as balances
from ledger_pipelines.warehouse.tables import stale_months
from ledger_pipelines.warehouse.tables import transaction_calculations as transactions

MARCH = ("2025-03",)
LAST = "2025-06"


def invalidations(connection: sa.Connection) -> list[tuple[str, int | None]]:
    """Return the stored invalidations as pairs of month and customer."""
    row = stale_months.c
    found = connection.execute(sa.select(row.year_month, row.customer_id).order_by(row.year_month, row.customer_id))
    return [(found_row.year_month, found_row.customer_id) for found_row in found]


def test_a_scope_of_all_customers_consumes_all_invalidations(connection: sa.Connection) -> None:
    invalidate(connection, balances, ["2025-01"], [7])
    invalidate(connection, balances, ["2025-02", "2025-04"], None)
    invalidate(connection, transactions, ["2025-05"], None)
    taken = consume_invalidations(connection, balances, Scope(MARCH), until=LAST)
    assert taken.scope == Scope(("2025-01", "2025-02", "2025-03", "2025-04"))
    assert taken.months == {"2025-01", "2025-02", "2025-04"}
    assert invalidations(connection) == [("2025-05", None)]


def test_a_scope_of_some_customers_gains_the_invalidated_customers(connection: sa.Connection) -> None:
    invalidate(connection, balances, ["2025-01"], [7, 8])
    taken = consume_invalidations(connection, balances, Scope(MARCH, (8, 9)), until=LAST)
    assert taken.scope == Scope(("2025-01", *MARCH), (7, 8, 9))
    assert taken.months == {"2025-01"}
    assert invalidations(connection) == []


def test_an_invalidation_of_all_widens_the_months_and_stays(connection: sa.Connection) -> None:
    invalidate(connection, balances, ["2025-01"], None)
    taken = consume_invalidations(connection, balances, Scope(MARCH, (8,)), until=LAST)
    assert taken.scope == Scope(("2025-01", *MARCH), (8,))
    assert taken.months == {"2025-01"}
    assert invalidations(connection) == [("2025-01", None)]


@pytest.mark.parametrize("scope", [Scope(MARCH), Scope(MARCH, (7,))])
def test_invalidations_of_later_months_stay(connection: sa.Connection, scope: Scope) -> None:
    invalidate(connection, balances, ["2025-06", "2025-07"], [7])
    assert consume_invalidations(connection, balances, scope, until=LAST).scope.months == ("2025-03", "2025-06")
    assert invalidations(connection) == [("2025-07", 7)]


def test_repeated_invalidations_are_stored_once(connection: sa.Connection) -> None:
    for customers in ([7], [7], None, None):
        invalidate(connection, balances, ["2025-01", "2025-01"], customers)
    assert invalidations(connection) == [("2025-01", 7), ("2025-01", None)]


@pytest.mark.parametrize(
    ("months", "customers", "covered", "expected"),
    [
        (MARCH, [7], Scope(MARCH, (7, 8)), []),
        (MARCH, None, Scope(MARCH), [("2025-03", None)]),
        (MARCH, [7], Scope(MARCH), [("2025-03", 7)]),
        (["2025-02", *MARCH], [7], Scope(MARCH, (7, 8)), [("2025-02", 7), ("2025-03", 7)]),
        (MARCH, [7], Scope(MARCH, (8,)), [("2025-03", 7)]),
        (MARCH, None, Scope(MARCH, (8,)), [("2025-03", None)]),
        ([], [7], None, []),
    ],
)
def test_a_covered_invalidation_is_not_stored(
    connection: sa.Connection,
    months: list[str],
    customers: list[int] | None,
    covered: Scope | None,
    expected: list[tuple[str, int | None]],
) -> None:
    invalidate(connection, balances, months, customers, covered=covered)
    assert invalidations(connection) == expected
