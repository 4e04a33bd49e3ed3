"""Low balances: for any history of a ledger, every crossing is recorded exactly once."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from math import floor
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger import alerts, balances
from ledger_pipelines.warehouse.tables import balance_alerts
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.reference.alerts import Alert, AlertLog, Limits, days_left, evaluate
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import Ledger, SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline

FIRST, CURRENT = "2025-01", "2025-04"
#: A current month that is over is evaluated at its end.
END = datetime(2025, 5, 1, tzinfo=WIB)
CENT = Decimal("0.01")


class SimulatedCrashError(Exception):
    """Simulated crash before the commit."""


@dataclass
class AlertHistory:
    """Pipeline, limits of its customers, and the alerts that the reference has recorded so far."""

    pipeline: Pipeline
    limits: dict[int, Limits] = field(default_factory=dict)
    log: AlertLog = field(default_factory=AlertLog)

    def run(self, customers: list[int] | None) -> None:
        """Load and recalculate all or some customers."""
        self.pipeline.run(customers=customers)

    def crash(self) -> None:
        """Recalculate the balances, and crash before the commit."""
        horizon = self.pipeline.horizon
        with suppress(SimulatedCrashError), self.pipeline.warehouse.begin() as connection:
            balances.recalculate_balances(connection, Scope(horizon.months), horizon, "crashed")
            raise SimulatedCrashError

    def set_limits(self, customer_id: int, limits: Limits) -> None:
        """Set a customer's own limits."""
        self.limits[customer_id] = limits
        with self.pipeline.warehouse.begin() as connection:
            alerts.set_limits(connection, customer_id, threshold=limits.threshold, days=limits.days)

    def expect(self, ledger: Ledger, customers: list[int] | None) -> None:
        """Evaluate the written balances with the reference."""
        known = {customer for customer, _ in (*ledger.balances, *self.log.opened)}
        for customer in sorted(known if customers is None else known & set(customers)):
            limits = self.limits.get(customer, Limits())
            evaluation = evaluate(ledger, customer, limits, current_month=CURRENT, at=END)
            self.log.record(customer, evaluation, has_balances=evaluation is not None)

    def check(self) -> None:
        """Assert that the alerts of the warehouse equal those of the reference."""
        expected = Counter((alert, True) for alert in self.log.opened.values())
        expected.update((alert, False) for alert in self.log.cleared)
        assert recorded(self.pipeline) == expected


def recorded(pipeline: Pipeline) -> Counter[tuple[Alert, bool]]:
    """Count the alerts of the warehouse, with their open state."""
    names = [item.name for item in fields(Alert)]
    return Counter(
        (Alert(**{name: row[name] for name in names}), row["cleared_at"] is None)
        for row in pipeline.rows(balance_alerts)
    )


@st.composite
def limits_near(draw: st.DrawFn, ledger: Ledger, customer_id: int) -> Limits:
    """Draw limits that a customer's balance just meets or just misses, or other limits."""
    month = ledger.balances.get((customer_id, CURRENT))
    balance = Decimal("0.00") if month is None else month.closing_balance
    left = days_left(ledger, customer_id, balance, END)
    near = 3 if left is None else min(floor(left), 10**6)
    return Limits(
        threshold=draw(
            st.sampled_from([Decimal("0.00"), balance, balance + CENT, balance - CENT, Decimal("1000000.00")])
        ),
        days=draw(st.sampled_from([7, 0, near, near + 1, 400])),
    )


@given(data=st.data())
def test_every_crossing_is_recorded_once(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    shared_pipeline.reset(FIRST, CURRENT)
    history = AlertHistory(shared_pipeline)
    state: SourceState = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    customers: list[int] | None = None
    for _ in range(data.draw(st.integers(1, 3))):
        ledger = compute_ledger(state, first_month=FIRST, current_month=CURRENT)
        shared_pipeline.fill(state)
        for customer in data.draw(st.sets(st.sampled_from([row["id"] for row in state.users]), max_size=2)):
            history.set_limits(customer, data.draw(limits_near(ledger, customer)))
            customers = None if customers is None else sorted({*customers, customer})
        whole = customers is None or data.draw(st.booleans())
        for _ in range(data.draw(st.integers(1, 2))):
            if customers == []:
                break
            history.run(None if whole else customers)
        history.expect(ledger, None if whole else customers)
        if data.draw(st.booleans()):
            history.crash()
        history.check()
        state, affected = data.draw(mutations(state, first_month=FIRST, current_month=CURRENT))
        customers = sorted(affected)


@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_past_months_raise_no_alert(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    shared_pipeline.reset(FIRST, CURRENT)
    state = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    shared_pipeline.fill(state)
    for month in shared_pipeline.horizon.months[:-1]:
        shared_pipeline.run([month])
    assert recorded(shared_pipeline) == Counter()
    shared_pipeline.run([CURRENT])
    history = AlertHistory(shared_pipeline)
    history.expect(compute_ledger(state, first_month=FIRST, current_month=CURRENT), None)
    history.check()


@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_new_month_crosses_no_threshold(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    shared_pipeline.reset(FIRST, CURRENT)
    state = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    shared_pipeline.fill(state)
    shared_pipeline.run()
    before = _thresholds(shared_pipeline)
    shared_pipeline.horizon = Horizon(FIRST, "2025-05", WIB)
    all_customers = [row["id"] for row in state.users]
    shared_pipeline.run(shared_pipeline.horizon.months[:-1], all_customers)
    assert _thresholds(shared_pipeline) == before
    customers = data.draw(st.none() | st.just(all_customers))
    shared_pipeline.run(customers=customers)
    shared_pipeline.run()
    assert _thresholds(shared_pipeline) == before


def _thresholds(pipeline: Pipeline) -> list[Any]:
    """Return the alerts below the threshold. A new month changes the use and therefore the days left."""
    statement = sa.select(balance_alerts).where(balance_alerts.c.kind == "threshold").order_by(balance_alerts.c.id)
    with pipeline.warehouse.connect() as connection:
        return list(connection.execute(statement).all())
