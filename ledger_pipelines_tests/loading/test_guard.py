"""Deletion guard: refusal of loads from a source that looks emptied."""

import json
from decimal import Decimal

import pytest

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.builders import all_rows, fob_reading, state, user

GUARD = DeletionGuard()

PAYING = user(1, deposit_history='[{"date": "2025-02-01", "amount": 5}]')
MANY = [fob_reading(number, 1, f"2025-0{1 + number % 6}-03") for number in range(1, 601)]


@pytest.mark.parametrize(
    ("emptied", "message"),
    [
        (state([user_row(9, role="admin")], [fob_reading(1, 1, "2025-02-03")]), "has no customers at all"),
        (state([], []), "has no customers at all"),
        (state([PAYING], []), "has no readings at all"),
    ],
)
def test_emptied_source_is_refused(pipeline: Pipeline, emptied: SourceState, message: str) -> None:
    pipeline.fill(state([PAYING], [fob_reading(1, 1, "2025-02-03")]))
    pipeline.run()
    before = all_rows(pipeline)
    pipeline.fill(emptied)
    for scope in (Scope(pipeline.horizon.months), Scope(("2025-02",)), Scope(pipeline.horizon.months, (1,))):
        with pytest.raises(DeletionRefusedError, match=f"{message}.*--accept-deletions"):
            pipeline.load(scope, GUARD)
    loads = ("billing.customers", "billing.deposits", "billing.meter_readings", "billing.prices", "ops.rejected_rows")
    after = all_rows(pipeline)
    assert {name: after[name] for name in loads} == {name: before[name] for name in loads}
    pipeline.load(Scope(pipeline.horizon.months), DeletionGuard(accept=True))
    assert pipeline.rows(tables.meter_readings) == []


@pytest.mark.parametrize(("left", "refused"), [(479, True), (480, False), (500, False)])
def test_more_than_a_fifth_and_a_hundred_rows_are_refused(pipeline: Pipeline, left: int, refused: bool) -> None:
    pipeline.fill(state([user(1)], MANY))
    pipeline.run()
    pipeline.fill(state([user(1)], MANY[:left]))
    if refused:
        before = all_rows(pipeline)
        with pytest.raises(DeletionRefusedError, match=r"would delete 121 rows of billing\.meter_readings"):
            pipeline.load(Scope(pipeline.horizon.months), GUARD)
        assert all_rows(pipeline)["billing.meter_readings"] == before["billing.meter_readings"]
    else:
        pipeline.load(Scope(pipeline.horizon.months), GUARD)
        assert len(pipeline.rows(tables.meter_readings)) == left


def test_a_hundred_rows_may_go_whatever_their_share(pipeline: Pipeline) -> None:
    pipeline.fill(state([user(1)], MANY[:101]))
    pipeline.run()
    pipeline.fill(state([user(1)], MANY[:1]))
    pipeline.load(Scope(pipeline.horizon.months), GUARD)
    assert len(pipeline.rows(tables.meter_readings)) == 1


def test_month_is_guarded_by_its_own_share(pipeline: Pipeline) -> None:
    """The 110 deleted rows are few of 600, but all rows of their month."""
    readings = [fob_reading(number, 1, "2025-02-03" if number <= 110 else "2025-03-03") for number in range(1, 601)]
    pipeline.fill(state([user(1)], readings))
    pipeline.run()
    pipeline.fill(state([user(1)], readings[110:]))
    with pytest.raises(DeletionRefusedError, match="would delete 110 of the 110 rows"):
        pipeline.load(Scope(("2025-02",)), GUARD)
    pipeline.load(Scope(("2025-02",)), DeletionGuard(accept=True))
    assert len(pipeline.rows(tables.meter_readings)) == 490


def test_customers_and_deposits_are_guarded_too(pipeline: Pipeline) -> None:
    history = json.dumps([{"date": "2025-02-01", "amount": number} for number in range(150)])
    users = [user(number) for number in range(1, 151)]
    pipeline.fill(state([*users, user(151, deposit_history=history)], [fob_reading(1, 1, "2025-02-03")]))
    pipeline.run()
    pipeline.fill(state([*users[:1], user(151, deposit_history=history)], [fob_reading(1, 1, "2025-02-03")]))
    with pytest.raises(DeletionRefusedError, match="149 of the 151 rows known of users"):
        pipeline.load(Scope(pipeline.horizon.months), GUARD)
    pipeline.fill(state([*users, user(151)], [fob_reading(1, 1, "2025-02-03")]))
    with pytest.raises(DeletionRefusedError, match=r"150 of the 150 rows of billing\.deposits"):
        pipeline.load(Scope(pipeline.horizon.months), GUARD)
    assert len(pipeline.rows(tables.customers)) == 151
    assert len(pipeline.rows(tables.deposits)) == 150


def test_rejected_customer_with_many_deposits_is_not_refused(pipeline: Pipeline) -> None:
    """The deposits exceed the guard's bounds, but are deleted with their customer, and customers are guarded."""
    entries = json.dumps([{"date": "2025-02-01", "amount": 5}] * 150)
    pipeline.fill(state([user(1, deposit_history=entries), PAYING | {"id": 2, "email": "x"}], []))
    pipeline.run()
    typed = user(1, deposit_history=entries, harga_per_meter_kubik=Decimal("NaN"))
    pipeline.fill(state([typed, PAYING | {"id": 2, "email": "x"}], []))
    reports = pipeline.load(Scope(pipeline.horizon.months), GUARD)
    assert {report.table: report.total.deleted for report in reports}["billing.deposits"] == 150
    pipeline.recalculate(Scope(pipeline.horizon.months))
    assert {row["customer_id"] for row in pipeline.rows(tables.monthly_customer_balances)} == {2}
