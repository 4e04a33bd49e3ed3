"""The embedded PostgreSQL server that comes with the package: start, stop, URL.

The server belongs to a data folder, not to a process: it outlives the process that started it and is found again by
its `postmaster.pid`. It listens on loopback only and requires a password, which is stored next to the data in a file
that only its owner can read. Its parts: `programs.py` (location of the programs and the OS user they run as),
`processes.py` (running processes), `data.py` (the data folder), `tuning.py`.
"""

import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

from ledger_pipelines.embedded_postgres import data as postgres_data
from ledger_pipelines.embedded_postgres.data import ROLE, create_private_folder
from ledger_pipelines.embedded_postgres.processes import HOST, RunningServer, end_orphans, port_is_taken, running_server
from ledger_pipelines.embedded_postgres.programs import (
    EmbeddedServerError,
    OsAccount,
    account_for,
    locked,
    programs_for,
    shared_data_folder,
)
from ledger_pipelines.settings import allow_group_traversal

__all__ = ["EmbeddedServer", "EmbeddedServerError", "ServerStatus"]

_START_SECONDS = 300  # after a crash, gigabytes of WAL may have to be replayed
_STOP_SECONDS = 60
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerStatus:
    """Status of the server, read without connecting to it."""

    running: bool
    pid: int | None
    port: int
    data_folder: Path
    log_file: Path | None


class EmbeddedServer:
    """The server of one data folder.

    Args:
        data_folder: The server's files; its parent holds the password file, the lock and the logs. If the server's OS
            user cannot reach it (only when root starts the server), it becomes a link to a folder that the user can.
        port: The port on loopback.
        fast_and_unsafe: For tests: a crash of the machine may lose all data.
    """

    def __init__(self, data_folder: Path, port: int, *, fast_and_unsafe: bool = False) -> None:
        self.data_folder = data_folder.absolute()
        self.port = port
        self.fast_and_unsafe = fast_and_unsafe

    def start(self) -> bool:
        """Start the server unless it is running; True if this call started it. Safe to call from many processes.

        Creates a missing data folder, and recovers a server that was killed.

        Raises:
            EmbeddedServerError: the server cannot be started; the message says why and what to do.
        """
        with self._exclusively():
            if running := running_server(self._data):
                self._await(running)
                return False
            account = self._create_folders()
            programs = programs_for(account)
            if not (self._data / "PG_VERSION").exists():
                postgres_data.initialise(self._data, programs, account, sync=not self.fast_and_unsafe)
            postgres_data.check_version(self._data)
            end_orphans(self._cluster_name)
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            postgres_data.configure(
                self._data,
                account,
                port=self.port,
                log_folder=self._log_folder,
                cluster_name=self._cluster_name,
                fast_and_unsafe=self.fast_and_unsafe,
            )
            postgres_data.set_password(self._data, self._password(), programs, account)
            self._launch(programs, account)
            return True

    def stop(self) -> bool:
        """Stop the server and end its sessions; True if it was running.

        Raises:
            EmbeddedServerError: it does not stop.
        """
        if not self.data_folder.exists():
            return False
        with self._exclusively():
            if running_server(self._data) is None:
                return False
            account = account_for(self._data)
            program = programs_for(account) / "pg_ctl"
            for mode in ("fast", "immediate"):  # "immediate" if a session does not end; the next start must recover
                options = ["-w", "-t", str(_STOP_SECONDS), "-m", mode]
                answer = account.run(program, "stop", *options, "-D", self._data, timeout=_STOP_SECONDS + 10)
                if answer.returncode == 0 or running_server(self._data) is None:
                    return True
            raise EmbeddedServerError(f"The embedded server did not stop: {answer.stderr.strip()}{self._log_tail()}")

    def delete(self) -> None:
        """Stop the server and delete its data, password and logs."""
        self.stop()
        for folder in (self._data, self._log_folder):
            shutil.rmtree(folder, ignore_errors=True)
        if self.data_folder.is_symlink():
            with suppress(OSError):  # the folder may hold files of other programs
                self._log_folder.parent.rmdir()
                self._data.parent.rmdir()
            self.data_folder.unlink()
        self._password_file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Return whether the server is running, starting or stopping."""
        return self.status().running

    def status(self) -> ServerStatus:
        """Return the server's status without connecting to it."""
        try:
            running = running_server(self._data)
        except PermissionError as error:
            raise self._not_ours() from error
        return ServerStatus(
            running=running is not None,
            pid=running.pid if running else None,
            port=(running and running.port) or self.port,
            data_folder=self._data,
            log_file=self._log_file(),
        )

    def url(self, database: str) -> URL:
        """Return the URL of a database of the server, with the password, for psycopg 3."""
        return URL.create(
            "postgresql+psycopg",
            username=ROLE,
            password=self._password(),
            host=HOST,
            port=self.port,
            database=database,
        )

    def ensure_database(self, name: str) -> bool:
        """Create a database unless it exists; True if this call created it. The server must be running."""
        url = self.url("postgres").set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return False  # another process was quicker
            return True

    @property
    def _data(self) -> Path:
        """The data folder itself, with links resolved."""
        return self.data_folder.resolve()

    @property
    def _log_folder(self) -> Path:
        """The folder of the server's logs, next to the data; owned by the server's OS user, which writes there."""
        return self._data.parent / "logs" / "postgres"

    @property
    def _password_file(self) -> Path:
        """The password file, readable only by the user who first started the server."""
        return self.data_folder.parent / "postgres.password"

    @property
    def _cluster_name(self) -> str:
        """A name derived from the data folder, which PostgreSQL shows in the titles of the server's processes."""
        return f"ledger-{hashlib.sha256(str(self._data).encode()).hexdigest()[:12]}"

    def _password(self) -> str:
        """Return the password; the first call generates it."""
        try:
            return postgres_data.read_or_create_password(self._password_file)
        except PermissionError as error:
            raise self._not_ours() from error

    def _log_file(self) -> Path | None:
        """Return the log file that was written last, or None."""
        files = self._log_folder.glob("*.log")
        return max(files, key=lambda file: file.stat().st_mtime, default=None)

    def _log_tail(self) -> str:
        """Return the last lines of the log, for an error message."""
        file = self._log_file()
        if file is None:
            return ""
        lines = file.read_text(errors="replace").splitlines()[-8:]
        return "\n".join([f"\nThe end of its log {file}:", *lines])

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Hold the data folder's lock."""
        try:
            self.data_folder.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.data_folder.parent / "postgres.lock"):
                yield
        except PermissionError as error:
            raise self._not_ours() from error

    def _not_ours(self) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"The embedded server's data in {self.data_folder} belong to another user of this machine. Run the command "
            "as that user (or as root), or set LEDGER_HOME to a folder of your own."
        )

    def _create_folders(self) -> OsAccount:
        """Create the data and log folders where the server's OS user can reach them, and return that user."""
        account = account_for(self._data)
        if account.gid is not None:
            allow_group_traversal(self.data_folder.parent, account.gid)
        if not self._data.exists():
            create_private_folder(self._data, account)
            if not account.can_write_to(self._data):
                self._data.rmdir()
                place = shared_data_folder(self.data_folder)
                self.data_folder.symlink_to(place)
                create_private_folder(place, account)
                _log.info("The server's OS user cannot reach %s; the data are in %s", self.data_folder, place)
        create_private_folder(self._log_folder, account)
        return account

    def _await(self, running: RunningServer) -> None:
        """Wait until a running server is ready; raise if it runs on a port other than the configured one."""
        deadline = time.monotonic() + _START_SECONDS
        while not running.ready and time.monotonic() < deadline:  # the process that started it was interrupted
            time.sleep(0.1)
            running = running_server(self._data) or running
        if running.port != self.port:
            raise EmbeddedServerError(
                f"The embedded server of {self.data_folder} is already running on port {running.port}, not "
                f"on {self.port}. Stop it first (ledger db stop), or set LEDGER_DB_PORT={running.port}."
            )

    def _launch(self, programs: Path, account: OsAccount) -> None:
        """Start the server and wait until it accepts connections."""
        output = self._log_folder / "start.log"
        output.unlink(missing_ok=True)
        options = ["-w", "-t", str(_START_SECONDS), "-D", str(self._data), "-l", str(output)]
        if account.run(programs / "pg_ctl", "start", *options, timeout=_START_SECONDS + 10).returncode == 0:
            return
        if port_is_taken(self.port):
            raise EmbeddedServerError(
                f"The embedded server cannot start: port {self.port} on {HOST} is used by another program, possibly "
                "the embedded server of another project. Set LEDGER_DB_PORT to a free port."
            )
        raise EmbeddedServerError(f"The embedded server did not start.{self._log_tail()}")
