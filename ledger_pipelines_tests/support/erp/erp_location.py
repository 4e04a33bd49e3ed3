"""Helpers that run syncs of the real definitions between an ERP and a warehouse of their own."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.automation.jobs import erp_job
from ledger_pipelines.defs.partitions import month_range_tags
from ledger_pipelines.demo.erp import create_erp_tables, erp_source_tables
from ledger_pipelines.horizon import months_between
from ledger_pipelines.loading.erp.load import TableLoad, load_erp_table
from ledger_pipelines.loading.erp.sync_log_file import sync_log_path
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.settings import Settings
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, erp_table
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncedTable, SyncLog
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines_tests.support.code_location import CURRENT, FIRST, Location
from ledger_pipelines_tests.support.servers import fresh_database, fresh_warehouse
from ledger_pipelines_tests.support.tables import delete_all_rows

NAMES = [table.name for table in ERP_TABLES]
ORDER_HEADERS = "view_warehouse_order"
GUARD = DeletionGuard()


class ErpLocation(Location):
    """Code location over an ERP and a warehouse of its own.

    Attributes:
        erp: Engine of the ERP's database.
    """

    def __init__(self, erp: sa.URL, warehouse: sa.URL, home: Path, instance: dg.DagsterInstance) -> None:
        settings = Settings(
            home=home,
            warehouse_url=warehouse.render_as_string(hide_password=False),
            erp_url=erp.render_as_string(hide_password=False),
            billing_url="mysql://h/none",
            first_month=FIRST,
        )
        super().__init__(settings, instance)
        self.erp = sa.create_engine(erp)

    @property
    def journal(self) -> str:
        """Text of the log file of the syncs."""
        file = sync_log_path(self.settings)
        return file.read_text() if file.exists() else ""

    def reset(self) -> None:
        """Empty the ERP, the warehouse and the log file."""
        delete_all_rows(self.databases.warehouse)
        with self.erp.begin() as connection:
            for table in erp_source_tables.values():
                connection.execute(sa.delete(table))
        sync_log_path(self.settings).unlink(missing_ok=True)

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Add rows to a table of the ERP."""
        with self.erp.begin() as connection:
            connection.execute(sa.insert(erp_source_tables[table]), list(rows))

    def run(
        self,
        first: str = FIRST,
        last: str = CURRENT,
        *,
        only: Sequence[str] | None = None,
        tags: dict[str, str] | None = None,
        **sync: Any,
    ) -> dg.ExecuteInProcessResult:
        """Run the sync job over a range of months, with all tables or only some."""
        return self.execute(
            erp_job.name,
            only=only,
            tags=tags or month_range_tags(first, last),
            run_config={"resources": {"sync": {"config": sync}}},
        )

    def load(self, first: str, last: str, *names: str) -> None:
        """Load months of some tables without a run."""
        months = months_between(first, last)
        for name in names:
            sync = TableLoad(
                self.databases.erp, self.databases.warehouse, self.databases.horizon(), months, GUARD, "test"
            )
            load_erp_table(sync, erp_table(name))

    def start_sync(self, run_id: str | None = None) -> int:
        """Start a sync that no run carries out, and return the id of its log."""
        with self.databases.warehouse.begin() as connection:
            return sync_logs.begin_sync(connection, "manual", run_id).id

    def log(self, log_id: int | None = None) -> SyncLog:
        """Return a sync by id, or the latest sync."""
        with self.databases.warehouse.connect() as connection:
            found = sync_history.latest(connection) if log_id is None else sync_history.by_id(connection, log_id)
        assert found is not None
        return found

    def tables(self, log: SyncLog) -> dict[str, SyncedTable]:
        """Return the results of a sync, by table."""
        with self.databases.warehouse.connect() as connection:
            return {table.table_name: table for table in sync_history.tables_of(connection, log.id)}

    def rows(self, table: str) -> int:
        """Return the number of rows in the copy of a table."""
        with self.databases.warehouse.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(tables.erp_tables[table])) or 0

    def dispose(self) -> None:
        """Close the connections to the databases."""
        self.databases.warehouse.dispose()
        self.databases.erp.engine.dispose()
        self.erp.dispose()


@contextmanager
def new_erp_location(embedded: sa.URL, home: Path, instance: dg.DagsterInstance) -> Iterator[ErpLocation]:
    """Yield a code location over two fresh databases with empty tables."""
    with ExitStack() as stack:
        erp = stack.enter_context(fresh_database(embedded))
        warehouse = stack.enter_context(fresh_warehouse(embedded))
        location = ErpLocation(erp, warehouse, home, instance)
        stack.callback(location.dispose)
        create_erp_tables(location.erp)
        yield location
