"""Low-priority work: it waits without holding locks, is retried, and fails with a clear message."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse import lock_retry
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.lock_retry import with_lock_retry
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database


@pytest.fixture(scope="module")
def engine(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    """A database with a table `numbers` that holds 1."""
    with fresh_database(embedded_url) as url:
        made = warehouse_engine(url, WIB)
        with made.begin() as connection:
            connection.execute(sa.text("CREATE TABLE numbers AS SELECT 1 AS n"))
        yield made
        made.dispose()


def add_one(connection: sa.Connection) -> int:
    """Increment the number and return the previous one."""
    return int(connection.scalar(sa.text("UPDATE numbers SET n = n + 1 RETURNING n - 1")) or 0)


def fail_if_called() -> None:
    raise AssertionError


def test_work_is_committed(engine: sa.Engine) -> None:
    before = with_lock_retry(engine, add_one, fail_if_called)
    assert with_lock_retry(engine, add_one, fail_if_called) == before + 1


def test_waits_for_a_writer_and_reports_it_once(engine: sa.Engine) -> None:
    with engine.connect() as writer:
        before = add_one(writer)
        reports: list[str] = []

        def on_wait() -> None:
            reports.append("waiting")
            threading.Timer(0.2, writer.commit).start()

        assert with_lock_retry(engine, add_one, on_wait) == before + 1
    assert reports == ["waiting"]


def test_a_serialization_failure_is_retried(engine: sa.Engine) -> None:
    attempts: list[int] = []

    def read_then_write(connection: sa.Connection) -> int:
        seen = int(connection.scalar(sa.text("SELECT n FROM numbers")) or 0)
        attempts.append(seen)
        if len(attempts) == 1:
            with engine.begin() as other:
                add_one(other)
        return add_one(connection)

    assert with_lock_retry(engine, read_then_write, lambda: None) == attempts[0] + 1
    assert attempts == [attempts[0], attempts[0] + 1]


def test_timeout_raises_and_releases_the_locks(engine: sa.Engine) -> None:
    with engine.connect() as writer:
        before = add_one(writer)
        with pytest.raises(WarehouseError, match=r"writing.*0 seconds\. Nothing was changed\. Try again"):
            with_lock_retry(engine, add_one, fail_if_called, timeout_seconds=0)
        writer.commit()
    assert with_lock_retry(engine, add_one, fail_if_called) == before + 1


def test_a_slow_statement_is_cancelled_with_a_clear_message(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_retry, "_STATEMENT_TIMEOUT", "50ms")
    with pytest.raises(WarehouseError, match=r"longer than 50ms and was cancelled\. Nothing was changed"):
        with_lock_retry(engine, lambda connection: connection.execute(sa.text("SELECT pg_sleep(20)")), fail_if_called)


def test_other_errors_are_not_retried(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.ProgrammingError):
        with_lock_retry(engine, lambda connection: connection.execute(sa.text("SELECT * FROM nothing")), fail_if_called)
