"""Rows that are read in batches of columns, and readings parsed so, equal those that are read and parsed row by row.

The rows are those of the other properties, dirty and extreme ones too, on both kinds of server.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading.billing import normalisation
from ledger_pipelines.sources.billing import schema as billing_schema
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES, MeterReading
from ledger_pipelines_tests.conftest import EXAMPLES
from ledger_pipelines_tests.properties.test_ledger_equals_reference import CURRENT, FIRST, MONTHS, STATES
from ledger_pipelines_tests.reference.extreme_values import with_extreme_values
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline, new_pipeline
from ledger_pipelines_tests.support.wide_billing_schema import metadata

# A property is one test, regardless of its number of examples.
pytestmark = pytest.mark.timeout(0)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(WIB)


_TYPES: dict[str, Callable[[str], Any]] = {
    "reading_id": int,
    "customer_id": int,
    "volume": Decimal,
    "opening_volume": Decimal,
    "closing_volume": Decimal,
    "harga_final": Decimal,
    "reading_at": _moment,
    "ended_at": _moment,
    "created_at": _moment,
    "updated_at": _moment,
}


@pytest.fixture(scope="module")
def pipeline(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[Pipeline]:
    """Yield a pipeline with the application's own column types, on each kind of server."""
    with new_pipeline(source_server, embedded_url) as made:
        yield made


@pytest.fixture(scope="module")
def wide_pipeline(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[Pipeline]:
    """Yield a pipeline whose source columns have wider types than the ledger, on each kind of server."""
    with new_pipeline(source_server, embedded_url, metadata) as made:
        yield made


@settings(max_examples=3 * EXAMPLES)
@given(state=STATES, months=st.sampled_from([MONTHS, MONTHS[1:2], MONTHS[-1:]]))
def test_dirty_readings(pipeline: Pipeline, state: SourceState, months: tuple[str, ...]) -> None:
    assert_batches_equal_rows(pipeline, state, Scope(tuple(months)))


@settings(max_examples=3 * EXAMPLES)
@given(data=st.data())
def test_extreme_readings(wide_pipeline: Pipeline, data: st.DataObject) -> None:
    mysql = wide_pipeline.source.dialect.name == "mysql"
    state = data.draw(STATES.flatmap(lambda state: with_extreme_values(state, mysql=mysql)))
    assert_batches_equal_rows(wide_pipeline, state, Scope(tuple(MONTHS)))


def assert_batches_equal_rows(pipeline: Pipeline, state: SourceState, scope: Scope) -> None:
    """Read and parse the readings of a state in both ways, and compare every value with its type and digits."""
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(state)
    app = BillingSource(pipeline.source, pipeline.horizon)
    rows = [row for chunk in app.readings(scope) for row in chunk]
    generator = app.reading_batches(scope)
    assert generator is not None
    batches = list(generator)
    texts = [row for batch in batches for row in batch.rows()]
    assert list(map(repr, texts)) == list(map(repr, rows))
    users = app.select_rows("users").order_by(billing_schema.users.c.id)
    customers = [row for row in app.fetch_rows(users) if row["role"] in CUSTOMER_ROLES]
    assert [repr(row) for chunk in app.customers(scope) for row in chunk] == list(map(repr, customers))

    expected = normalisation.readings(rows, pipeline.horizon)
    chunks = [normalisation.reading_batch(batch, pipeline.horizon) for batch in batches]
    usual = [record for chunk in chunks if chunk.columns is not None for record in _records(chunk.columns)]
    others = [record for chunk in chunks for record in chunk.records]
    assert sorted(map(repr, [*usual, *others])) == sorted(map(repr, expected.records))
    assert [rejection for chunk in chunks for rejection in chunk.rejections] == expected.rejections
    for kind, found in (("usual", usual), ("unusual but usable", others), ("rejected", expected.rejections)):
        if found:
            event(kind, payload=len(found))


def _records(columns: pa.RecordBatch) -> list[MeterReading]:
    def value(name: str, text: str | None) -> Any:
        return text if text is None or name not in _TYPES else _TYPES[name](text)

    values = [[value(name, text) for text in columns[name].to_pylist()] for name in MeterReading._fields]
    return [MeterReading._make(row) for row in zip(*values, strict=True)]
