"""Days left: each customer is in one group, by the rule of the alerts."""

from decimal import Decimal

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.alerts import DEFAULT_LIMITS, set_limits
from ledger_pipelines.ledger.days_left import DAYS_LEFT_GROUPS, balances_by_days_left
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline
from ledger_pipelines_tests.support.builders import fob_customer, fob_reading

FIRST, CURRENT = "2025-01", "2025-03"
DEPOSITS = {
    11: "29", 12: "36", 13: "37", 14: "43", 15: "44", 16: "72", 17: "73", 18: "100", 19: "500"
}  # fmt: skip
"""Deposit of each customer. All except `WITHOUT_USE` buy 30 Sm³ at 1 rupiah in March: a use of 1 rupiah a day."""
WITHOUT_USE = 18
WITH_HIGH_THRESHOLD = 19


def groups(pipeline: Pipeline) -> dict[str, tuple[int, Decimal]]:
    """Return number of customers and sum of balances of each group that has customers."""
    with pipeline.warehouse.connect() as connection:
        found = balances_by_days_left(connection, pipeline.horizon, DEFAULT_LIMITS)
    assert tuple(row.group for row in found) == DAYS_LEFT_GROUPS
    return {row.group: (row.customers, row.balance) for row in found if row.customers}


def test_each_balance_is_in_one_group(shared_pipeline: Pipeline) -> None:
    shared_pipeline.reset(FIRST, CURRENT)
    readings = [
        fob_reading(customer_id, customer_id, "2025-03-20", "30")
        for customer_id in DEPOSITS
        if customer_id != WITHOUT_USE
    ]
    customers = [fob_customer(customer_id, m03_05=amount) for customer_id, amount in DEPOSITS.items()]
    shared_pipeline.fill(SourceState(tuple(customers), tuple(readings)))
    shared_pipeline.run()
    with shared_pipeline.warehouse.begin() as connection:
        set_limits(connection, WITH_HIGH_THRESHOLD, threshold=Decimal(1000))
    assert groups(shared_pipeline) == {
        "owes": (1, Decimal("-1.00")),
        "low": (2, Decimal("476.00")),
        "under 2 weeks": (2, Decimal("20.00")),
        "2 to 6 weeks": (2, Decimal("56.00")),
        "longer": (1, Decimal("43.00")),
        "no use": (1, Decimal("100.00")),
    }


def test_empty_warehouse_has_empty_groups(connection: sa.Connection) -> None:
    found = balances_by_days_left(connection, Horizon(FIRST, CURRENT, WIB), DEFAULT_LIMITS)
    assert [(row.group, row.customers, row.balance) for row in found] == [
        (name, 0, Decimal(0)) for name in DAYS_LEFT_GROUPS
    ]
