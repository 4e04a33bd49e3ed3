"""Installations for the commands: a data folder, free ports, an embedded server, a small demo."""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import IsolationLevel
from typer.testing import CliRunner, Result

from ledger_pipelines.embedded_postgres.server import EmbeddedServer
from ledger_pipelines.horizon import month_of, shift_month
from ledger_pipelines.serving.cli import app
from ledger_pipelines.settings import Settings, load_settings
from ledger_pipelines.warehouse import database_urls, tables
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import free_port, free_ports

MONTHS = 3
NARROW = 80
SEED_SMALL_DEMO = ("demo", "seed", "--customers", "6", "--months", str(MONTHS), "--readings-per-month", "2")
INITIALIZE = ("balance", "initialize", "--all")


@contextmanager
def replaced_environment(variables: dict[str, str]) -> Iterator[None]:
    """Replace the LEDGER_ variables; restore the whole environment, which commands also change."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("LEDGER_", "DAGSTER_"))]:
        del os.environ[name]
    os.environ.update(variables)
    load_settings.cache_clear()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        load_settings.cache_clear()


@dataclass(frozen=True)
class Installation:
    """Installation with its own settings, and commands that use them."""

    variables: dict[str, str]

    @property
    def settings(self) -> Settings:
        """The settings of the commands."""
        with replaced_environment(self.variables):
            return Settings()

    def run(self, *arguments: str, **variables: str) -> Result:
        """Run a command in this process, with additional variables."""
        with replaced_environment(self.variables | variables):
            result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
            logging.getLogger("alembic").setLevel(logging.WARNING)
            return result

    def succeed(self, *arguments: str, **variables: str) -> Result:
        """Run a command that must succeed."""
        result = self.run(*arguments, **variables)
        assert result.exit_code == 0, result.output
        return result

    def run_json(self, *arguments: str, **variables: str) -> dict[str, Any]:
        """Run a command, which may fail, and return its JSON output."""
        return json_of(self.run(*arguments, "--json", **variables))

    def spawn(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command in a separate process."""
        command = [sys.executable, "-m", "ledger_pipelines.serving.cli", *arguments]
        return subprocess.Popen(command, env=self._environment(), text=True, **options)

    def checked_output(self, *arguments: str) -> str:
        """Run a command that must succeed in a separate process; return its output."""
        return self._output_of("-m", "ledger_pipelines.serving.cli", *arguments)

    def run_script(self, script: str) -> str:
        """Run a script in a separate process, with warnings as errors; return its output."""
        return self._output_of("-W", "error", script)

    def _output_of(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=self._environment(), text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("LEDGER_", "DAGSTER_"))}
        return inherited | self.variables

    @contextmanager
    def connection(self, url: sa.URL, isolation: IsolationLevel = "AUTOCOMMIT") -> Iterator[sa.Connection]:
        """Yield a connection to a database."""
        engine = sa.create_engine(url, isolation_level=isolation)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def warehouse(self, isolation: IsolationLevel = "AUTOCOMMIT") -> AbstractContextManager[sa.Connection]:
        """Connect to the warehouse."""
        return self.connection(database_urls.warehouse_url(self.settings), isolation)

    def dagster_storage(self) -> AbstractContextManager[sa.Connection]:
        """Connect to Dagster's storage."""
        return self.connection(database_urls.dagster_storage_url(self.settings))

    def fingerprint(self) -> dict[str, str]:
        """Return a hash of the rows of each data table, including time stamps."""
        data = [table for table in tables.metadata.sorted_tables if table.schema != "ops"]
        with self.warehouse() as connection:
            return {table.name: _fingerprint_of(connection, table) for table in data}

    @contextmanager
    def changed_billing_copy(self) -> Iterator[sa.Engine]:
        """Yield a copy of the demo's billing application, for invalid changes."""
        name = f"changed_{free_port()}"
        disconnect = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :database"
        with self.warehouse() as connection:  # connection pools of this process would block the copy
            connection.execute(sa.text(disconnect), {"database": database_urls.DEMO_BILLING_DATABASE})
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {database_urls.DEMO_BILLING_DATABASE}"))
        engine = sa.create_engine(database_urls.embedded_server(self.settings).url(name))
        try:
            yield engine
        finally:
            engine.dispose()
            with self.warehouse() as connection:
                connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


def _fingerprint_of(connection: sa.Connection, table: sa.Table) -> str:
    rows = connection.execute(sa.text(f"SELECT md5(string_agg(row::text, ',' ORDER BY row::text)) FROM {table} AS row"))
    return str(rows.scalar())


def json_of(result: Result) -> dict[str, Any]:
    """Return the whole stdout of a command, parsed as JSON."""
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@contextmanager
def temporary_installation(*, durable: bool = False) -> Iterator[Installation]:
    """Yield a new installation; delete it afterwards.

    Its embedded server runs without protection against a crash of the machine, unless it is to be durable: then the
    first command that needs the server creates it.
    """
    home = Path(tempfile.mkdtemp(prefix="ledger-serving-"))
    current = month_of(datetime.now(WIB), WIB)
    names = ("DB", "UI", "CODE_SERVER", "API")
    ports = {f"LEDGER_{name}_PORT": str(port) for name, port in zip(names, free_ports(4), strict=True)}
    made = Installation({"LEDGER_HOME": str(home), "LEDGER_FIRST_MONTH": shift_month(current, 1 - MONTHS), **ports})
    try:
        if not durable:
            _create_fast_server(made.settings)
        yield made
    finally:
        database_urls.embedded_server(made.settings).delete()
        shutil.rmtree(home)


def _create_fast_server(settings: Settings) -> None:
    """Create the embedded server without durability, which later starts would otherwise switch on again."""
    server = EmbeddedServer(database_urls.embedded_server(settings).data_folder, settings.db_port, fast_and_unsafe=True)
    server.start()
    engine = sa.create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(sa.text(f"ALTER SYSTEM SET {name} = off"))
    engine.dispose()
    server.stop()
