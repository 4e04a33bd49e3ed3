"""Turn of the month: every customer gets the new month, and rows that were dated in it early are loaded."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines.horizon import Horizon, month_of, month_start, shift_month
from ledger_pipelines.ledger.checks import INVARIANTS, CheckScope, evaluate
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier
from ledger_pipelines.realtime.diff import ComparedRows, enqueue_differences
from ledger_pipelines.realtime.month_turn import MonthTurn
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.schema import data_pencatatan
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines.warehouse.ops.loaded_months import ledger_horizon, unwritten_months
from ledger_pipelines.warehouse.transaction_setup import lock_tables
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline, describe_differences


@pytest.fixture
def pipeline(shared_pipeline: Pipeline) -> Pipeline:
    """Return the shared pipeline; the tests of this module empty it first."""
    return shared_pipeline


def app_of(pipeline: Pipeline) -> Callable[[], BillingSource]:
    """Return a function that returns the billing application with the pipeline's present horizon."""
    return lambda: BillingSource(pipeline.source, pipeline.horizon)


def new_month_turn(pipeline: Pipeline, app: Callable[[], BillingSource] | None = None) -> MonthTurn:
    """Return the month turn of a process that has just started."""
    return MonthTurn(app or app_of(pipeline), pipeline.warehouse, DeletionGuard(), "test")


def set_current_month(pipeline: Pipeline, month: str) -> None:
    """Begin a month."""
    pipeline.horizon = replace(pipeline.horizon, current=month)


def violations(pipeline: Pipeline) -> dict[str, int]:
    """Return the number of violating rows by violated invariant."""
    with pipeline.warehouse.connect() as connection:
        scope = CheckScope(pipeline.horizon)
        found = {invariant.name: evaluate(connection, invariant, scope).rows for invariant in INVARIANTS}
    return {name: rows for name, rows in found.items() if rows}


def two_customers(month: str, next_month: str) -> SourceState:
    """Return a customer with readings and deposits in both months, and one with only a deposit in the first."""
    deposits = f'[{{"date": "{month}-03", "amount": 5000}}, {{"date": "{next_month}-01 00:00:00", "amount": 900}}]'
    users = (
        user_row(1, role="fob", harga_per_meter_kubik=100, deposit_history=deposits),
        user_row(2, harga_per_meter_kubik=100, deposit_history=f'[{{"date": "{month}-03", "amount": 70}}]'),
    )
    texts = (f"{month}-28T23:59:59", f"{next_month}-01T00:00:00", f"{shift_month(next_month, 1)}-01")
    readings = [reading_row(id_, 1, f'{{"waktu": "{at}", "volume_sm3": 2}}') for id_, at in enumerate(texts, 1)]
    return SourceState(users, tuple(readings))


@pytest.mark.parametrize("month", ["2026-11", "2026-12", "2028-01", "2028-02", "2027-02", "2025-06"])
def test_turn_opens_the_month_and_loads_early_rows(pipeline: Pipeline, month: str) -> None:
    new = shift_month(month, 1)
    pipeline.reset(shift_month(month, -2), month)
    state = two_customers(month, new)
    pipeline.fill(state)
    pipeline.run()
    turns = new_month_turn(pipeline)
    assert turns.turn_if_due() is None, "the month has not ended"
    set_current_month(pipeline, new)
    turned = turns.turn_if_due()
    assert turned is not None
    assert (turned.months, turned.early_customers, turned.error) == ((new,), (1,), "")
    ledger = pipeline.ledger()
    assert (
        describe_differences(ledger, compute_ledger(state, first_month=shift_month(month, -2), current_month=new)) == []
    )
    assert ledger.balances[1, new].closing_balance == 5000 - 200 + 900 - 200
    assert ledger.balances[2, new].opening_balance == ledger.balances[2, month].closing_balance == 70
    assert violations(pipeline) == {}
    before = pipeline.rows(tables.monthly_customer_balances)
    assert (turns.turn_if_due(), new_month_turn(pipeline).turn_if_due()) == (None, None)
    assert pipeline.rows(tables.monthly_customer_balances) == before


def test_missed_months_are_turned_together(pipeline: Pipeline) -> None:
    pipeline.reset("2026-10", "2026-11")
    state = two_customers("2026-11", "2026-12")
    pipeline.fill(state)
    pipeline.run()
    set_current_month(pipeline, "2027-03")
    turned = new_month_turn(pipeline).turn_if_due()
    assert turned is not None
    assert turned.months == ("2026-12", "2027-01", "2027-02", "2027-03")
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(state, first_month="2026-10", current_month="2027-03"))
        == []
    )
    assert violations(pipeline) == {}


@settings(max_examples=HISTORIES)
@given(state=source_states(first_month="2025-01", current_month="2025-04"), months=st.integers(1, 3))
def test_turn_equals_computation_from_scratch(shared_pipeline: Pipeline, state: SourceState, months: int) -> None:
    """A ledger computed in an earlier month and then turned equals a ledger computed in the later month."""
    pipeline = shared_pipeline
    pipeline.reset("2025-01", shift_month("2025-04", -months))
    pipeline.fill(state)
    pipeline.run()
    set_current_month(pipeline, "2025-04")
    new_month_turn(pipeline).turn_if_due()
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(state, first_month="2025-01", current_month="2025-04"))
        == []
    )


def test_turn_without_source_queues_early_rows(pipeline: Pipeline) -> None:
    pipeline.reset("2026-10", "2026-11")
    state = two_customers("2026-11", "2026-12")
    pipeline.fill(state)
    pipeline.run()
    set_current_month(pipeline, "2026-12")
    unreachable = source_engine(pipeline.source.url.set(port=9))
    turned = new_month_turn(pipeline, lambda: BillingSource(unreachable, pipeline.horizon)).turn_if_due()
    assert turned is not None
    assert turned.early_customers == (1,)
    assert "cannot be read" in turned.error
    assert pipeline.ledger().balances[1, "2026-12"].closing_balance == 4800, "carried forward without the source"
    assert violations(pipeline) == {}
    (taken,) = ChangeApplier(app_of(pipeline), pipeline.warehouse, DeletionGuard(), "test").apply()
    assert isinstance(taken, AppliedChanges)
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(state, first_month="2026-10", current_month="2026-12"))
        == []
    )


def test_change_in_the_first_seconds_turns_the_month_for_all(pipeline: Pipeline) -> None:
    pipeline.reset("2026-10", "2026-11")
    state = two_customers("2026-11", "2026-12")
    pipeline.fill(state)
    pipeline.run()
    set_current_month(pipeline, "2026-12")
    new = reading_row(9, 2, '{"waktu": "2026-12-01 00:00:03", "volume_sm3": 5}') | {"harga_final": 0}
    with pipeline.source.begin() as source:
        source.execute(sa.insert(data_pencatatan), [new])
    with pipeline.warehouse.begin() as connection:
        what = ComparedRows("data_pencatatan", [new | {"role": "customer", "user_id": 2}])
        assert enqueue_differences(connection, app_of(pipeline)(), what) == 1
    (taken,) = ChangeApplier(app_of(pipeline), pipeline.warehouse, DeletionGuard(), "test").apply()
    assert isinstance(taken, AppliedChanges)
    assert taken.customers == (2,)
    state = SourceState(state.users, (*state.readings, new))
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(state, first_month="2026-10", current_month="2026-12"))
        == []
    )
    assert violations(pipeline) == {}


def test_run_that_waited_over_midnight_keeps_the_turn(pipeline: Pipeline) -> None:
    """The run starts to wait for the write lock in the old month, and gets it in the new one."""
    pipeline.reset("2026-10", "2026-11")
    state = two_customers("2026-11", "2026-12")
    pipeline.fill(state)
    pipeline.run()
    with pipeline.warehouse.begin() as connection:
        row = reading_row(1, 1, '{"waktu": "2026-11-29", "volume_sm3": 3}') | {"harga_final": 0}
        with pipeline.source.begin() as source:
            source.execute(sa.update(data_pencatatan).where(data_pencatatan.c.id == 1).values(row))
        enqueue_differences(
            connection, app_of(pipeline)(), ComparedRows("data_pencatatan", [row | {"role": "fob", "user_id": 1}])
        )
    catch_up = ChangeApplier(app_of(pipeline), pipeline.warehouse, DeletionGuard(), "test")
    set_current_month(pipeline, "2026-12")
    assert new_month_turn(pipeline).turn_if_due() is not None
    assert len(list(catch_up.apply())) == 1
    state = SourceState(state.users, (row, *state.readings[1:]))
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(state, first_month="2026-10", current_month="2026-12"))
        == []
    )


def test_poller_retries_instead_of_waiting_for_another_writer(pipeline: Pipeline) -> None:
    pipeline.reset("2026-10", "2026-11")
    pipeline.fill(two_customers("2026-11", "2026-12"))
    pipeline.run()
    set_current_month(pipeline, "2026-12")
    turns = new_month_turn(pipeline)
    with pipeline.warehouse.begin() as connection:
        lock_tables(connection, tables.deposits)
        assert turns.turn_if_due() is None
    assert turns.turn_if_due() is not None


def test_months_never_loaded_are_not_carried_forward(pipeline: Pipeline) -> None:
    """A ledger that is computed month by month needs a run, and so does one whose first month was moved back."""
    pipeline.reset("2025-01", "2025-06")
    pipeline.fill(two_customers("2025-02", "2025-03"))
    pipeline.run(["2025-01", "2025-02", "2025-03"])
    assert new_month_turn(pipeline).turn_if_due() is None
    pipeline.run(["2025-04", "2025-05", "2025-06"])
    pipeline.horizon = Horizon("2024-12", "2025-07", WIB)
    assert new_month_turn(pipeline).turn_if_due() is None
    with pipeline.warehouse.connect() as connection:
        assert unwritten_months(connection, pipeline.horizon) == ("2024-12", "2025-07")


def test_turn_raises_alert_for_low_balance(pipeline: Pipeline) -> None:
    pipeline.reset("2026-10", "2026-11")
    early = (
        '[{"date": "2026-11-03", "amount": 500}, {"date": "2026-12-01", "amount": 501, "keterangan": "pengurangan"}]'
    )
    pipeline.fill(SourceState((user_row(1, deposit_history=early), user_row(2, deposit_history=early[:42] + "]")), ()))
    pipeline.run()
    assert pipeline.rows(tables.balance_alerts) == []
    set_current_month(pipeline, "2026-12")
    new_month_turn(pipeline).turn_if_due()
    (alert,) = pipeline.rows(tables.balance_alerts)
    assert (alert["customer_id"], alert["kind"], alert["balance"]) == (1, "threshold", -1)


def test_previous_month_is_current_until_the_turn(pipeline: Pipeline) -> None:
    pipeline.reset("2026-10", "2026-11")
    pipeline.fill(two_customers("2026-11", "2026-12"))
    with pipeline.warehouse.connect() as connection:
        assert ledger_horizon(connection, pipeline.horizon).current == "2026-11", "nothing is computed yet"
    pipeline.run()
    set_current_month(pipeline, "2026-12")
    for expected in ("2026-11", "2026-12"):
        with pipeline.warehouse.connect() as connection:
            assert ledger_horizon(connection, pipeline.horizon).current == expected
            assert unwritten_months(connection, pipeline.horizon) == (() if expected == "2026-12" else ("2026-12",))
        new_month_turn(pipeline).turn_if_due()


@pytest.mark.parametrize(
    ("zone", "month"),
    [
        ("Asia/Jakarta", "2028-03"),
        ("America/Asuncion", "2023-10"),  # summer time began at this midnight: 00:00 did not exist
        ("Asia/Amman", "2022-04"),  # summer time began on the day before
        ("Pacific/Apia", "2012-01"),  # two days after a day that did not exist
        ("America/Los_Angeles", "2026-11"),  # the night of the first is 25 hours long
        ("UTC", "2027-01"),
    ],
)
def test_month_begins_in_the_companys_time_zone(zone: str, month: str) -> None:
    at = ZoneInfo(zone)
    start = month_start(month, at).timestamp()
    moments = [datetime.fromtimestamp(start, tz=ZoneInfo("UTC")) + timedelta(seconds=by) for by in (-1, 0, 1)]
    assert [month_of(moment, at) for moment in moments] == [shift_month(month, -1), month, month]
    horizons = [Horizon.at(moment, first="2010-01", zone=at) for moment in moments]
    assert [horizon.current for horizon in horizons] == [shift_month(month, -1), month, month]
