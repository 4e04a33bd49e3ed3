"""Whatever value the application's columns hold, one row stops nobody: whole loads and real time equal the reference.

Ids, numbers, texts, dates and JSON from beyond every bound of the ledger and of its warehouse, on both kinds of server.
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
from ledger_pipelines.realtime.catch_up import CatchUp, TakenUp
from ledger_pipelines.realtime.patrol import Patrol
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.conftest import EXAMPLES
from ledger_pipelines_tests.pipeline import Pipeline, differences, new_pipeline
from ledger_pipelines_tests.properties.test_ledger_equals_reference import CURRENT, FIRST, MONTHS, STATES
from ledger_pipelines_tests.properties.test_realtime_equals_reference import RealTime
from ledger_pipelines_tests.reference.bounds import exceeded
from ledger_pipelines_tests.reference.ledger import compute
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.wide_application import metadata

#: Fewer than of other properties: texts of megabytes are among them, on two kinds of server.
SOME = EXAMPLES // 3 + 2

# A property is one test, however many examples are asked for.
pytestmark = pytest.mark.timeout(0)


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def wide_pipeline(request: pytest.FixtureRequest, embedded_url: sa.URL) -> Iterator[Pipeline]:
    """A pipeline from an application whose columns hold more than the ledger, on each kind of server."""
    server = embedded_url if request.param == "postgresql" else request.getfixturevalue("mariadb_url")
    with new_pipeline(server, embedded_url, metadata) as made:
        yield made


def on_mysql(pipeline: Pipeline) -> bool:
    """Whether the application is on MySQL or MariaDB."""
    return pipeline.source.dialect.name == "mysql"


@settings(max_examples=SOME)
@given(data=st.data())
def test_a_whole_load_stops_for_no_row(wide_pipeline: Pipeline, data: st.DataObject) -> None:
    pipeline = wide_pipeline
    state = data.draw(STATES.flatmap(lambda state: exceeded(state, mysql=on_mysql(pipeline), unreadable=True)))
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(state)
    pipeline.run()
    expected = compute(state, first_month=FIRST, current_month=CURRENT)
    assert differences(pipeline.ledger(), expected) == []
    assert_nothing_is_lost(pipeline, state)
    for reason in {row["reason_kind"] for row in pipeline.rows(tables.rejected_rows)}:
        event(reason)

    rejected = rejections(pipeline)
    customers = sorted({row["id"] for row in state.users if 0 < row["id"] < 2**63})
    for months, of in (([data.draw(st.sampled_from(MONTHS))], None), (None, customers)):
        reports = pipeline.run(months, of)
        assert [report.total.written for report in reports] == [0] * len(reports)
    assert differences(pipeline.ledger(), expected) == []
    assert rejections(pipeline) == rejected


def assert_nothing_is_lost(pipeline: Pipeline, state: SourceState) -> None:
    """Everything that is read is loaded or rejected, and no row is both."""
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
    """The rejected rows, but for who saw them when."""
    seen = ("run_id", "last_seen")
    return [
        {name: value for name, value in row.items() if name not in seen} for row in pipeline.rows(tables.rejected_rows)
    ]


@pytest.mark.parametrize("beyond", [2**63, 2**64 - 1])
def test_an_id_beyond_bigint_is_a_rejected_row_until_it_is_corrected_or_deleted(
    wide_pipeline: Pipeline, beyond: int
) -> None:
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
    assert found_by_patrols(pipeline) == 0

    pipeline.fill(SourceState(users[:1], (*healthy, reading_row(2, 3, body))))  # two are deleted, one is corrected
    assert found_by_patrols(pipeline) > 0
    (reading,) = rejections(pipeline)
    assert (reading["source_id"], reading["customer_id"]) == ("2", 3)
    assert pipeline.rows(tables.monthly_customer_balances) == balance
    assert found_by_patrols(pipeline) == 0


def found_by_patrols(pipeline: Pipeline) -> int:
    """How much two rounds of both patrols find; all of it is taken up."""
    app, guard = BillingApp(pipeline.source, pipeline.horizon), DeletionGuard(accept=True)
    tables_of_it = ("users", "data_pencatatan") * 2
    news = sum(Patrol(table, app, pipeline.warehouse, guard).step() for table in tables_of_it)
    results = list(CatchUp(lambda: app, pipeline.warehouse, guard, "test").take_up())
    assert all(isinstance(result, TakenUp) for result in results), results
    return news


class BeyondBounds(RealTime):
    """A billing application in use in which, now and then, a value is out of all proportion."""

    @rule(data=st.data(), remembers=st.booleans())
    def exceed(self, data: st.DataObject, remembers: bool) -> None:
        """Somebody exceeds the bounds, or corrects what did."""
        after = data.draw(exceeded(self.state, mysql=on_mysql(self.pipeline)))
        self._becomes(after, remembers=remembers)

    @rule(data=st.data(), edits=st.integers(1, 5), remembers=st.booleans())
    def exceed_one_by_one(self, data: st.DataObject, edits: int, remembers: bool) -> None:
        """Each is taken up by itself: no other change covers up for it."""
        self._settle()
        for _ in range(edits):
            after = data.draw(exceeded(self.state, mysql=on_mysql(self.pipeline), most=1))
            self._becomes(after, remembers=remembers)
            self._settle()


def test_real_time_stops_for_no_row(wide_pipeline: Pipeline) -> None:
    BeyondBounds.pipeline = wide_pipeline
    run_state_machine_as_test(BeyondBounds, settings=settings(max_examples=SOME // 3 + 2, stateful_step_count=12))
