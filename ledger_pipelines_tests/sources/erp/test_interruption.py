"""Reads of the ERP interrupted by the consumer, a timeout or the server: no statement and no thread is left."""

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from ledger_pipelines.sources.dialects.base import Server
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.connection import source_connection
from ledger_pipelines.sources.erp.connection.drivers import cursor_of
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.connection.pymysql import KilledCursor
from ledger_pipelines.sources.erp.reader import ErpSource, SourceInterruptedError, SourceUnreachableError, Wanted
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp.erp_sources import DRIVERS, MOVES, Source, create_source
from ledger_pipelines_tests.support.waiting import wait_until

EVERYTHING = Wanted(everything=True)
SLOW = ErpTable("slow", "A view that takes a minute", MOVES.columns, MOVES.month_columns, ())
ENDLESS = ErpTable("endless", "A view of millions of rows", MOVES.columns, MOVES.month_columns, ())
BROKEN = ErpTable("broken", "A view that fails at its last row", MOVES.columns, MOVES.month_columns, ())

_BROKEN_ON_POSTGRESQL = """
    CREATE VIEW broken AS
    SELECT n AS id, m.desc, m.group, planned_date, moved_date, 1 / (3000 - n) AS qty, amount, weight, done
    FROM moves m, generate_series(1, 3000) n
"""
_BROKEN_ON_MARIADB = """
    CREATE VIEW broken AS
    SELECT seq AS id, m.desc, m.group, planned_date, moved_date, 18446744073709551614 + (seq = 3000) * 5 AS qty,
        amount, weight, done
    FROM moves m, seq_1_to_3000
"""
_VIEWS = {
    True: (
        "CREATE VIEW slow AS SELECT m.* FROM moves m, pg_sleep(60)",
        "CREATE VIEW endless AS SELECT m.* FROM moves m, generate_series(1, 7000), generate_series(1, 7000) AS again",
        _BROKEN_ON_POSTGRESQL,
    ),
    False: (
        "CREATE VIEW slow AS SELECT * FROM moves WHERE SLEEP(60) = 0",
        "CREATE VIEW endless AS SELECT m.* FROM moves m, seq_1_to_50000000",
        _BROKEN_ON_MARIADB,
    ),
}


@pytest.fixture(scope="module", params=DRIVERS)
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """The ERP with each driver, with views that are slow, endless or broken."""
    with create_source(request.param) as made:
        made.set_moves("1, 'a', 'b', NULL, '2025-03-31', 1, 2, 0.5, true")
        made.write(*_VIEWS[made.is_postgresql])
        yield made


def assert_nothing_runs(source: Source) -> None:
    """Assert that no statement is left at the server and no reader thread in this process."""
    wait_until(lambda: source.running_statements() == [], lambda: f"still running: {source.running_statements()}")
    assert [thread.name for thread in threading.enumerate() if thread.name == "source-reader"] == []


def is_at_work(source: Source) -> bool:
    """Return whether the server is reading the slow view, directly or by a cursor."""
    return any("slow" in statement or "fetch" in statement.lower() for statement in source.running_statements())


class InterruptedReadError(Exception):
    """Raised by the signal handler in the waiting thread."""


@pytest.fixture
def stopping(source: Source) -> Iterator[None]:
    """Interrupt the test with a signal as soon as the server is at work, as a cancelled run is."""

    def stop(*_: object) -> None:
        raise InterruptedReadError

    def watch() -> None:
        wait_until(lambda: is_at_work(source), lambda: "nothing to interrupt")
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, stop)
    watching = threading.Thread(target=watch)
    watching.start()
    yield
    watching.join()
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("stopping")
def test_waiting_for_rows_can_be_interrupted(source: Source) -> None:
    with pytest.raises(InterruptedReadError), source.erp.reading(SLOW) as reading:
        list(reading.rows(EVERYTHING))
    assert_nothing_runs(source)


@pytest.mark.usefixtures("stopping")
def test_waiting_for_fingerprints_can_be_interrupted(source: Source) -> None:
    with pytest.raises(InterruptedReadError), source.erp.reading(SLOW) as reading:
        reading.fingerprints()
    assert_nothing_runs(source)


def test_closing_the_rows_ends_the_statement(source: Source) -> None:
    if source.driver == "mariadb-odbc":
        pytest.skip("this driver reads the whole result before it returns a row")
    with source.erp.reading(ENDLESS) as reading:
        rows = reading.rows(EVERYTHING)
        assert len(next(rows)) == 10
        rows.close()
    assert_nothing_runs(source)


def test_a_loader_error_ends_the_statement(source: Source) -> None:
    if source.driver == "mariadb-odbc":
        pytest.skip("this driver reads the whole result before it returns a row")
    with pytest.raises(InterruptedReadError), source.erp.reading(ENDLESS) as reading:  # noqa: PT012 - a loader fails in this way
        rows = reading.rows(EVERYTHING)
        next(rows)
        raise InterruptedReadError
    assert_nothing_runs(source)


def test_connections_are_released(source: Source) -> None:
    for _ in range(3):
        with source.erp.reading(MOVES) as reading:
            reading.fingerprints()
            list(reading.rows(EVERYTHING))
    assert_nothing_runs(source)


@pytest.mark.slow
def test_a_statement_beyond_the_time_limit(source: Source) -> None:
    short_limit = ErpSource(source.erp.engine, statement_seconds=1)
    reason = r"slow cannot be read .* LEDGER_ERP_STATEMENT_TIMEOUT_SECONDS"
    with pytest.raises(SourceError, match=reason) as error, short_limit.reading(SLOW) as reading:
        reading.fingerprints()
    assert not isinstance(error.value, SourceInterruptedError)
    assert_nothing_runs(source)


@pytest.mark.slow
def test_a_slow_loader_is_not_a_timeout(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_connection, "GRACE_SECONDS", 0)
    source.set_moves(*(f"{number}, 'a', 'b', NULL, '2025-03-31', 1, 2, 0.5, true" for number in range(60)))
    short_limit = ErpSource(source.erp.engine, statement_seconds=1, chunk_rows=10)
    with short_limit.reading(MOVES) as reading:
        rows = reading.rows(EVERYTHING)
        read = len(next(rows))
        time.sleep(1.5)
        read += sum(map(len, rows))
    assert read == 60
    source.set_moves("1, 'a', 'b', NULL, '2025-03-31', 1, 2, 0.5, true")


def test_a_lost_connection_is_retryable(source: Source) -> None:
    def kill() -> None:
        wait_until(lambda: is_at_work(source), lambda: "nothing to kill")
        kill_all = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        with source.native.connect() as connection:
            if source.is_postgresql:
                connection.exec_driver_sql(kill_all)
                return
            find = (
                "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
                " AND info IS NOT NULL"
            )
            for number in wait_until(lambda: connection.exec_driver_sql(find).scalars().all()):
                connection.exec_driver_sql(f"KILL {number}")

    killing = threading.Thread(target=kill)
    killing.start()
    reason = r"slow cannot be read from the ERP .* Try again\."
    with pytest.raises(SourceInterruptedError, match=reason), source.erp.reading(SLOW) as reading:
        list(reading.rows(EVERYTHING))
    killing.join()


@pytest.mark.slow
def test_a_lock_timeout_is_retryable(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "lock_timeout_seconds", 1)
    lock = "LOCK TABLE moves IN ACCESS EXCLUSIVE MODE" if source.is_postgresql else "LOCK TABLES moves WRITE"
    with source.native.connect() as connection:
        connection.exec_driver_sql(lock)
        reason = r"moves cannot be read .* conflicted with another transaction at the ERP\. Try again\."
        with pytest.raises(SourceInterruptedError, match=reason), source.erp.reading(MOVES) as reading:
            reading.fingerprints()
        if not source.is_postgresql:
            connection.exec_driver_sql("UNLOCK TABLES")


def test_a_view_that_fails_half_way(source: Source) -> None:
    reason = r"broken cannot be read from the ERP .*(zero|range)"
    with pytest.raises(SourceError, match=reason) as error, source.erp.reading(BROKEN) as reading:
        list(reading.rows(EVERYTHING))
    assert not isinstance(error.value, SourceInterruptedError)
    assert_nothing_runs(source)


def test_an_unreachable_address() -> None:
    url = servers.POSTGRES.set(port=servers.free_port())
    with pytest.raises(SourceUnreachableError, match="Check the host and the port in LEDGER_ERP_URL"):
        ErpSource(erp_engine(url)).check(MOVES)


@pytest.mark.parametrize("driver", ["pymysql", "mysqldb", "cymysql"])
def test_drivers_that_cannot_cancel_kill_the_statement(driver: str) -> None:
    """Each of them has SQLAlchemy's dialects for MySQL and MariaDB, and knows the number of its connection."""
    assert issubclass(cursor_of(driver), KilledCursor)
