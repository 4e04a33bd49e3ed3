"""Balance comparison: for any source, the reasons of each difference equal those of the reference."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.warehouse.tables import DIFFERENCE_REASONS, balance_comparison
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.reference.comparison import Comparison
from ledger_pipelines_tests.reference.comparison import compare_balances as expected_of
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import Ledger, SourceState
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.support.billing_pipeline import Pipeline

FIRST, CURRENT = "2025-01", "2025-04"
CENTS = st.sampled_from([Decimal(text) for text in ("0", "0", "0.01", "-0.01", "0.02", "-0.02", "0.05", "77.7")])
LIMIT = 10**12


@st.composite
def billed_sources(draw: st.DrawFn) -> tuple[SourceState, Ledger]:
    """Draw a source whose bills are close to the ledger's amounts and whose totals are close to their sums."""
    state = draw(source_states(first_month=FIRST, current_month=CURRENT))
    ledger = compute_ledger(state, first_month=FIRST, current_month=CURRENT)
    readings = []
    for row in state.readings:
        transaction = ledger.transactions.get(row["id"])
        exact = Decimal("150.25") if transaction is None else transaction.total_harga
        bill = draw(st.sampled_from([exact, exact, exact, Decimal(0), exact + draw(CENTS)]))
        readings.append(row | {"harga_final": bill if abs(bill) < LIMIT else Decimal(0)})
    users = [row | draw(totals(row, readings, ledger)) for row in state.users]
    return replace(state, users=tuple(users), readings=tuple(readings)), ledger


@st.composite
def totals(draw: st.DrawFn, row: dict[str, Any], readings: list[dict[str, Any]], ledger: Ledger) -> dict[str, Decimal]:
    """Draw a customer's totals: close to its bills, perhaps without one of them, and close to its deposits."""
    bills = [reading["harga_final"] for reading in readings if reading["customer_id"] == row["id"]]
    bought = sum(bills, Decimal(0)) - draw(st.sampled_from([Decimal(0), *bills])) + draw(CENTS)
    months = [balance for (owner, _), balance in ledger.balances.items() if owner == row["id"]]
    paid = sum((month.total_deposits for month in months), Decimal(0)) + draw(CENTS)
    found = {"total_purchases": bought, "total_deposit": paid}
    return {name: amount if abs(amount) < LIMIT else Decimal(0) for name, amount in found.items()}


@settings(max_examples=HISTORIES)
@given(source=billed_sources())
def test_reasons_of_each_difference_equal_reference(
    shared_pipeline: Pipeline, source: tuple[SourceState, Ledger]
) -> None:
    state, ledger = source
    shared_pipeline.reset(FIRST, CURRENT)
    shared_pipeline.fill(state)
    shared_pipeline.run()
    with shared_pipeline.warehouse.begin() as connection:
        compare_balances(connection, "test")
    rows = shared_pipeline.rows(balance_comparison)
    found = {row["customer_id"]: comparison_of(row) for row in rows}
    assert found == expected_of(state, ledger, first_month=FIRST, current_month=CURRENT)
    for row in rows:
        compared = found[row["customer_id"]]
        named = [reason for reason in DIFFERENCE_REASONS if reason in compared.amounts]
        assert (row["matches"], row["reasons"]) == (compared.matches, [] if compared.matches else named)
    with shared_pipeline.warehouse.begin() as connection:
        again = compare_balances(connection, "again")
    assert (again.total.changed, again.total.unchanged) == (0, len(rows))
    assert shared_pipeline.rows(balance_comparison) == rows


def comparison_of(row: sa.RowMapping) -> Comparison:
    """Convert a row of the table to the reference's type."""
    comparison = Comparison(row["last_month"], Fraction(row["ledger_balance"]), Fraction(row["application_balance"]))
    comparison.amounts = {name: Fraction(row[name]) for name in DIFFERENCE_REASONS if row[name]}
    comparison.rows.update(row["reason_rows"])
    return comparison
