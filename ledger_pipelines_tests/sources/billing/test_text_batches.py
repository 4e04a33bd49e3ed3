"""Batches of text of both kinds of server: cancelled, too slow, hung, and with options that only one driver knows."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.sources.billing import reader, schema, text_batches
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.sources.prefetch import StatementTimeoutError
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines_tests.reference.rows import reading_row
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database, kill_readers
from ledger_pipelines_tests.support.waiting import wait_until

HORIZON = Horizon("2025-01", "2025-04", WIB)
#: Together 20 MB: more than the buffers of a socket hold, so that the server is still sending when a reader stops.
ROWS, NOTE = 4_000, 5_000 * "x"


@pytest.fixture(scope="module")
def source(source_server: sa.URL) -> Iterator[sa.Engine]:
    """Yield the application's database with readings, on each kind of server."""
    with fresh_database(source_server) as url:
        engine = source_engine(url)
        schema.metadata.create_all(engine)
        body = '{"waktu": "2025-02-03 10:00", "volume_sm3": 5, "alamat_pengambilan": "' + NOTE + '"}'
        row = reading_row(0, 1, body) | {"harga_final": 0}
        with engine.begin() as connection:
            connection.execute(sa.insert(schema.data_pencatatan), [row | {"id": n + 1} for n in range(ROWS)])
        yield engine
        engine.dispose()


def slow_statement(engine: sa.Engine) -> sa.Select[Any]:
    """Return a statement that takes a minute to return its first row."""
    sleep = sa.func.sleep(60) if engine.dialect.name == "mysql" else sa.cast(sa.func.pg_sleep(60), sa.Text)
    return sa.select(sa.cast(sleep, sa.Text).label("slept"))


def running_statements(engine: sa.Engine) -> list[str]:
    """Return the statements that sleep, or read the readings, at the server."""
    activity = {
        "mysql": "SELECT info FROM information_schema.processlist WHERE info LIKE 'SELECT%' AND db = database()",
        "postgresql": "SELECT query FROM pg_stat_activity WHERE state <> 'idle' AND datname = current_database()",
    }
    with engine.connect() as connection:
        found = connection.exec_driver_sql(activity[engine.dialect.name].replace("%", "%%")).scalars().all()
    return [text for text in found if "data_pencatatan" in text or "sleep(60)" in text.lower()]


def test_every_row_arrives_in_batches(source: sa.Engine) -> None:
    statement = sa.select(schema.data_pencatatan.c.id).order_by(schema.data_pencatatan.c.id)
    batches = list(text_batches.read_batches(source, statement, 1_500, 60))
    assert [len(batch) for batch in batches] == [1_500, 1_500, 1_000]
    assert [text for batch in batches for text in batch.columns["id"].to_pylist()] == list(map(str, range(1, ROWS + 1)))


def test_a_statement_that_takes_too_long_is_cancelled(source: sa.Engine) -> None:
    with pytest.raises(StatementTimeoutError):
        list(text_batches.read_batches(source, slow_statement(source), 10, 1))
    wait_until(lambda: not running_statements(source), lambda: running_statements(source))


def test_a_reader_that_stops_ends_the_statement(source: sa.Engine) -> None:
    statement = sa.select(schema.data_pencatatan)
    batches = text_batches.read_batches(source, statement, 10, 60)
    assert len(next(batches)) == 10
    batches.close()
    wait_until(lambda: not running_statements(source), lambda: running_statements(source))
    assert all(thread.name != "source-reader" for thread in threading.enumerate())


def test_a_statement_that_fails_is_a_source_error(source: sa.Engine) -> None:
    app = BillingSource(source, HORIZON)
    failing: sa.Select[Any] = sa.select(sa.column("nothing")).select_from(sa.table("nowhere"))
    with pytest.raises(SourceError, match=r"The billing database .* cannot be read: [^(\n]*nowhere[^)\n]*\. Check"):
        list(app._read_batches(failing))


def test_a_connection_that_is_killed_is_a_source_error(
    source: sa.Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "CHUNK_ROWS", 10)
    app = BillingSource(source_engine(source.url, read_only=True), HORIZON)
    batches = app._read_batches(app.select_rows(schema.data_pencatatan.name))
    next(batches)
    kill_readers(source)
    with pytest.raises(
        SourceError,
        match=r"cannot be read: (2013 Lost connection|terminating connection|.*closed the connection)[^)]*\. Check",
    ):
        list(batches)
    assert not caplog.records
    app.engine.dispose()


@pytest.mark.parametrize("bytes_before", [0, 200_000], ids=["at the login", "in the middle"])
def test_a_server_that_hangs_is_a_source_error(source: sa.Engine, bytes_before: int) -> None:
    with hanging_proxy(source.url, bytes_before) as port:
        hanging = source_engine(source.url.set(port=port, host="127.0.0.1"))
        app = BillingSource(hanging, HORIZON, statement_seconds=2)
        statement = BillingSource(source, HORIZON).select_rows(schema.data_pencatatan.name)
        with pytest.raises(SourceError, match=r"cannot be read: .*(sent no rows for 2 s|timeout|timed out)"):
            list(app._read_batches(statement))
        assert all(thread.name != "source-reader" for thread in threading.enumerate())
        hanging.dispose()


@contextlib.contextmanager
def hanging_proxy(url: sa.URL, bytes_before: int) -> Iterator[int]:
    """Yield the port of a proxy to a server that passes this many bytes on, and then nothing in either direction."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, url, bytes_before, stopped))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def _accept(listener: socket.socket, url: sa.URL, bytes_left: int, stopped: threading.Event) -> None:
    peers: dict[socket.socket, socket.socket] = {}
    while not stopped.is_set():
        waiting = [listener, *peers] if bytes_left > 0 or not peers else [listener]
        ready, _, _ = select.select(waiting, [], [], 0.1)
        for ours in ready:
            if ours is listener:
                client = listener.accept()[0]
                server = socket.create_connection((url.host or "127.0.0.1", url.port or 5432))
                peers |= {client: server, server: client}
            elif data := ours.recv(65_536):
                bytes_left -= len(data)
                peers[ours].sendall(data)
    for peer in peers:
        peer.close()


def test_an_option_of_pymysql_alone_needs_the_read_row_by_row() -> None:
    known = "mysql+pymysql://u@h/db?ssl_ca=/ca.pem&ssl_check_hostname=false&charset=utf8mb4"
    assert text_batches.can_read(sa.create_engine(known))
    assert not text_batches.can_read(sa.create_engine(f"{known}&bind_address=10.0.0.1"))


@pytest.mark.parametrize("source_server", ["postgresql"], indirect=True)
def test_a_type_with_another_text_needs_the_read_row_by_row(source_server: sa.URL) -> None:
    with fresh_database(source_server) as url:
        engine = source_engine(url)
        schema.metadata.create_all(engine)
        app = BillingSource(engine, HORIZON)
        assert app.reading_batches(Scope(HORIZON.months)) is not None
        for kind in ("double precision", "timestamp with time zone"):
            name = "harga_final" if kind.startswith("double") else "created_at"
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE data_pencatatan ALTER {name} TYPE {kind}")
            app.refresh_columns()
            assert app.reading_batches(Scope(HORIZON.months)) is None
            with engine.begin() as connection:
                before = "numeric(15,2)" if name == "harga_final" else "timestamp without time zone"
                connection.exec_driver_sql(f"ALTER TABLE data_pencatatan ALTER {name} TYPE {before}")
        engine.dispose()


def test_a_time_zone_whose_offset_changes_needs_the_read_row_by_row(source: sa.Engine) -> None:
    for zone, by_column in (("Asia/Jayapura", True), ("Europe/Berlin", False)):
        app = BillingSource(source, Horizon("2025-01", "2025-04", ZoneInfo(zone)))
        assert (app.reading_batches(Scope(app.horizon.months)) is not None) is by_column


def test_a_read_only_engine_refuses_to_write(source: sa.Engine) -> None:
    reading = source_engine(source.url, read_only=True, statement_seconds=60)
    with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read.only"), reading.begin() as connection:
        connection.execute(sa.delete(schema.data_pencatatan))
    reading.dispose()


@pytest.mark.parametrize("source_server", ["postgresql"], indirect=True)
def test_a_session_of_a_pooler_keeps_its_settings(source: sa.Engine) -> None:
    reading = source_engine(source.url, read_only=True, statement_seconds=60)
    with reading.connect() as connection:
        connection.execute(sa.select(1))
    with contextlib.closing(reading.raw_connection()) as session:
        cursor = session.cursor()
        cursor.execute("SELECT current_setting('default_transaction_read_only'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("off", "0")
    reading.dispose()


@pytest.mark.parametrize("encoding", ["latin1", "utf8"])
def test_a_name_keeps_its_letters_in_each_encoding(source_server: sa.URL, encoding: str) -> None:
    with fresh_database(source_server) as url:
        option = "charset" if url.get_backend_name() == "mysql" else "client_encoding"
        engine = source_engine(url.update_query_dict({option: encoding}))
        schema.metadata.create_all(engine)
        row = {"id": 1, "name": "Andr\xe9 m\xb2", "email": "a@b", "role": "customer", "password": ""}
        with engine.begin() as connection:
            connection.execute(sa.insert(schema.users), row)
        rows = [row for chunk in BillingSource(engine, HORIZON).customers(Scope(HORIZON.months)) for row in chunk]
        assert [found["name"] for found in rows] == [row["name"]]
        engine.dispose()


def test_an_engine_does_not_wait_for_a_statement_longer_than_its_limit(source: sa.Engine) -> None:
    impatient = source_engine(source.url, read_only=True, statement_seconds=1)
    with pytest.raises(sa.exc.DBAPIError, match=r"timed out|timeout"), impatient.connect() as connection:
        connection.execute(slow_statement(source))
    impatient.dispose()
