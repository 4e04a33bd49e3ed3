"""The embedded server: started by anyone, once; it outlives its starter and recovers from a crash."""

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

from ledger_pipelines.warehouse import postgres_processes, postgres_programs, postgres_tuning
from ledger_pipelines.warehouse.embedded import EmbeddedServer, EmbeddedServerError

GIB = 1024**3
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another OS user")
STARTER = """
import sys, pathlib
from ledger_pipelines.warehouse.embedded import EmbeddedServer
server = EmbeddedServer(pathlib.Path(sys.argv[1]), int(sys.argv[2]), fast_and_unsafe=True)
print(server.start(), flush=True)
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def starter(server: EmbeddedServer, program: str = STARTER) -> subprocess.Popen[str]:
    """Another Python process that starts the server."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(server.data_folder), str(server.port)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def query(server: EmbeddedServer, statement: str) -> object:
    """The first value of a statement's first row; None if it has none."""
    address = server.url("postgres").set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that every OS user can reach, as pytest's own cannot be when root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def fresh(home: Path) -> Iterator[EmbeddedServer]:
    """A server without data yet."""
    server = EmbeddedServer(home / "postgres", free_port(), fast_and_unsafe=True)
    yield server
    server.delete()


@pytest.fixture(scope="module")
def made() -> Iterator[EmbeddedServer]:
    """A server with data, for tests that leave it usable: running or not."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-test-"))
    server = EmbeddedServer(folder / "postgres", free_port(), fast_and_unsafe=True)
    yield server
    server.delete()
    shutil.rmtree(folder)


def test_two_processes_start_it_at_once(fresh: EmbeddedServer) -> None:
    assert not fresh.is_running()
    with starter(fresh) as one, starter(fresh) as other:
        answers = {one.communicate()[0].strip(), other.communicate()[0].strip()}
    assert answers == {"True", "False"}
    assert fresh.is_running(), "it survives the processes that started it"
    assert query(fresh, "SELECT 1") == 1


def test_interrupting_the_starter_does_not_reach_it(made: EmbeddedServer) -> None:
    made.stop()
    with starter(made, f"{STARTER}\nimport time; time.sleep(60)") as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        pid = made.status().pid
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
        process.wait()
    assert pid is not None
    assert made.status().pid == pid
    assert query(made, "SELECT 1") == 1


def test_start_and_stop_are_idempotent_and_data_stay(made: EmbeddedServer) -> None:
    made.start()
    assert made.start() is False
    query(made, "CREATE TABLE stays AS SELECT 42 AS answer")
    assert made.stop() is True
    assert made.is_running() is False
    assert made.status().pid is None
    assert made.stop() is False
    assert made.start() is True
    assert query(made, "SELECT answer FROM stays") == 42


def test_a_server_that_was_never_started_can_be_asked_and_stopped(home: Path) -> None:
    server = EmbeddedServer(home / "never" / "postgres", free_port())
    assert server.stop() is False
    assert server.status().running is False
    assert not (home / "never").exists()


def test_it_recovers_after_a_kill_even_while_a_session_is_busy(
    made: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_processes, "_ORPHAN_SECONDS", 0.3)
    made.start()
    made.stop()
    durable = EmbeddedServer(made.data_folder, made.port)
    durable.start()
    query(durable, "CREATE TABLE survives AS SELECT 7 AS n")
    busy = "SELECT count(*) FROM generate_series(1, 100000000000) n CROSS JOIN generate_series(1, 9)"

    def work() -> None:
        with suppress(psycopg.OperationalError):
            query(made, busy)

    thread = threading.Thread(target=work)
    thread.start()
    while not query(made, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM gen%'"):
        pass
    pid = made.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while made.is_running():  # the signal is sent, not yet obeyed
        pass
    assert durable.start() is True
    thread.join()
    assert query(durable, "SELECT n FROM survives") == 7


def test_a_stale_pid_file_whose_number_is_another_programs(made: EmbeddedServer) -> None:
    made.start()
    pid_file = made.status().data_folder / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    made.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert made.is_running() is False
    assert made.stop() is False
    assert made.start() is True
    assert query(made, "SELECT 1") == 1


def test_a_taken_port_is_one_clear_error(made: EmbeddedServer) -> None:
    made.start()
    made.stop()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedServerError, match=f"port {port} .* Set LEDGER_DB_PORT"):
            EmbeddedServer(made.data_folder, port).start()
    assert made.start() is True


def test_a_server_on_another_port_is_not_taken_for_this_one(made: EmbeddedServer) -> None:
    made.start()
    with pytest.raises(EmbeddedServerError, match=f"on port {made.port}, not on 1.*LEDGER_DB_PORT={made.port}"):
        EmbeddedServer(made.data_folder, 1).start()
    assert EmbeddedServer(made.data_folder, 1).status().port == made.port


def test_data_of_another_major_version(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 16, .* Move that folder aside"):
        EmbeddedServer(home / "postgres", free_port()).start()


def test_only_those_who_can_read_the_password_get_in(made: EmbeddedServer) -> None:
    made.start()
    password_file = made.data_folder.parent / "postgres.password"
    assert password_file.stat().st_mode & 0o777 == 0o600
    for wrong in (None, "guessed"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=made.port, user="ledger", password=wrong, dbname="postgres")
    assert password_file.read_text() not in f"{made.url('postgres')!r} {made.status()!r}"


def test_logging_in_costs_one_round(made: EmbeddedServer) -> None:
    with psycopg.connect(made.url("postgres").set(drivername="postgresql").render_as_string(False)) as connection:
        (stored,) = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'ledger'").fetchone() or ("",)
    assert stored.startswith("SCRAM-SHA-256$1:")


def test_a_lost_password_is_replaced_at_the_next_start(made: EmbeddedServer) -> None:
    made.start()
    made.stop()
    password_file = made.data_folder.parent / "postgres.password"
    before = password_file.read_text()
    password_file.unlink()
    made.start()
    assert password_file.read_text() != before
    assert query(made, "SELECT 1") == 1


def test_databases_are_created_once(made: EmbeddedServer) -> None:
    made.start()
    assert made.ensure_database('a "quoted" name') is True
    assert made.ensure_database('a "quoted" name') is False


def test_what_the_ledger_relies_on(made: EmbeddedServer) -> None:
    made.start()
    assert query(made, "SHOW server_encoding") == "UTF8"
    assert query(made, "SHOW data_checksums") == "on"
    assert query(made, "SHOW listen_addresses") == "127.0.0.1"
    assert query(made, "SHOW max_wal_size") == "6GB"
    assert query(made, "SELECT 'B' < 'a' AND upper('é') = 'É'") is True, "ordered by bytes, yet knows letters"
    log = made.status().log_file
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
def test_below_a_private_folder_the_data_get_a_place_of_their_own(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(postgres_programs, "SHARED_FOLDER", home / "shared")
    private = home / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedServer(private / ".ledger" / "postgres", free_port(), fast_and_unsafe=True)
    assert server.start() is True
    assert private.stat().st_mode & 0o777 == 0o700, "nobody's private folder is opened"
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
    account.own(home / "data")
    answer = account.run(copied / "initdb", "--no-sync", "-D", home / "data")
    assert answer.returncode == 0, answer.stderr
