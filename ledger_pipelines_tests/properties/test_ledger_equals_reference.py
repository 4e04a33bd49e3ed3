"""For any content of the billing application, the tables equal the reference to the last digit.

Random histories, including faulty ones, on a real PostgreSQL. They are computed as a whole, computed again, changed and
recalculated for the affected customers, and computed in parts.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger import transactions
from ledger_pipelines_tests.conftest import EXAMPLES
from ledger_pipelines_tests.reference.ledger import compute_ledger, last_readable
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.support.billing_pipeline import (
    WIB,
    Pipeline,
    assert_only_changed_rows_are_written,
    assert_row_counts_are_recorded,
    calculated_rows,
    content,
    describe_differences,
)

# A property is one test, regardless of its number of examples.
pytestmark = pytest.mark.timeout(0)

FIRST, CURRENT = "2025-01", "2025-04"
MONTHS = Horizon(FIRST, CURRENT, WIB).months
STATES = source_states(first_month=FIRST, current_month=CURRENT)


@settings(max_examples=10 * EXAMPLES)
@given(state=STATES)
def test_the_whole_ledger(shared_pipeline: Pipeline, state: SourceState) -> None:
    shared_pipeline.reset(FIRST, CURRENT)
    shared_pipeline.fill(state)
    shared_pipeline.run()
    assert (
        describe_differences(shared_pipeline.ledger(), compute_ledger(state, first_month=FIRST, current_month=CURRENT))
        == []
    )


@pytest.fixture(params=["few customers", "many customers"])
def pricing_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Price months together (few customers) or one by one (many customers)."""
    if request.param == "many customers":
        monkeypatch.setattr(transactions, "MAX_CUSTOMERS_FOR_ONE_PASS", 0)


@pytest.mark.usefixtures("pricing_mode")
@given(data=st.data())
def test_change_recalculated_for_affected_customers(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    before = data.draw(STATES)
    pipeline = shared_pipeline
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(before)
    pipeline.run()
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(before, first_month=FIRST, current_month=CURRENT)) == []
    )
    rows_before = calculated_rows(pipeline)

    after, affected = data.draw(mutations(before, first_month=FIRST, current_month=CURRENT, unreadable=True))
    pipeline.fill(after)
    if affected:
        pipeline.run(customers=sorted(affected))
    remembered = last_readable(before)
    expected = compute_ledger(after, first_month=FIRST, current_month=CURRENT, last_readable_texts=remembered)
    assert describe_differences(pipeline.ledger(), expected) == []
    assert_only_changed_rows_are_written(rows_before, calculated_rows(pipeline))

    rows = calculated_rows(pipeline)
    pipeline.run()
    assert calculated_rows(pipeline) == rows, "a whole run after a scoped one found something to write"
    assert [report.skipped for report in pipeline.run()[-2:]] == [set(MONTHS)] * 2, "an unchanged month is computed"
    pipeline.run(every_month=True)
    assert calculated_rows(pipeline) == rows, "a skipped month differs"


@given(state=STATES, first=st.sampled_from(MONTHS), last=st.sampled_from(MONTHS))
def test_any_range_after_a_whole_run_writes_nothing(
    shared_pipeline: Pipeline, state: SourceState, first: str, last: str
) -> None:
    pipeline = shared_pipeline
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(state)
    pipeline.run()
    rows = calculated_rows(pipeline)
    months = [month for month in MONTHS if min(first, last) <= month <= max(first, last)]
    reports = pipeline.run(months)
    assert [report.total.changed for report in reports] == [0] * len(reports)
    assert calculated_rows(pipeline) == rows


@given(data=st.data())
def test_change_recalculated_month_by_month(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    """The ledger is correct after the last month, in any order of loading and recalculating months."""
    before = data.draw(STATES)
    pipeline = shared_pipeline
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(before)
    pipeline.run()
    after, _ = data.draw(mutations(before, first_month=FIRST, current_month=CURRENT))
    pipeline.fill(after)
    for month in data.draw(st.permutations(MONTHS)):
        pipeline.run([month])
    expected = compute_ledger(after, first_month=FIRST, current_month=CURRENT)
    assert describe_differences(pipeline.ledger(), expected) == []
    assert_row_counts_are_recorded(pipeline)


@given(state=STATES)
def test_months_computed_in_order_equal_a_whole_run(shared_pipeline: Pipeline, state: SourceState) -> None:
    pipeline = shared_pipeline
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(state)
    for month in MONTHS:
        pipeline.run([month])
    assert (
        describe_differences(pipeline.ledger(), compute_ledger(state, first_month=FIRST, current_month=CURRENT)) == []
    )
    rows = {key: content(row) for key, row in calculated_rows(pipeline).items()}
    pipeline.run(force=True)
    assert {key: content(row) for key, row in calculated_rows(pipeline).items()} == rows
