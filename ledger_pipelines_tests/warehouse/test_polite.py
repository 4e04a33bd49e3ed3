"""Work that gives way: it waits without holding anything, is begun again, and gives up in words."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse import polite
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.polite import WarehouseBusyError, politely
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.servers import fresh_database


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
    """Change the row, and say what it was."""
    return int(connection.scalar(sa.text("UPDATE numbers SET n = n + 1 RETURNING n - 1")) or 0)


def never() -> None:
    """Nobody is in the way."""
    raise AssertionError


def test_work_is_done_and_committed(engine: sa.Engine) -> None:
    before = politely(engine, add_one, never)
    assert politely(engine, add_one, never) == before + 1


def test_it_waits_for_a_writer_says_so_once_and_sees_what_was_written(engine: sa.Engine) -> None:
    with engine.connect() as writer:
        before = add_one(writer)
        told: list[str] = []

        def waiting() -> None:
            told.append("waiting")
            threading.Timer(0.2, writer.commit).start()

        assert politely(engine, add_one, waiting) == before + 1
    assert told == ["waiting"]


def test_a_snapshot_that_is_overtaken_is_taken_again(engine: sa.Engine) -> None:
    attempts: list[int] = []

    def overtaken(connection: sa.Connection) -> int:
        seen = int(connection.scalar(sa.text("SELECT n FROM numbers")) or 0)
        attempts.append(seen)
        if len(attempts) == 1:
            with engine.begin() as other:
                add_one(other)
        return add_one(connection)

    assert politely(engine, overtaken, lambda: None) == attempts[0] + 1
    assert attempts == [attempts[0], attempts[0] + 1]


def test_it_gives_up_in_words_and_holds_nothing(engine: sa.Engine) -> None:
    with engine.connect() as writer:
        before = add_one(writer)
        with pytest.raises(WarehouseBusyError, match=r"written.*0 seconds\. Nothing was changed\. Try again"):
            politely(engine, add_one, never, patience_seconds=0)
        writer.commit()
    assert politely(engine, add_one, never) == before + 1


def test_what_takes_too_long_is_given_up_in_words(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polite, "_STATEMENT_TIMEOUT", "50ms")
    with pytest.raises(WarehouseError, match=r"longer than 50ms, and was given up\. Nothing was changed"):
        politely(engine, lambda connection: connection.execute(sa.text("SELECT pg_sleep(20)")), never)


def test_other_errors_are_nobodys_to_wait_for(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.ProgrammingError):
        politely(engine, lambda connection: connection.execute(sa.text("SELECT * FROM nothing")), never)
