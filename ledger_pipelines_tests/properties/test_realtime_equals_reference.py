"""For any history of the billing application, the tables equal the reference once all changes are applied.

A history contains edits of readings, deposits, prices, customers and flags, with polls, full scans, runs, duplicate
runs and crashes between them. A crash replaces a statement to the warehouse, so any part of a transaction may be the
last. Half of the histories have no full scan, so the pollers alone must find every change. These histories delete no
row and change no row without its `updated_at`.
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
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier
from ledger_pipelines.realtime.diff import ChangeKind
from ledger_pipelines.realtime.full_scan import FullScan
from ledger_pipelines.realtime.poller import Poller
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import watermarks
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.support.billing_pipeline import (
    WIB,
    CalculatedRows,
    Pipeline,
    assert_only_changed_rows_are_written,
    calculated_rows,
    describe_differences,
)
from ledger_pipelines_tests.support.tables import execute

FIRST, CURRENT = "2025-01", "2025-04"
BEGIN = datetime(2025, 4, 10, 12, tzinfo=WIB)
Row = dict[str, Any]


class CrashError(Exception):
    """Simulated crash of the process."""


class RealTime(RuleBasedStateMachine):
    """Billing application in use, with the pollers, full scans and runs that update the ledger."""

    pipeline: Pipeline

    @initialize(state=source_states(first_month=FIRST, current_month=CURRENT), full_scans=st.booleans())
    def start(self, state: SourceState, full_scans: bool) -> None:
        """Start with an application in use and a ledger that was computed once."""
        self.now = BEGIN
        self.full_scans = full_scans
        self.pipeline.reset(FIRST, CURRENT)
        self.state = self._stamped(SourceState(), state)
        self.pipeline.fill(self.state)
        self.pipeline.run()
        self._set_loaded_at()
        self.ticks = 0.0
        self._restart()

    @rule(data=st.data(), sets_updated_at=st.booleans())
    def edit(self, data: st.DataObject, sets_updated_at: bool) -> None:
        """Edit the application; plain SQL does not set `updated_at`."""
        after, _ = data.draw(mutations(self.state, first_month=FIRST, current_month=CURRENT))
        self._change_source(after, sets_updated_at=sets_updated_at)

    @rule(data=st.data(), edits=st.integers(1, 5), sets_updated_at=st.booleans())
    def edit_one_by_one(self, data: st.DataObject, edits: int, sets_updated_at: bool) -> None:
        """Apply each edit separately, so that no other change hides a missed one."""
        self._apply_all()
        for _ in range(edits):
            after, _ = data.draw(mutations(self.state, first_month=FIRST, current_month=CURRENT, max_edits=1))
            self._change_source(after, sets_updated_at=sets_updated_at)
            self._apply_all()

    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        """Switch the automatic recalculation of a customer on or off."""
        position = data.draw(st.integers(0, len(self.state.users) - 1))
        users = list(self.state.users)
        is_on = users[position]["use_realtime_calculation"]
        users[position] = users[position] | {"use_realtime_calculation": not is_on}
        self._change_source(SourceState(tuple(users), self.state.readings), sets_updated_at=data.draw(st.booleans()))

    @rule(data=st.data())
    def delete_customer(self, data: st.DataObject) -> None:
        """Delete a customer; the readings stay."""
        if len(self.state.users) > 1:
            users = list(self.state.users)
            users.pop(data.draw(st.integers(0, len(users) - 1)))
            self._change_source(SourceState(tuple(users), self.state.readings), sets_updated_at=True)

    @rule(seconds=st.sampled_from([0, 1, 7, 40, 700]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.ticks += seconds

    @rule(kind=st.sampled_from(ChangeKind), crash=st.none() | st.integers(0, 12))
    def poll(self, kind: ChangeKind, crash: int | None) -> None:
        """Poll, possibly with a crash."""
        with self._crashing(crash):
            self.pollers[kind].poll(self._app(), self.now)

    @precondition(lambda self: self.full_scans)
    @rule(table=st.sampled_from(["users", "data_pencatatan"]), crash=st.none() | st.integers(0, 12))
    def scan(self, table: str, crash: int | None) -> None:
        """Make a step of a full scan, possibly with a crash."""
        with self._crashing(crash):
            self._scan(table)

    @rule(crash=st.none() | st.integers(0, 120))
    def run(self, crash: int | None) -> None:
        """Apply the queued changes, possibly with a crash; a second run finds nothing."""
        before, affected = calculated_rows(self.pipeline), self._affected_customers()
        with self._crashing(crash):
            self._apply_changes()
            rows = calculated_rows(self.pipeline)
            assert_only_changed_rows_are_written(before, rows)
            assert _rows_of_others(rows, affected) == _rows_of_others(before, affected), (
                "a row of an unaffected customer changed"
            )
            assert self._apply_changes() == 0
            assert calculated_rows(self.pipeline) == rows

    @rule(crash=st.none() | st.integers(0, 200))
    def reconcile(self, crash: int | None) -> None:
        """Load and recalculate everything, possibly with a crash; months whose inputs are unchanged are skipped.

        The load also reads customers that are switched off. A poll within the same second would not notice that they
        are switched on again.
        """
        with self._crashing(crash):
            self.pipeline.run()
            expected = compute_ledger(self.state, first_month=FIRST, current_month=CURRENT)
            assert describe_differences(self.pipeline.ledger(), expected) == []
        self._set_loaded_at()
        self.wait(1)

    @rule(data=st.data())
    def lose_watermark(self, data: st.DataObject) -> None:
        """Delete a watermark, as a restored or emptied ops.watermarks would."""
        with self.pipeline.warehouse.begin() as connection:
            name = data.draw(st.sampled_from([f"poller of {kind.value}" for kind in ChangeKind]))
            watermarks.delete_watermark(connection, name)
        self._restart()

    def teardown(self) -> None:
        """Find and apply all remaining changes."""
        if hasattr(self, "state"):
            self._apply_all()

    def _apply_all(self) -> None:
        """Switch on all customers, find and apply all changes, and compare every row with the reference."""
        users = tuple(row | {"use_realtime_calculation": True} for row in self.state.users)
        self._change_source(SourceState(users, self.state.readings), sets_updated_at=False)
        before = calculated_rows(self.pipeline)
        for kind in ChangeKind:
            self.pollers[kind].poll(self._app(), self.now)
        if self.full_scans:
            for table in ("users", "data_pencatatan"):
                for _ in range(2):  # the first may finish a scan that had begun
                    self._scan(table)
        self._apply_changes()
        expected = compute_ledger(self.state, first_month=FIRST, current_month=CURRENT)
        assert describe_differences(self.pipeline.ledger(), expected) == []
        assert_only_changed_rows_are_written(before, calculated_rows(self.pipeline))
        for table in ("users", "data_pencatatan"):
            assert self._scan(table) == 0, "a full scan found a change after all changes had been applied"
        assert self._apply_changes() == 0

    def _set_loaded_at(self) -> None:
        """Move the times of loads to the time of the history."""
        execute(self.pipeline.warehouse, sa.update(tables.loaded_months).values(loaded_at=BEGIN))

    def _app(self) -> BillingSource:
        return BillingSource(self.pipeline.source, self.pipeline.horizon)

    def _restart(self) -> None:
        """Restart all processes; only the state in the warehouse remains."""
        self.pollers = {kind: Poller(kind, self.pipeline.warehouse, clock=lambda: self.ticks) for kind in ChangeKind}

    def _scan(self, table: str) -> int:
        return FullScan(table, self._app(), self.pipeline.warehouse, DeletionGuard(accept=True)).scan_next()

    def _apply_changes(self) -> int:
        """Apply the queued changes; return the number of transactions."""
        catch_up = ChangeApplier(self._app, self.pipeline.warehouse, DeletionGuard(accept=True), "test")
        results = list(catch_up.apply())
        assert all(isinstance(result, AppliedChanges) for result in results), results
        return len(results)

    def _change_source(self, after: SourceState, *, sets_updated_at: bool) -> None:
        if not self.full_scans:
            users = _with_deleted(self.state.users, after.users)
            after = SourceState(users, _with_deleted(self.state.readings, after.readings))
        self.state = self._stamped(self.state, after) if sets_updated_at or not self.full_scans else after
        self.pipeline.fill(self.state)

    def _affected_customers(self) -> set[int]:
        """Return the customers that a run may change.

        They are the customers with queued changes that are not switched off, and the old and new owners of moved
        readings. The owners count even if switched off, because a reading must never count for two customers.
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
        moved = [
            {previous_owner, owners[reading]}
            for reading, previous_owner in known.items()
            if owners.get(reading, previous_owner) != previous_owner
        ]
        return (waiting - off).union(*moved)

    def _stamped(self, before: SourceState, after: SourceState) -> SourceState:
        """Return the state with `updated_at` of changed rows set to now, to the second, as the application does."""
        at = self.now.replace(tzinfo=None, microsecond=0)

        def stamped(old: Sequence[Row], new: Sequence[Row]) -> tuple[Row, ...]:
            known = {row["id"]: row for row in old}
            return tuple(row if known.get(row["id"]) == row else row | {"updated_at": at} for row in new)

        return SourceState(stamped(before.users, after.users), stamped(before.readings, after.readings))

    @contextmanager
    def _crashing(self, statements: int | None) -> Iterator[None]:
        """Crash instead of sending the given statement to the warehouse, and restart; None: no crash."""
        left = statements

        def crash(*_: object) -> None:
            nonlocal left
            if left is not None:
                if left == 0:
                    left = None
                    raise CrashError
                left -= 1

        sa.event.listen(self.pipeline.warehouse, "before_cursor_execute", crash)
        try:
            yield
        except CrashError:
            self._restart()
        finally:
            sa.event.remove(self.pipeline.warehouse, "before_cursor_execute", crash)


def _with_deleted(before: Sequence[Row], after: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows after an edit, including those that it deleted."""
    left = {row["id"] for row in after}
    return (*after, *(row for row in before if row["id"] not in left))


def _rows_of_others(rows: CalculatedRows, affected: Collection[int]) -> CalculatedRows:
    return {key: row for key, row in rows.items() if row["customer_id"] not in affected}


def test_tables_equal_reference_after_any_history(shared_pipeline: Pipeline) -> None:
    RealTime.pipeline = shared_pipeline
    run_state_machine_as_test(RealTime, settings=settings(max_examples=4 * HISTORIES, stateful_step_count=12))
