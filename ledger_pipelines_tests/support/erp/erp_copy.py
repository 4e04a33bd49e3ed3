"""Test pipeline of the ERP copy, without Dagster: fill the ERP, sync, and compute the expected copy."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.demo.erp.schema import create_erp_tables, erp_source_tables
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.erp.load import TableLoad, load_erp_table
from ledger_pipelines.loading.erp.shrink import ShrinkRule
from ledger_pipelines.loading.erp.sync_months import recent_months
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpTable, Kind, erp_table
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines_tests.support.billing_pipeline import WIB, new_warehouse
from ledger_pipelines_tests.support.servers import fresh_database
from ledger_pipelines_tests.support.tables import delete_all_rows

Row = Mapping[str, Any]
WITHOUT_GUARD = DeletionGuard(accept=True)
HORIZON = Horizon("2025-01", "2025-06", WIB)


@dataclass
class ErpCopy:
    """ERP database, warehouse, and the loads between them.

    Attributes:
        source: The ERP's database, to write rows.
        erp: The ERP as the product reads it.
        warehouse: The warehouse with the copy.
        horizon: Months of the partitions.
        warnings: Warnings of the last sync.
    """

    source: sa.Engine
    erp: ErpSource
    warehouse: sa.Engine
    horizon: Horizon = HORIZON
    warnings: list[str] = field(default_factory=list)

    def fill(self, name: str, rows: Sequence[Row]) -> None:
        """Replace the contents of an ERP table by these rows."""
        table = erp_source_tables[name]
        with self.source.begin() as connection:
            connection.execute(sa.delete(table))
            if rows:
                empty = dict.fromkeys(table.columns.keys())
                connection.execute(sa.insert(table), [empty | dict(row) for row in rows])

    def sync(self, *names: str, months: Sequence[str] | None = None, **options: Any) -> dict[str, TableReport]:
        """Sync tables, by default all, for these months, by default those of the hourly sync."""
        self.warnings.clear()
        return {
            name: load_erp_table(self.table_sync(name, months, **options), erp_table(name)) for name in names or _ALL
        }

    def table_sync(
        self,
        name: str,
        months: Sequence[str] | None = None,
        *,
        full: bool = False,
        guard: DeletionGuard = WITHOUT_GUARD,
        progress: Callable[[int], None] | None = None,
    ) -> TableLoad:
        """Return the sync of a table."""
        recent = recent_months(self.horizon) if months is None else ()
        asked = months if months is not None else self.horizon.months if self.is_first(name) else recent
        return TableLoad(
            self.erp, self.warehouse, self.horizon, tuple(asked), guard, "test", recent=recent, full=full,
            progress=progress, warn=self.warnings.append, shrink=ShrinkRule(pause_seconds=0),
        )  # fmt: skip

    def is_first(self, name: str) -> bool:
        """Return whether a table has never been synced, so that the hourly sync reads all months."""
        return not self.count(tables.loaded_months, table_name=f"erp.{name}")

    def count(self, table: sa.Table, **values: object) -> int:
        """Count the rows of a warehouse table with these values."""
        conditions = (table.c[name] == value for name, value in values.items())
        with self.warehouse.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*conditions)) or 0

    def copied_rows(self, name: str, **more: str) -> Counter[tuple[Any, ...]]:
        """Count equal rows of the copy, each with its month."""
        table = tables.erp_tables[name]
        columns = [table.c[column] for column in ("year_month", *erp_table(name).names)]
        conditions = (table.c[column] == value for column, value in more.items())
        with self.warehouse.connect() as connection:
            return Counter(tuple(row) for row in connection.execute(sa.select(*columns).where(*conditions)))

    def rejected(self, name: str) -> list[sa.RowMapping]:
        """Return the rejected rows of a table, by source id."""
        rejected = tables.rejected_rows
        with self.warehouse.connect() as connection:
            statement = sa.select(rejected).where(rejected.c.asset == name).order_by(rejected.c.source_id)
            return list(connection.execute(statement).mappings())

    def reset(self) -> None:
        """Empty the warehouse and the ERP, and restore the default months."""
        self.horizon = HORIZON
        delete_all_rows(self.warehouse)
        for name in _ALL:
            self.fill(name, [])


_ALL = tuple(table.name for table in ERP_TABLES)


def stored_row(table: ErpTable, row: Row) -> tuple[Any, ...]:
    """Return a row as the copy stores it, without its month."""
    values = ((column.kind, row.get(column.name)) for column in table.columns)
    return tuple(_stored(kind, value) for kind, value in values)


def _stored(kind: Kind, value: Any) -> Any:
    if kind is Kind.DATE and isinstance(value, datetime):
        return value.date()
    if kind is Kind.BOOLEAN and value is not None:
        return str(value).strip().lower() in {"yes", "true", "1", "y"}
    return value


def day_of(table: ErpTable, row: Row) -> date | None:
    """Return the first date of a row's month columns."""
    days = (stored_row(table, row)[table.names.index(name)] for name in table.month_columns)
    return next((day for day in days if day is not None), None)


def month_of_row(table: ErpTable, row: Row) -> str:
    """Return the month of a row; an empty text without a date."""
    day = day_of(table, row)
    return "" if day is None else f"{day:%Y-%m}"


def expected_copy(table: ErpTable, rows: Sequence[Row], horizon: Horizon) -> Counter[tuple[Any, ...]]:
    """Return the expected copy of a table with dates after all months were loaded."""
    return Counter(
        (month, *stored_row(table, row))
        for row in rows
        if horizon.first <= (month := month_of_row(table, row)) <= horizon.current
    )


def decimal(text: str | None) -> Decimal | None:
    """Return a decimal number, or None for None."""
    return None if text is None else Decimal(text)


@contextmanager
def new_erp_copy(source_server: sa.URL, embedded: sa.URL, reader: Callable[[sa.URL], ErpSource]) -> Iterator[ErpCopy]:
    """Yield an ERP and a warehouse in two fresh databases with empty tables.

    Args:
        source_server: Server of the ERP's database.
        embedded: Embedded server of the warehouse.
        reader: Returns the ERP as the product reads it, for the URL of its database.
    """
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(source_server))
        source = sa.create_engine(url)
        stack.callback(source.dispose)
        create_erp_tables(source)
        erp = reader(url)
        stack.callback(erp.engine.dispose)
        warehouse = stack.enter_context(new_warehouse(embedded))
        yield ErpCopy(source, erp, warehouse)
