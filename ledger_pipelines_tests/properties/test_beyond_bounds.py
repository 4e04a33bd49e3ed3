"""For any value in the application's columns, whole loads and real time equal the reference.

A row with an extreme value does not block other rows. The values are ids, numbers, texts, dates and JSON at and beyond
the bounds of the ledger and its warehouse, on both kinds of server.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier
from ledger_pipelines.realtime.full_scan import FullScan
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.conftest import EXAMPLES
from ledger_pipelines_tests.properties.test_ledger_equals_reference import CURRENT, FIRST, MONTHS, STATES
from ledger_pipelines_tests.properties.test_realtime_equals_reference import RealTime
from ledger_pipelines_tests.reference.extreme_values import with_extreme_values
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, describe_differences, new_pipeline
from ledger_pipelines_tests.support.wide_billing_schema import metadata

#: Fewer examples than other properties, because some texts have megabytes and there are two kinds of server.
MAX_EXAMPLES = EXAMPLES // 3 + 2

# A property is one test, regardless of its number of examples.
pytestmark = pytest.mark.timeout(0)


@pytest.fixture(scope="module")
def wide_pipeline(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[Pipeline]:
    """Yield a pipeline whose source columns have wider types than the ledger, on each kind of server."""
    with new_pipeline(source_server, embedded_url, metadata) as made:
        yield made


def on_mysql(pipeline: Pipeline) -> bool:
    """Return True if the source is on MySQL or MariaDB."""
    return pipeline.source.dialect.name == "mysql"


@settings(max_examples=MAX_EXAMPLES)
@given(data=st.data())
def test_whole_load_equals_reference(wide_pipeline: Pipeline, data: st.DataObject) -> None:
    pipeline = wide_pipeline
    state = data.draw(
        STATES.flatmap(lambda state: with_extreme_values(state, mysql=on_mysql(pipeline), unreadable=True))
    )
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(state)
    pipeline.run()
    expected = compute_ledger(state, first_month=FIRST, current_month=CURRENT)
    assert describe_differences(pipeline.ledger(), expected) == []
    assert_every_row_is_accounted_for(pipeline, state)
    for reason in {row["reason_kind"] for row in pipeline.rows(tables.rejected_rows)}:
        event(reason)

    rejected = rejections(pipeline)
    customers = sorted({row["id"] for row in state.users if 0 < row["id"] < 2**63})
    for months, of in (([data.draw(st.sampled_from(MONTHS))], None), (None, customers)):
        reports = pipeline.run(months, of)
        assert [report.total.changed for report in reports] == [0] * len(reports)
    assert describe_differences(pipeline.ledger(), expected) == []
    assert rejections(pipeline) == rejected


def assert_every_row_is_accounted_for(pipeline: Pipeline, state: SourceState) -> None:
    """Assert that every source row is either loaded or rejected, and not both."""
    rejected = {(row["asset"], row["source_id"]) for row in pipeline.rows(tables.rejected_rows)}
    loads = (
        ("meter_readings", tables.meter_readings.c.reading_id, state.readings),
        (
            "customers",
            tables.customers.c.customer_id,
            [row for row in state.users if row["role"] in ("customer", "fob")],
        ),
    )
    for asset, key, rows in loads:
        loaded = [str(row[key.name]) for row in pipeline.rows(key.table)]
        refused = [source_id for of, source_id in rejected if of == asset]
        assert sorted(loaded + refused) == sorted(str(row["id"]) for row in rows)


def rejections(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return the rejected rows without run and time of their last detection."""
    seen = ("run_id", "last_seen")
    return [
        {name: value for name, value in row.items() if name not in seen} for row in pipeline.rows(tables.rejected_rows)
    ]


@pytest.mark.parametrize("beyond", [2**63, 2**64 - 1])
def test_id_beyond_bigint_is_rejected_until_corrected(wide_pipeline: Pipeline, beyond: int) -> None:
    pipeline = wide_pipeline
    body = '{"waktu": "2025-02-03", "volume_sm3": 5}'
    price = {"harga_per_meter_kubik": Decimal(100)}
    users = (user_row(1, "fob", **price), user_row(beyond, "fob", **price), user_row(3, None, **price))
    healthy = (reading_row(1, 1, body),)
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(SourceState(users, (*healthy, reading_row(beyond, 1, body), reading_row(2, beyond, body))))
    pipeline.run()
    limits = "is not a whole number from 1 to 9223372036854775807"
    named = ("source_table", "source_id", "customer_id", "reason")
    assert {tuple(row[name] for name in named) for row in rejections(pipeline)} == {
        ("users", str(beyond), None, f"id {limits}: {beyond}"),
        ("data_pencatatan", "2", None, f"customer_id {limits}: {beyond}"),
        ("data_pencatatan", str(beyond), 1, f"id {limits}: {beyond}"),
    }
    balance = pipeline.rows(tables.monthly_customer_balances)
    assert [(row["customer_id"], row["closing_balance"]) for row in balance][-1] == (1, Decimal(-500))
    assert changes_found_by_full_scans(pipeline) == 0

    pipeline.fill(SourceState(users[:1], (*healthy, reading_row(2, 3, body))))  # two deleted, one corrected
    assert changes_found_by_full_scans(pipeline) > 0
    (reading,) = rejections(pipeline)
    assert (reading["source_id"], reading["customer_id"]) == ("2", 3)
    assert pipeline.rows(tables.monthly_customer_balances) == balance
    assert changes_found_by_full_scans(pipeline) == 0


def changes_found_by_full_scans(pipeline: Pipeline) -> int:
    """Run two full scans of both tables, apply all changes, and return their number."""
    app, guard = BillingSource(pipeline.source, pipeline.horizon), DeletionGuard(accept=True)
    scanned = ("users", "data_pencatatan") * 2
    found = sum(FullScan(table, app, pipeline.warehouse, guard).scan_next() for table in scanned)
    results = list(ChangeApplier(lambda: app, pipeline.warehouse, guard, "test").apply())
    assert all(isinstance(result, AppliedChanges) for result in results), results
    return found


class BeyondBounds(RealTime):
    """Billing application whose edits sometimes write extreme values."""

    @rule(data=st.data(), sets_updated_at=st.booleans())
    def write_extremes(self, data: st.DataObject, sets_updated_at: bool) -> None:
        """Write extreme values, or correct them."""
        after = data.draw(with_extreme_values(self.state, mysql=on_mysql(self.pipeline)))
        self._change_source(after, sets_updated_at=sets_updated_at)

    @rule(data=st.data(), edits=st.integers(1, 5), sets_updated_at=st.booleans())
    def write_extremes_one_by_one(self, data: st.DataObject, edits: int, sets_updated_at: bool) -> None:
        """Apply each edit separately, so that no other change hides a missed one."""
        self._apply_all()
        for _ in range(edits):
            after = data.draw(with_extreme_values(self.state, mysql=on_mysql(self.pipeline), max_edits=1))
            self._change_source(after, sets_updated_at=sets_updated_at)
            self._apply_all()


def test_real_time_equals_reference(wide_pipeline: Pipeline) -> None:
    BeyondBounds.pipeline = wide_pipeline
    run_state_machine_as_test(
        BeyondBounds, settings=settings(max_examples=MAX_EXAMPLES // 3 + 2, stateful_step_count=12)
    )
