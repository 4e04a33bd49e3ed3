"""A connection that is killed in the middle of a load of all readings leaves the warehouse as it was."""

import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading.billing.load import load_readings
from ledger_pipelines.loading.billing.staging import BillingLoad
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.billing import reader
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines_tests.reference.rows import reading_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, new_pipeline
from ledger_pipelines_tests.support.builders import all_rows, state, user
from ledger_pipelines_tests.support.servers import kill_readers

#: Together 20 MB: more than the buffers of a socket hold, so that the server is still sending when it is killed.
ROWS, NOTE = 4_000, 5_000 * "x"
Kill = Callable[[Pipeline, sa.Connection], None]


@pytest.fixture(scope="module")
def loaded(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[Pipeline]:
    """Yield a pipeline that has run once, and whose source has many more readings since, on each kind of server."""
    with new_pipeline(source_server, embedded_url) as made:
        made.fill(state([user(1)], [_long_reading(1)]))
        made.run()
        made.fill(state([user(1)], [_long_reading(number) for number in range(1, ROWS)]))
        yield made


def _long_reading(number: int) -> dict[str, object]:
    return reading_row(number, 1, f'{{"waktu": "2025-02-03", "volume_sm3": {number}, "note": "{NOTE}"}}')


def kill_source(pipeline: Pipeline, _: sa.Connection) -> None:
    kill_readers(pipeline.source)


def kill_warehouse(pipeline: Pipeline, connection: sa.Connection) -> None:
    """End the session of the load's transaction."""
    number = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    with pipeline.warehouse.connect() as other:
        other.execute(sa.select(sa.func.pg_terminate_backend(number)))


@pytest.mark.parametrize(
    ("kill", "error", "message"),
    [
        (kill_source, SourceError, r"(Lost|terminating|closed the) connection.*Nothing was changed"),
        (kill_warehouse, WarehouseError, r"The warehouse .* cannot be used: .*(terminating|lost|closed)"),
    ],
    ids=["source", "warehouse"],
)  # fmt: skip
def test_a_killed_connection_leaves_the_warehouse_as_it_was(
    loaded: Pipeline, monkeypatch: pytest.MonkeyPatch, kill: Kill, error: type[LedgerError], message: str
) -> None:
    monkeypatch.setattr(reader, "CHUNK_ROWS", 10)
    before = all_rows(loaded)
    read = []
    scope = Scope(loaded.horizon.months)

    def kill_after_the_first_batch(rows: int) -> None:
        read.append(rows)
        if len(read) == 1:
            kill(loaded, connection)

    load = BillingLoad(
        BillingSource(loaded.source, loaded.horizon), scope, DeletionGuard(), "test", kill_after_the_first_batch
    )
    with (
        pytest.raises(error, match=message),
        translate_connection_errors(loaded.warehouse),
        loaded.warehouse.begin() as connection,
    ):
        load_readings(load, connection)
    assert 0 < read[-1] < ROWS
    assert all_rows(loaded) == before
    assert all(thread.name != "source-reader" for thread in threading.enumerate())
