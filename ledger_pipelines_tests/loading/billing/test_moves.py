"""Readings and prices that change outside a run's scope: no reading is lost, and every wrong month is recalculated."""

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.invalidations import consume_invalidations, invalidate
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, describe_differences

FIRST, CURRENT = "2025-01", "2025-06"


def _reading(reading_id: int, customer_id: int, moment: str, volume: object = 100) -> dict[str, object]:
    return reading_row(reading_id, customer_id, f'{{"waktu": "{moment}", "volume_sm3": "{volume}"}}')


def _state(*readings: dict[str, object], second_role: str = "fob", prices: str | None = None) -> SourceState:
    first = user_row(1, "fob", harga_per_meter_kubik=1000, pricing_history=prices)
    return SourceState((first, user_row(2, second_role, harga_per_meter_kubik=2000)), readings)


BEFORE = _state(_reading(1, 1, "2025-02-03 10:00"), _reading(2, 1, "2025-03-03 10:00"), _reading(3, 2, "2025-03-03"))


@pytest.fixture
def computed(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline that has computed the state ``BEFORE``."""
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(BEFORE)
    pipeline.run()
    return pipeline


def _assert_equals_reference(pipeline: Pipeline, state: SourceState) -> None:
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(state, first_month=FIRST, current_month=CURRENT)) == []
    )
    assert pipeline.rows(tables.stale_months) == []


@pytest.mark.parametrize("months", [["2025-02"], ["2025-04"], ["2025-06"]])
def test_reading_moves_to_later_month(computed: Pipeline, months: list[str]) -> None:
    after = _state(_reading(1, 1, "2025-04-03 10:00"), *BEFORE.readings[1:])
    computed.fill(after)
    computed.run(months)
    if months == ["2025-06"]:  # the run read neither the old nor the new month
        computed.run()
    _assert_equals_reference(computed, after)


@pytest.mark.parametrize("month", ["2025-02", "2025-04"])
def test_load_of_either_month_invalidates_both(computed: Pipeline, month: str) -> None:
    """The recalculation that follows the load may cover neither month, or fail."""
    computed.fill(_state(_reading(1, 1, "2025-04-03 10:00"), *BEFORE.readings[1:]))
    computed.load(Scope((month,)))
    invalidated = {row["year_month"] for row in computed.rows(tables.stale_months)}
    assert invalidated == {"2025-02", "2025-04"}


@pytest.mark.parametrize("customers", [[1], [2]])
def test_reading_moves_to_another_customer(computed: Pipeline, customers: list[int]) -> None:
    after = _state(_reading(1, 2, "2025-02-03 10:00"), *BEFORE.readings[1:])
    computed.fill(after)
    computed.run(customers=customers)
    _assert_equals_reference(computed, after)


@pytest.mark.parametrize("moment", ["someday", "2027-01-01"])
@pytest.mark.parametrize(("months", "customers"), [(["2025-02"], None), (None, [1])])
def test_reading_that_becomes_unusable_is_rejected(
    computed: Pipeline, moment: str, months: list[str] | None, customers: list[int] | None
) -> None:
    after = _state(_reading(1, 1, moment), *BEFORE.readings[1:])
    computed.fill(after)
    computed.run(months, customers)
    _assert_equals_reference(computed, after)


def test_reading_moves_to_unknown_customer(computed: Pipeline) -> None:
    after = _state(_reading(1, 99, "2025-02-03 10:00"), *BEFORE.readings[1:])
    computed.fill(after)
    computed.run(customers=[1])
    _assert_equals_reference(computed, after)


def test_reading_moves_into_scope_and_is_rejected(computed: Pipeline) -> None:
    after = _state(_reading(1, 1, "2025-05-03 10:00", volume=-1), *BEFORE.readings[1:])
    computed.fill(after)
    computed.run(["2025-05"])
    _assert_equals_reference(computed, after)


@pytest.mark.parametrize(
    ("rejected", "scope"),
    [
        (_reading(1, 1, "2025-02-03 10:00", volume=-1), (["2025-02"], None)),
        (_reading(1, 1, "someday"), (["2025-03"], None)),
        (_reading(1, 2, "2025-04-03 10:00", volume=-1), (None, [2])),
    ],
    ids=["of the month", "of no month", "of the customer"],
)
def test_rejected_reading_corrected_outside_scope_is_loaded(
    computed: Pipeline, rejected: dict[str, object], scope: tuple[list[str] | None, list[int] | None]
) -> None:
    """Otherwise the reading would be neither rejected nor loaded until a run of its present month."""
    computed.fill(_state(rejected, *BEFORE.readings[1:]))
    computed.run()
    after = _state(_reading(1, 1, "2025-04-03 10:00"), *BEFORE.readings[1:])
    computed.fill(after)
    computed.run(*scope)
    _assert_equals_reference(computed, after)


def test_price_change_before_the_run_reaches_its_own_month(computed: Pipeline) -> None:
    after = _state(*BEFORE.readings, prices='[{"year_month": "2025-02", "harga_per_meter_kubik": 5}]')
    computed.fill(after)
    computed.run(["2025-04", "2025-05", "2025-06"], [1])
    _assert_equals_reference(computed, after)


def test_invalidation_waits_for_concurrent_consumer(computed: Pipeline) -> None:
    """An invalidation must not be lost while a recalculation consumes an equal one."""
    table = tables.monthly_customer_balances
    with computed.warehouse.begin() as connection:
        invalidate(connection, table, ["2025-02"], None)
    with computed.warehouse.connect() as consuming, computed.warehouse.connect() as invalidating:
        consume_invalidations(consuming, table, Scope(("2025-06",)), until="2025-06")
        invalidating.execute(sa.text("SET lock_timeout = '200ms'"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            invalidate(invalidating, table, ["2025-02"], None)


def test_scope_of_more_customers_than_parameters(computed: Pipeline) -> None:
    """A statement can have at most 65,535 parameters."""
    computed.recalculate(Scope(computed.horizon.months, tuple(range(1, 70_001))))
    _assert_equals_reference(computed, BEFORE)
