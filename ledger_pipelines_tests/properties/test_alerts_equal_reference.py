"""Low balances: whatever happens to a ledger, the alerts recorded are the crossings, each exactly once."""

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
from ledger_pipelines_tests.pipeline import WIB, Pipeline
from ledger_pipelines_tests.reference.alerts import Alert, Journal, Limits, days_left, look
from ledger_pipelines_tests.reference.ledger import compute
from ledger_pipelines_tests.reference.model import Ledger, SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.strategies import source_states

FIRST, CURRENT = "2025-01", "2025-04"
#: A current month that is over is seen as it ended.
END = datetime(2025, 5, 1, tzinfo=WIB)
CENT = Decimal("0.01")


class CrashError(Exception):
    """The process dies before the commit."""


@dataclass
class World:
    """A pipeline, what is said of its customers, and what the reference has recorded so far."""

    pipeline: Pipeline
    limits: dict[int, Limits] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)

    def run(self, customers: list[int] | None) -> None:
        """Load and recalculate, whole or for some customers."""
        self.pipeline.run(customers=customers)

    def crash(self) -> None:
        """Recalculate the balances, and die before the commit."""
        horizon = self.pipeline.horizon
        with suppress(CrashError), self.pipeline.warehouse.begin() as connection:
            balances.recalculate(connection, Scope(horizon.months), horizon, "crashed")
            raise CrashError

    def say(self, customer_id: int, limits: Limits) -> None:
        """Set when a customer's balance is low."""
        self.limits[customer_id] = limits
        with self.pipeline.warehouse.begin() as connection:
            alerts.set_threshold(connection, customer_id, threshold=limits.threshold, days=limits.days)

    def expect(self, ledger: Ledger, customers: list[int] | None) -> None:
        """Let the reference look at what a run has written."""
        known = {customer for customer, _ in (*ledger.balances, *self.journal.opened)}
        for customer in sorted(known if customers is None else known & set(customers)):
            limits = self.limits.get(customer, Limits())
            seen = look(ledger, customer, limits, current_month=CURRENT, at=END)
            self.journal.take(customer, seen, has_balances=seen is not None)

    def check(self) -> None:
        """The alerts of the warehouse are those of the reference."""
        expected = Counter((alert, True) for alert in self.journal.opened.values())
        expected.update((alert, False) for alert in self.journal.cleared)
        assert recorded(self.pipeline) == expected


def recorded(pipeline: Pipeline) -> Counter[tuple[Alert, bool]]:
    """The alerts of the warehouse, each with whether it is open."""
    names = [item.name for item in fields(Alert)]
    return Counter(
        (Alert(**{name: row[name] for name in names}), row["cleared_at"] is None)
        for row in pipeline.rows(balance_alerts)
    )


@st.composite
def limits_near(draw: st.DrawFn, ledger: Ledger, customer_id: int) -> Limits:
    """Limits that a customer's balance just keeps or just misses, or any others."""
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
    world = World(shared_pipeline)
    state: SourceState = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    customers: list[int] | None = None
    for _ in range(data.draw(st.integers(1, 3))):
        ledger = compute(state, first_month=FIRST, current_month=CURRENT)
        shared_pipeline.fill(state)
        for customer in data.draw(st.sets(st.sampled_from([row["id"] for row in state.users]), max_size=2)):
            world.say(customer, data.draw(limits_near(ledger, customer)))
            customers = None if customers is None else sorted({*customers, customer})
        whole = customers is None or data.draw(st.booleans())
        for _ in range(data.draw(st.integers(1, 2))):
            if customers == []:
                break
            world.run(None if whole else customers)
        world.expect(ledger, None if whole else customers)
        if data.draw(st.booleans()):
            world.crash()
        world.check()
        state, touched = data.draw(mutations(state, first_month=FIRST, current_month=CURRENT))
        customers = sorted(touched)


@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_months_that_are_computed_one_by_one_raise_nothing_before_the_current_one(
    shared_pipeline: Pipeline, data: st.DataObject
) -> None:
    """Low balances of the past are nobody's concern."""
    shared_pipeline.reset(FIRST, CURRENT)
    state = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    shared_pipeline.fill(state)
    for month in shared_pipeline.horizon.months[:-1]:
        shared_pipeline.run([month])
    assert recorded(shared_pipeline) == Counter()
    shared_pipeline.run([CURRENT])
    world = World(shared_pipeline)
    world.expect(compute(state, first_month=FIRST, current_month=CURRENT), None)
    world.check()


@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_a_month_that_turns_crosses_no_threshold(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    """Neither before the new month is computed nor by its being computed."""
    shared_pipeline.reset(FIRST, CURRENT)
    state = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    shared_pipeline.fill(state)
    shared_pipeline.run()
    before = _thresholds(shared_pipeline)
    shared_pipeline.horizon = Horizon(FIRST, "2025-05", WIB)
    everybody = [row["id"] for row in state.users]
    shared_pipeline.run(shared_pipeline.horizon.months[:-1], everybody)
    assert _thresholds(shared_pipeline) == before
    customers = data.draw(st.none() | st.just(everybody))
    shared_pipeline.run(customers=customers)
    shared_pipeline.run()
    assert _thresholds(shared_pipeline) == before


def _thresholds(pipeline: Pipeline) -> list[Any]:
    """The alerts of balances below the threshold; the days left follow the use, which a new month changes."""
    statement = sa.select(balance_alerts).where(balance_alerts.c.kind == "threshold").order_by(balance_alerts.c.id)
    with pipeline.warehouse.connect() as connection:
        return list(connection.execute(statement).all())
