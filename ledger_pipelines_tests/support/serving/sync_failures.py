"""Support for syncs of the ERP between two servers that tests stop, and checks of the state afterwards."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.demo.erp import ErpDemoPlan, erp_source_tables, seed_erp
from ledger_pipelines.demo.erp.mutate import mutate_erp
from ledger_pipelines.embedded_postgres.programs import account_for, programs_for
from ledger_pipelines.embedded_postgres.server import EmbeddedServer
from ledger_pipelines.horizon import Horizon, month_of, shift_month
from ledger_pipelines.loading.erp.load import TableLoad, load_erp_table
from ledger_pipelines.loading.erp.sync_log_file import sync_log_path
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, Kind
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.tables import erp_tables
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.erp.erp_copy import WITHOUT_GUARD, expected_copy, stored_row
from ledger_pipelines_tests.support.servers import running_embedded_server
from ledger_pipelines_tests.support.serving.installation import MONTHS, Installation, json_of, temporary_installation
from ledger_pipelines_tests.support.waiting import wait_until

PATIENCE = 120
LINES_A_MONTH = 8_000 if os.environ.get("LEDGER_TEST_KILLS") else 3_000
NAMES = [table.name for table in ERP_TABLES]

#: State of one table in the warehouse: rows, rejected rows, fingerprints and months, each as a sum of hashes.
State = tuple[str, ...]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Phase:
    """Point at which a sync can be blocked, by a lock on the table that it needs there."""

    name: str
    lock: str
    at_erp: bool = False

    def __str__(self) -> str:
        return self.name


#: Phases of the largest table in a sync, each with the lock that blocks it.
ASKING = Phase("asking", "LOCK TABLE so_invoice_line IN ACCESS EXCLUSIVE MODE", at_erp=True)
COMPARING = Phase("comparing", "LOCK TABLE erp.so_invoice_line IN EXCLUSIVE MODE")
REJECTING = Phase("rejecting", "LOCK TABLE ops.rejected_rows IN EXCLUSIVE MODE")
COMMITTING = Phase("committing", "LOCK TABLE ops.source_fingerprints IN EXCLUSIVE MODE")
PHASES = (ASKING, COMPARING, REJECTING, COMMITTING)


def stop_immediately(server: EmbeddedServer) -> None:
    """Stop a server like a power cut: sessions are aborted and nothing is flushed."""
    account = account_for(server.data_folder.resolve())
    program = programs_for(account) / "pg_ctl"
    answer = account.run(program, "stop", "-w", "-m", "immediate", "-D", server.data_folder.resolve())
    assert answer.returncode == 0, answer.stderr


@dataclass
class SyncFailureScene:
    """Installation whose ERP is on a separate server.

    Attributes:
        installation: The installation, with the warehouse.
        erp_server: The ERP's server.
        erp: The ERP's database.
        seconds: Undisturbed duration of the sync of each table after `churn`.
    """

    installation: Installation
    erp_server: EmbeddedServer
    erp: sa.Engine
    seconds: dict[str, float] = field(default_factory=dict)
    _churned: int = 0

    @property
    def warehouse_server(self) -> EmbeddedServer:
        """The warehouse's server."""
        return database_urls.embedded_server(self.installation.settings)

    def churn(self) -> None:
        """Change a third of the rows of every table of the ERP, and move, duplicate, insert and delete some."""
        self._churned += 1
        with self.erp.begin() as connection:
            for table in ERP_TABLES:
                column = next(name for name in reversed(table.names_of(Kind.TEXT)) if name not in table.key)
                some = f"abs(hashtext(ctid::text)) %% 3 = {self._churned % 3}"
                connection.exec_driver_sql(f"UPDATE {table.name} SET \"{column}\" = '#{self._churned}' WHERE {some}")
        mutate_erp(self.erp, 60, self._churned, month_of(datetime.now(WIB), WIB))

    def start(self) -> int:
        """Start a sync in a separate process and return its id."""
        return int(json_of(self.installation.succeed("sync", "start", "--json"))["sync_log_id"])

    def status(self) -> Answer:
        """Return the JSON output of `ledger sync status` for the latest sync."""
        return self.installation.run_json("sync", "status")

    def ended(self) -> Answer:
        """Wait until the latest sync has ended and return it."""
        wait_until(lambda: self.status()["data"]["status"] != "running", seconds=PATIENCE)
        return self.status()

    def sync(self) -> Answer:
        """Run a sync in this process and return it."""
        return self.installation.run_json("sync", "start", "--wait")

    def process(self, log_id: int) -> int:
        """Wait for the process that executes a sync and return its id."""
        query = (
            "SELECT pid.value FROM run_tags AS pid JOIN run_tags AS log USING (run_id) "
            "WHERE pid.key = 'ledger/pid' AND log.key = 'ledger/sync_log_id' AND log.value = :log"
        )
        with self.installation.dagster_storage() as connection:
            of_sync = {"log": str(log_id)}
            return int(wait_until(lambda: connection.scalar(sa.text(query), of_sync), seconds=PATIENCE))

    def kill(self, log_id: int) -> None:
        """Kill the process of a sync."""
        process = self.process(log_id)
        os.kill(process, signal.SIGKILL)

    def await_table(self, log_id: int, table: str) -> None:
        """Wait until a sync has reached a table or has ended."""
        query = (
            "SELECT EXISTS (SELECT FROM ops.sync_log_tables WHERE sync_log_id = :log AND table_name = :table) "
            "OR EXISTS (SELECT FROM ops.sync_logs WHERE id = :log AND status <> 'running')"
        )
        with self.installation.warehouse() as connection:
            of_table = {"log": log_id, "table": table}
            wait_until(lambda: connection.scalar(sa.text(query), of_table), seconds=PATIENCE)

    def random_moment(self, log_id: int, rng: random.Random) -> str:
        """Let a sync run until a random moment within a random table; return the name of the table."""
        table = rng.choice(NAMES)
        self.await_table(log_id, table)
        time.sleep(rng.random() * 0.9 * self.seconds[table])
        return table

    def log_contains(self, text: str) -> bool:
        """Return whether the log file of the syncs contains a text."""
        file = sync_log_path(self.installation.settings)
        return file.exists() and text in file.read_text()

    def states(self) -> dict[str, State]:
        """Return the state of each table in the warehouse."""
        with self.installation.warehouse() as connection:
            return {name: tuple(_digest(connection, part) for part in _parts(name)) for name in NAMES}

    def left_behind(self) -> list[str]:
        """Return what syncs left in the warehouse and at the ERP: sessions, locks, staging tables."""
        sessions = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'ledger_sync_%'"
        staging = "SELECT relname FROM pg_class WHERE relname LIKE '%\\_new' AND relkind IN ('r', 'p')"
        locks = (
            "WITH free AS (SELECT table_name FROM ops.write_locks FOR UPDATE SKIP LOCKED) "
            "SELECT table_name FROM ops.write_locks WHERE table_name NOT IN (SELECT table_name FROM free) "
            "UNION ALL SELECT locktype FROM pg_locks WHERE NOT granted"
        )
        at_erp = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with self.installation.warehouse() as warehouse, self.erp.connect() as erp:
            found = [str(name) for query in (sessions, staging, locks) for name in warehouse.scalars(sa.text(query))]
            return found + [f"at the ERP: {query}" for query in erp.scalars(sa.text(at_erp))]

    def check_equal(self) -> None:
        """Check that the copy equals the ERP, except for the rows that are listed as rejected."""
        installation = self.installation
        horizon = Horizon.at(datetime.now(WIB), first=installation.variables["LEDGER_FIRST_MONTH"], zone=WIB)
        rejected = "SELECT count(*) FROM ops.rejected_rows WHERE asset = :asset"
        for table in ERP_TABLES:
            with self.erp.connect() as connection:
                rows = list(connection.execute(sa.select(erp_source_tables[table.name])).mappings())
            wanted = expected_copy(table, rows, horizon)  # type: ignore[arg-type]  # mappings with names for keys
            if table.is_snapshot:
                wanted = Counter((horizon.current, *stored_row(table, row)) for row in rows)  # type: ignore[arg-type]
            copy = erp_tables[table.name]
            with installation.warehouse() as connection:
                columns = [copy.c[name] for name in ("year_month", *table.names)]
                copied = Counter(tuple(row) for row in connection.execute(sa.select(*columns)))
                refused = connection.scalar(sa.text(rejected), {"asset": table.name}) or 0
            assert not copied - wanted, table.name
            assert copied.total() + refused == len(rows), table.name
            assert (wanted - copied).total() <= refused, table.name

    def rows_written_by_another_sync(self) -> dict[str, int]:
        """Run another sync and return the number of rows it writes to each table."""
        settings = self.installation.settings
        databases = PipelineDatabases(settings)
        months = (shift_month(databases.horizon().current, -1), databases.horizon().current)
        order = TableLoad(
            databases.erp, databases.warehouse, databases.horizon(), months, WITHOUT_GUARD, "another sync"
        )
        try:
            return {table.name: load_erp_table(order, table).total.changed for table in ERP_TABLES}
        finally:
            databases.warehouse.dispose()

    def check_recovery(self, before: dict[str, State], broken: Answer) -> None:
        """Check that no table is partially written, nothing is left behind, and the next sync repairs the copy.

        Args:
            before: The states before the ERP was changed.
            broken: The closed log of the failed sync.
        """
        wait_until(lambda: not self.left_behind(), self.left_behind, seconds=PATIENCE)
        after_break = self.states()
        recovered = self.sync()
        assert recovered["data"]["status"] == "completed", recovered
        after = self.states()
        self.check_equal()
        for name in NAMES:
            assert before[name] != after[name], f"{name}: nothing was changed at the ERP"
            assert after_break[name] in (before[name], after[name]), f"{name} is neither as before nor as in the ERP"
        completed = {table["table_name"] for table in broken["tables"] if table["status"] == "completed"}
        assert completed <= {name for name in NAMES if after_break[name] == after[name]}
        written = self.rows_written_by_another_sync()
        assert written == dict.fromkeys(NAMES, 0), written
        assert self.states() == after

    @contextmanager
    def held(self, phase: "Phase") -> Iterator[None]:
        """Block syncs at a phase."""
        url = self.erp.url if phase.at_erp else database_urls.warehouse_url(self.installation.settings)
        with self.installation.connection(url, "READ COMMITTED") as connection:
            connection.exec_driver_sql(phase.lock)
            yield
            with suppress(sa.exc.DBAPIError):  # the server may have been stopped
                connection.rollback()

    def await_phase(self, phase: "Phase") -> None:
        """Wait until a sync is blocked at a phase."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        url = self.erp.url if phase.at_erp else database_urls.warehouse_url(self.installation.settings)
        with self.installation.connection(url) as connection:
            wait_until(lambda: connection.scalar(sa.text(query)), seconds=PATIENCE)


def _parts(name: str) -> list[str]:
    copy = erp_tables[name]
    columns = ", ".join(f'"{column.name}"' for column in copy.columns if column.name != "synced_at")
    return [
        f"SELECT {columns} FROM {copy}",
        f"SELECT source_id, year_month, reason, raw_row FROM ops.rejected_rows WHERE asset = '{name}'",
        f"SELECT day, year_month, row_count, digest FROM ops.source_fingerprints WHERE table_name = '{name}'",
        f"SELECT year_month FROM ops.loaded_months WHERE table_name = '{copy}'",
    ]


def _digest(connection: sa.Connection, query: str) -> str:
    digest = f"SELECT count(*) || ':' || coalesce(sum(hashtextextended(part::text, 0)), 0) FROM ({query}) AS part"
    return str(connection.scalar(sa.text(digest.replace(":'", "\\:'"))))


@contextmanager
def sync_failure_scene() -> Iterator[SyncFailureScene]:
    """Yield a scene whose copy is up to date."""
    with ExitStack() as stack:
        installation = stack.enter_context(temporary_installation(durable=True))
        erp_server = stack.enter_context(running_embedded_server())
        erp_server.ensure_database("erp")
        url = erp_server.url("erp")
        installation.variables["LEDGER_ERP_URL"] = url.render_as_string(hide_password=False)
        erp = sa.create_engine(url, poolclass=sa.NullPool)
        current = month_of(datetime.now(WIB), WIB)
        until = datetime.now(WIB).replace(hour=0, minute=0, second=0, microsecond=0)
        seed_erp(erp, ErpDemoPlan(current_month=current, until=until, months=MONTHS, rows_per_month=LINES_A_MONTH))
        scene = SyncFailureScene(installation, erp_server, erp)
        assert scene.sync()["data"]["status"] == "completed"
        scene.churn()
        scene.seconds = {table["table_name"]: table["seconds"] for table in scene.sync()["tables"]}
        yield scene
