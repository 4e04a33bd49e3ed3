"""The embedded server: started once by any process, outlives its starter, recovers from a crash."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from ledger_pipelines.embedded_postgres import processes as postgres_processes
from ledger_pipelines.embedded_postgres import programs as postgres_programs
from ledger_pipelines.embedded_postgres import tuning as postgres_tuning
from ledger_pipelines.embedded_postgres.server import EmbeddedServer, EmbeddedServerError
from ledger_pipelines_tests.support.servers import free_port

GIB = 1024**3
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another OS user")
STARTER = """
import sys, pathlib
from ledger_pipelines.embedded_postgres.server import EmbeddedServer
server = EmbeddedServer(pathlib.Path(sys.argv[1]), int(sys.argv[2]), fast_and_unsafe=True)
print(server.start(), flush=True)
"""


def start_in_process(server: EmbeddedServer, program: str = STARTER) -> subprocess.Popen[str]:
    """Start the server in another Python process."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(server.data_folder), str(server.port)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def query(server: EmbeddedServer, statement: str) -> object:
    """Return the first value of a statement's first row, or None."""
    address = server.url("postgres").set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that every OS user can reach; when root runs the tests, pytest's own folder is private."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def new_server(home: Path) -> Iterator[EmbeddedServer]:
    """A server without data."""
    server = EmbeddedServer(home / "postgres", free_port(), fast_and_unsafe=True)
    yield server
    server.delete()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server shared by tests that leave it usable, running or not."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-test-"))
    server = EmbeddedServer(folder / "postgres", free_port(), fast_and_unsafe=True)
    yield server
    server.delete()
    shutil.rmtree(folder)


def test_two_processes_start_it_simultaneously(new_server: EmbeddedServer) -> None:
    assert not new_server.is_running()
    with start_in_process(new_server) as one, start_in_process(new_server) as other:
        answers = {one.communicate()[0].strip(), other.communicate()[0].strip()}
    assert answers == {"True", "False"}
    assert new_server.is_running(), "it survives the processes that started it"
    assert query(new_server, "SELECT 1") == 1


def test_server_survives_an_interrupt_of_its_starter(server: EmbeddedServer) -> None:
    server.stop()
    with start_in_process(server, f"{STARTER}\nimport time; time.sleep(60)") as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        pid = server.status().pid
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
        process.wait()
    assert pid is not None
    assert server.status().pid == pid
    assert query(server, "SELECT 1") == 1


def test_start_and_stop_are_idempotent_and_keep_the_data(server: EmbeddedServer) -> None:
    server.start()
    assert server.start() is False
    query(server, "CREATE TABLE stays AS SELECT 42 AS answer")
    assert server.stop() is True
    assert server.is_running() is False
    assert server.status().pid is None
    assert server.stop() is False
    assert server.start() is True
    assert query(server, "SELECT answer FROM stays") == 42


def test_status_and_stop_without_data(home: Path) -> None:
    server = EmbeddedServer(home / "never" / "postgres", free_port())
    assert server.stop() is False
    assert server.status().running is False
    assert not (home / "never").exists()


def test_start_recovers_a_killed_server_with_a_busy_session(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_processes, "_ORPHAN_SECONDS", 0.3)
    server.start()
    server.stop()
    durable = EmbeddedServer(server.data_folder, server.port)
    durable.start()
    query(durable, "CREATE TABLE survives AS SELECT 7 AS n")
    busy = "SELECT count(*) FROM generate_series(1, 100000000000) n CROSS JOIN generate_series(1, 9)"

    def work() -> None:
        with suppress(psycopg.OperationalError):
            query(server, busy)

    thread = threading.Thread(target=work)
    thread.start()
    while not query(server, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM gen%'"):
        pass
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.is_running():  # the signal takes effect later
        pass
    assert durable.start() is True
    thread.join()
    assert query(durable, "SELECT n FROM survives") == 7


def test_a_pid_file_with_a_reused_pid_is_ignored(server: EmbeddedServer) -> None:
    server.start()
    pid_file = server.status().data_folder / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert server.is_running() is False
    assert server.stop() is False
    assert server.start() is True
    assert query(server, "SELECT 1") == 1


def test_a_port_in_use_raises_a_clear_error(server: EmbeddedServer) -> None:
    server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedServerError, match=f"port {port} .* Set LEDGER_DB_PORT"):
            EmbeddedServer(server.data_folder, port).start()
    assert server.start() is True


def test_a_server_on_another_port_raises(server: EmbeddedServer) -> None:
    server.start()
    with pytest.raises(EmbeddedServerError, match=f"on port {server.port}, not on 1.*LEDGER_DB_PORT={server.port}"):
        EmbeddedServer(server.data_folder, 1).start()
    assert EmbeddedServer(server.data_folder, 1).status().port == server.port


def test_data_of_another_major_version(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 16, .* Move that folder away"):
        EmbeddedServer(home / "postgres", free_port()).start()


def test_login_requires_the_password(server: EmbeddedServer) -> None:
    server.start()
    password_file = server.data_folder.parent / "postgres.password"
    assert password_file.stat().st_mode & 0o777 == 0o600
    for wrong in (None, "guessed"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=server.port, user="ledger", password=wrong, dbname="postgres")
    assert password_file.read_text() not in f"{server.url('postgres')!r} {server.status()!r}"


def test_password_is_stored_with_one_scram_round(server: EmbeddedServer) -> None:
    with psycopg.connect(server.url("postgres").set(drivername="postgresql").render_as_string(False)) as connection:
        (stored,) = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'ledger'").fetchone() or ("",)
    assert stored.startswith("SCRAM-SHA-256$1:")


def test_a_lost_password_is_replaced_at_the_next_start(server: EmbeddedServer) -> None:
    server.start()
    server.stop()
    password_file = server.data_folder.parent / "postgres.password"
    before = password_file.read_text()
    password_file.unlink()
    server.start()
    assert password_file.read_text() != before
    assert query(server, "SELECT 1") == 1


def test_databases_are_created_once(server: EmbeddedServer) -> None:
    server.start()
    assert server.ensure_database('a "quoted" name') is True
    assert server.ensure_database('a "quoted" name') is False


def test_server_configuration(server: EmbeddedServer) -> None:
    server.start()
    assert query(server, "SHOW server_encoding") == "UTF8"
    assert query(server, "SHOW data_checksums") == "on"
    assert query(server, "SHOW listen_addresses") == "127.0.0.1"
    assert query(server, "SHOW max_wal_size") == "6GB"
    assert query(server, "SELECT 'B' < 'a' AND upper('é') = 'É'") is True, "bytewise order, but Unicode case mapping"
    log = server.status().log_file
    assert log is not None
    assert "FATAL" not in (log.parent / "start.log").read_text()


def test_memory_follows_the_machine() -> None:
    def lines(memory: int, *, unsafe: bool = False) -> list[str]:
        return postgres_tuning.configuration(
            port=1, log_folder=Path("/it's"), cluster_name="c", memory=memory, fast_and_unsafe=unsafe
        ).splitlines()

    assert {"shared_buffers = '1024MB'", "work_mem = '42MB'", "fsync = 'off'"} <= set(lines(4 * GIB, unsafe=True))
    assert {"shared_buffers = '2048MB'", "work_mem = '256MB'"} <= set(lines(24 * GIB))
    assert "fsync = 'off'" not in lines(24 * GIB)
    assert "log_directory = '/it''s'" in lines(GIB)
    assert 0 < postgres_tuning.memory_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@ROOT_ONLY
def test_data_below_a_private_folder_move_to_the_shared_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(postgres_programs, "SHARED_FOLDER", home / "shared")
    private = home / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedServer(private / ".ledger" / "postgres", free_port(), fast_and_unsafe=True)
    assert server.start() is True
    assert private.stat().st_mode & 0o777 == 0o700, "the permissions of the private folder changed"
    assert server.data_folder.is_symlink()
    assert (home / "shared") in server.status().data_folder.parents
    assert sum("cannot reach" in message for message in caplog.messages) == 1
    assert query(server, "SELECT 1") == 1
    server.delete()
    assert not server.data_folder.is_symlink()
    assert [path.name for path in (home / "shared").iterdir()] == ["lock"]


@ROOT_ONLY
def test_programs_in_a_private_folder_are_copied_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_programs, "SHARED_FOLDER", home / "shared")
    account = postgres_programs.account_for(home / "postgres")
    private = home / "private"
    private.mkdir(mode=0o700)
    installed = postgres_programs.programs_for(account).parent
    within = Path(installed.parent.name) / installed.name
    unneeded = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(installed, private / within, symlinks=True, ignore=unneeded)
    libraries = f"{installed.parent.name}.libs"
    shutil.copytree(installed.parent.with_name(libraries), private / libraries)
    monkeypatch.setattr(postgres_programs, "_programs_of_wheel", lambda: private / within / "bin")
    copied = postgres_programs.programs_for(account)
    assert (home / "shared") in copied.parents
    assert postgres_programs.programs_for(account) == copied
    (home / "data").mkdir()
    account.take_ownership(home / "data")
    answer = account.run(copied / "initdb", "--no-sync", "-D", home / "data")
    assert answer.returncode == 0, answer.stderr
