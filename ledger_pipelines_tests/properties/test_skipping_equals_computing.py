"""After any history, a run that skips months leaves the rows that a run which computes every month would leave.

A history contains edits of the source, loads and recalculations of any tables, months and customers, transactions of
real time, and months that begin. After each step both runs are tried and rolled back.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ledger_pipelines.horizon import Scope, months_between, shift_month
from ledger_pipelines.ledger import alerts, balances, transactions
from ledger_pipelines.loading.billing.load import load_customers, load_deposits, load_prices, load_readings
from ledger_pipelines.loading.billing.staging import BillingLoad
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.month_turn import turn_month
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops.loaded_months import InputNotLoadedError
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.support.billing_pipeline import (
    Pipeline,
    assert_row_counts_are_recorded,
    content,
    describe_differences,
)

# A property is one test, regardless of its number of examples.
pytestmark = pytest.mark.timeout(0)

EARLIEST, FIRST, CURRENT, LATEST = "2025-01", "2025-02", "2025-04", "2025-06"
GUARD = DeletionGuard(accept=True)
STATES = source_states(first_month=EARLIEST, current_month=LATEST)
STEPS = (load_customers, load_prices, load_deposits, load_readings)
COMPUTED = (tables.transaction_calculations, tables.monthly_customer_balances)
#: Columns of a rejection that name the run and the times at which it was found.
_SEEN = {"run_id", "first_seen", "last_seen"}


class Skipping(RuleBasedStateMachine):
    """A source that is edited, and the steps that load and recalculate parts of the ledger."""

    pipeline: Pipeline
    skipped: ClassVar[Counter[sa.Table]] = Counter()

    @initialize(state=STATES)
    def start(self, state: Any) -> None:
        """Compute the ledger once."""
        self.state = state
        self.pipeline.reset(FIRST, CURRENT)
        self.pipeline.fill(state)
        self.pipeline.run()

    @rule(data=st.data(), steps=st.lists(st.sampled_from(STEPS), max_size=3))
    def edit(self, data: st.DataObject, steps: Sequence[Any]) -> None:
        """Edit the source, and load some tables."""
        self.state, _ = data.draw(mutations(self.state, first_month=EARLIEST, current_month=LATEST, max_edits=2))
        self.pipeline.fill(self.state)
        for step in steps:
            with self.pipeline.warehouse.begin() as connection:
                step(self._load(self._scope(data)), connection)

    @rule(data=st.data())
    def move_reading(self, data: st.DataObject) -> None:
        """Move a loaded reading to another month, and load the readings of one of both months."""
        loaded = {row["reading_id"]: row["year_month"] for row in self.pipeline.rows(tables.meter_readings)}
        if not loaded:
            return
        moved = data.draw(st.sampled_from(sorted(loaded)))
        new = data.draw(st.sampled_from(self.pipeline.horizon.months))
        body = f'{{"waktu": "{new}-07", "volume_sm3": 3}}'
        readings = (row | {"data_input": body} if row["id"] == moved else row for row in self.state.readings)
        self.state = SourceState(self.state.users, tuple(readings))
        self.pipeline.fill(self.state)
        with self.pipeline.warehouse.begin() as connection:
            load_readings(self._load(Scope((data.draw(st.sampled_from([loaded[moved], new])),))), connection)

    @rule(data=st.data(), every_month=st.booleans())
    def recalculate(self, data: st.DataObject, every_month: bool) -> None:
        """Recalculate one of the tables, or both."""
        scope = self._scope(data)
        for table in data.draw(st.sampled_from([COMPUTED[:1], COMPUTED[1:], COMPUTED])):
            with suppress(InputNotLoadedError), self.pipeline.warehouse.begin() as connection:
                self._recalculate(connection, table, scope, every_month=every_month)

    @rule(data=st.data())
    def run(self, data: st.DataObject) -> None:
        """Load and recalculate all tables."""
        scope = self._scope(data)
        self.pipeline.load(scope)
        with suppress(InputNotLoadedError):
            self.pipeline.recalculate(scope)

    @rule(data=st.data())
    def apply_change(self, data: st.DataObject) -> None:
        """Load and recalculate some customers in one transaction, as real time does."""
        horizon = self.pipeline.horizon
        first = data.draw(st.sampled_from(horizon.months))
        scope = Scope(months_between(first, horizon.current), self._some_customers(data))
        load = self._load(scope, recalculated=True)
        with suppress(InputNotLoadedError), self.pipeline.warehouse.begin() as connection:
            for step in STEPS:
                step(load, connection)
            transactions.recalculate_transactions(connection, scope, horizon, "test", balances_follow=True)
            balances.recalculate_balances(connection, scope, horizon, "test")

    @rule()
    def begin_month(self) -> None:
        """Begin a month and turn it."""
        horizon = self.pipeline.horizon
        if horizon.current < LATEST:
            self.pipeline.horizon = replace(horizon, current=shift_month(horizon.current, 1))
            with self.pipeline.warehouse.begin() as connection:
                turn_month(connection, self._app(), GUARD, "test", alerts.DEFAULT_LIMITS)

    @rule()
    def move_first_month_back(self) -> None:
        """Set an earlier first month."""
        self.pipeline.horizon = replace(self.pipeline.horizon, first=EARLIEST)

    @invariant()
    def skipping_equals_computing(self) -> None:
        """Compare a run that skips with one that computes every month; both are rolled back."""
        if not hasattr(self, "state"):
            return
        try:
            computed = self._rows_after(every_month=True)
        except InputNotLoadedError:
            with pytest.raises(InputNotLoadedError):
                self._rows_after(every_month=False)
        else:
            assert self._rows_after(every_month=False) == computed
        assert_row_counts_are_recorded(self.pipeline)

    def teardown(self) -> None:
        """Compare a whole run with the reference."""
        if hasattr(self, "state"):
            self.pipeline.run()
            horizon = self.pipeline.horizon
            expected = compute_ledger(self.state, first_month=horizon.first, current_month=horizon.current)
            assert describe_differences(self.pipeline.ledger(), expected) == []

    def _scope(self, data: st.DataObject) -> Scope:
        """Return a month or a range of months, of all or of some customers."""
        months = st.sampled_from(self.pipeline.horizon.months)
        first, last = sorted(data.draw(st.tuples(months, months) | months.map(lambda month: (month, month))))
        return Scope(months_between(first, last), data.draw(st.sampled_from([None, self._some_customers(data)])))

    def _some_customers(self, data: st.DataObject) -> tuple[int, ...]:
        ids = sorted({row["id"] for row in self.state.users} | {row["customer_id"] for row in self.state.readings})
        return tuple(sorted(data.draw(st.sets(st.sampled_from(ids), min_size=1))))

    def _app(self) -> BillingSource:
        return BillingSource(self.pipeline.source, self.pipeline.horizon)

    def _load(self, scope: Scope, *, recalculated: bool = False) -> BillingLoad:
        return BillingLoad(self._app(), scope, GUARD, "test", recalculated=recalculated)

    def _recalculate(self, connection: sa.Connection, table: sa.Table, scope: Scope, *, every_month: bool) -> None:
        horizon = self.pipeline.horizon
        report = (
            transactions.recalculate_transactions(connection, scope, horizon, "test", every_month=every_month)
            if table is tables.transaction_calculations
            else balances.recalculate_balances(connection, scope, horizon, "test", every_month=every_month)
        )
        assert not (every_month and report.skipped)
        self.skipped[table] += len(report.skipped)

    def _rows_after(self, *, every_month: bool) -> dict[str, list[dict[str, Any]]]:
        """Return the computed rows and the rejections after a recalculation of everything, which is rolled back."""
        with self.pipeline.warehouse.connect() as connection:
            for table in COMPUTED:
                self._recalculate(connection, table, Scope(self.pipeline.horizon.months), every_month=every_month)
            rows = {table.name: _rows(connection, table) for table in (*COMPUTED, tables.rejected_rows)}
            connection.rollback()
        return rows


def _rows(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table without its stamps."""
    rows = connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
    return [{name: value for name, value in content(dict(row)).items() if name not in _SEEN} for row in rows]


def test_skipping_equals_computing_after_any_history(shared_pipeline: Pipeline) -> None:
    Skipping.pipeline = shared_pipeline
    run_state_machine_as_test(Skipping, settings=settings(max_examples=4 * HISTORIES, stateful_step_count=12))
    assert min(Skipping.skipped[table] for table in COMPUTED) > 0, "no month was skipped, so nothing was compared"
