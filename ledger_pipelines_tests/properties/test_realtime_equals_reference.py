"""Whatever happens at the billing application, when everything has been taken up the tables equal the reference.

A random history of readings, deposits, prices, customers and flags, with looks, patrols, runs, duplicate runs and
crashes in between. Crashes happen where a statement is sent to the warehouse: any part of a transaction may be the
last. In half of the histories no patrol goes round: the watches alone must find everything then, and so nothing is
deleted, and nothing changed without its `updated_at`.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.catch_up import CatchUp, TakenUp
from ledger_pipelines.realtime.compare import Kind
from ledger_pipelines.realtime.patrol import Patrol
from ledger_pipelines.realtime.watch import Watch
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.warehouse import cursors, tables
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.pipeline import WIB, Pipeline, differences
from ledger_pipelines_tests.reference.ledger import compute
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.strategies import source_states

FIRST, CURRENT = "2025-01", "2025-04"
BEGIN = datetime(2025, 4, 10, 12, tzinfo=WIB)
CALCULATED = (tables.transaction_calculations, tables.monthly_customer_balances)
STAMPS = {"calculated_at", "is_recalculated", "last_calculated_at"}
Row = dict[str, Any]
Rows = dict[tuple[Any, ...], Row]


class CrashError(Exception):
    """The process dies."""


class RealTime(RuleBasedStateMachine):
    """A billing application in use, and everything that keeps the ledger up with it."""

    pipeline: Pipeline

    @initialize(state=source_states(first_month=FIRST, current_month=CURRENT), patrolled=st.booleans())
    def start(self, state: SourceState, patrolled: bool) -> None:
        """An application that was in use before, and a ledger computed once."""
        self.now = BEGIN
        self.patrolled = patrolled
        self.pipeline.reset(FIRST, CURRENT)
        self.state = self._stamped(SourceState(), state)
        self.pipeline.fill(self.state)
        self.pipeline.run()
        with self.pipeline.warehouse.begin() as connection:
            connection.execute(sa.update(tables.loaded_months).values(loaded_at=BEGIN))
        self.ticks = 0.0
        self._restart()

    @rule(data=st.data(), remembers=st.booleans())
    def edit(self, data: st.DataObject, remembers: bool) -> None:
        """People use the application; or change it by plain SQL, which forgets `updated_at`."""
        after, _ = data.draw(mutations(self.state, first_month=FIRST, current_month=CURRENT))
        self._becomes(after, remembers=remembers)

    @rule(data=st.data(), edits=st.integers(1, 5), remembers=st.booleans())
    def edit_one_by_one(self, data: st.DataObject, edits: int, remembers: bool) -> None:
        """Edits each of which is taken up by itself: no other change covers up for it."""
        self._settle()
        for _ in range(edits):
            after, _ = data.draw(mutations(self.state, first_month=FIRST, current_month=CURRENT, most=1))
            self._becomes(after, remembers=remembers)
            self._settle()

    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        """Somebody switches the automatic recalculation of a customer on or off."""
        position = data.draw(st.integers(0, len(self.state.users) - 1))
        users = list(self.state.users)
        is_on = users[position]["use_realtime_calculation"]
        users[position] = users[position] | {"use_realtime_calculation": not is_on}
        self._becomes(SourceState(tuple(users), self.state.readings), remembers=data.draw(st.booleans()))

    @rule(data=st.data())
    def delete_customer(self, data: st.DataObject) -> None:
        """A customer is deleted; the readings stay."""
        if len(self.state.users) > 1:
            users = list(self.state.users)
            users.pop(data.draw(st.integers(0, len(users) - 1)))
            self._becomes(SourceState(tuple(users), self.state.readings), remembers=True)

    @rule(seconds=st.sampled_from([0, 1, 7, 40, 700]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)
        self.ticks += seconds

    @rule(kind=st.sampled_from(Kind), crash=st.none() | st.integers(0, 12))
    def look(self, kind: Kind, crash: int | None) -> None:
        """A sensor looks, and may die of it."""
        with self._crashing(crash):
            self.watches[kind].look(self._app(), self.now)

    @precondition(lambda self: self.patrolled)
    @rule(table=st.sampled_from(["users", "data_pencatatan"]), crash=st.none() | st.integers(0, 12))
    def patrol(self, table: str, crash: int | None) -> None:
        """A patrol goes on a step, and may die of it."""
        with self._crashing(crash):
            self._patrol(table)

    @rule(crash=st.none() | st.integers(0, 120))
    def run(self, crash: int | None) -> None:
        """A run takes up what waits, and may die of it; one that follows it finds nothing."""
        before, concerned = self._rows(), self._concerned()
        with self._crashing(crash):
            self._take_up()
            rows = self._rows()
            self._assert_only_what_differs_was_written(before, rows)
            assert _of_others(rows, concerned) == _of_others(before, concerned), "somebody was not left alone"
            assert self._take_up() == 0
            assert self._rows() == rows

    @rule(data=st.data())
    def lose_cursors(self, data: st.DataObject) -> None:
        """Somebody restores ops.cursors from a backup, or empties it."""
        with self.pipeline.warehouse.begin() as connection:
            name = data.draw(st.sampled_from([f"watch of {kind.value}" for kind in Kind]))
            cursors.forget(connection, name)
        self._restart()

    def teardown(self) -> None:
        """Everything that is left is noticed and taken up."""
        if hasattr(self, "state"):
            self._settle()

    def _settle(self) -> None:
        """Switch everybody on, and let all changes be noticed and taken up: then every row is as the reference says."""
        users = tuple(row | {"use_realtime_calculation": True} for row in self.state.users)
        self._becomes(SourceState(users, self.state.readings), remembers=False)
        before = self._rows()
        for kind in Kind:
            self.watches[kind].look(self._app(), self.now)
        if self.patrolled:
            for table in ("users", "data_pencatatan"):
                for _ in range(2):  # the first may be the rest of a round that had begun
                    self._patrol(table)
        self._take_up()
        expected = compute(self.state, first_month=FIRST, current_month=CURRENT)
        assert differences(self.pipeline.ledger(), expected) == []
        self._assert_only_what_differs_was_written(before, self._rows())
        for table in ("users", "data_pencatatan"):
            assert self._patrol(table) == 0, "a patrol found something after everything had been taken up"
        assert self._take_up() == 0

    def _app(self) -> BillingApp:
        return BillingApp(self.pipeline.source, self.pipeline.horizon)

    def _restart(self) -> None:
        """All processes start anew, and know only what is in the warehouse."""
        self.watches = {kind: Watch(kind, self.pipeline.warehouse, clock=lambda: self.ticks) for kind in Kind}

    def _patrol(self, table: str) -> int:
        return Patrol(table, self._app(), self.pipeline.warehouse, DeletionGuard(accept=True)).step()

    def _take_up(self) -> int:
        """Take up whatever waits; how many transactions that took."""
        catch_up = CatchUp(self._app, self.pipeline.warehouse, DeletionGuard(accept=True), "test")
        results = list(catch_up.take_up())
        assert all(isinstance(result, TakenUp) for result in results), results
        return len(results)

    def _becomes(self, after: SourceState, *, remembers: bool) -> None:
        if not self.patrolled:
            after = SourceState(_all_of(self.state.users, after.users), _all_of(self.state.readings, after.readings))
        self.state = self._stamped(self.state, after) if remembers or not self.patrolled else after
        self.pipeline.fill(self.state)

    def _concerned(self) -> set[int]:
        """Whom a run may touch: who has a change that waits and is not switched off, and who gave or took a reading.

        The latter even if they are switched off: a reading must never be in two places.
        """
        off = {row["id"] for row in self.state.users if row["use_realtime_calculation"] is False}
        waiting = {row["customer_id"] for row in self.pipeline.rows(tables.pending_changes)}
        owners = {row["id"]: row["customer_id"] for row in self.state.readings}
        known = {row["reading_id"]: row["customer_id"] for row in self.pipeline.rows(tables.meter_readings)}
        known |= {
            int(row["source_id"]): row["customer_id"]
            for row in self.pipeline.rows(tables.rejected_rows)
            if row["asset"] == tables.meter_readings.name
        }
        moved = [{was, owners[reading]} for reading, was in known.items() if owners.get(reading, was) != was]
        return (waiting - off).union(*moved)

    def _stamped(self, before: SourceState, after: SourceState) -> SourceState:
        """The state with the rows that are not as before stamped now, to the second, as the application does."""
        at = self.now.replace(tzinfo=None, microsecond=0)

        def stamped(old: Sequence[Row], new: Sequence[Row]) -> tuple[Row, ...]:
            known = {row["id"]: row for row in old}
            return tuple(row if known.get(row["id"]) == row else row | {"updated_at": at} for row in new)

        return SourceState(stamped(before.users, after.users), stamped(before.readings, after.readings))

    def _rows(self) -> Rows:
        return {
            (table.name, *(row[column.name] for column in table.primary_key)): dict(row)
            for table in CALCULATED
            for row in self.pipeline.rows(table)
        }

    @staticmethod
    def _assert_only_what_differs_was_written(before: Rows, after: Rows) -> None:
        for key in before.keys() & after.keys():
            contents = [{name: row[key][name] for name in row[key] if name not in STAMPS} for row in (before, after)]
            if contents[0] == contents[1]:
                assert before[key] == after[key], f"{key} was written without a reason"
            else:
                stamp = "calculated_at" if "calculated_at" in after[key] else "last_calculated_at"
                assert before[key][stamp] < after[key][stamp], f"{key} does not say when it was written"
                assert after[key].get("is_recalculated", True), f"{key} does not say that it was written again"

    @contextmanager
    def _crashing(self, statements: int | None) -> Iterator[None]:
        """Let the process die instead of sending that statement to the warehouse, and start anew; None: it lives."""
        left = statements

        def die(*_: object) -> None:
            nonlocal left
            if left is not None:
                if left == 0:
                    left = None
                    raise CrashError
                left -= 1

        sa.event.listen(self.pipeline.warehouse, "before_cursor_execute", die)
        try:
            yield
        except CrashError:
            self._restart()
        finally:
            sa.event.remove(self.pipeline.warehouse, "before_cursor_execute", die)


def _all_of(before: Sequence[Row], after: Sequence[Row]) -> tuple[Row, ...]:
    """The rows after an edit, and those that it deleted."""
    left = {row["id"] for row in after}
    return (*after, *(row for row in before if row["id"] not in left))


def _of_others(rows: Rows, concerned: Collection[int]) -> Rows:
    return {key: row for key, row in rows.items() if row["customer_id"] not in concerned}


def test_whatever_happens_the_tables_equal_the_reference(shared_pipeline: Pipeline) -> None:
    RealTime.pipeline = shared_pipeline
    run_state_machine_as_test(RealTime, settings=settings(max_examples=4 * HISTORIES, stateful_step_count=12))
