"""Test pipeline of the billing ledger, without Dagster: fill the source, run, and read the ledger."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.loading.billing.load import load_customers, load_deposits, load_prices, load_readings
from ledger_pipelines.loading.billing.staging import BillingLoad
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.billing import schema as billing_schema
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.engine import source_engine, warehouse_engine
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines_tests.reference.model import Ledger, MonthlyBalance, SourceState, Transaction
from ledger_pipelines_tests.support.servers import fresh_database, fresh_warehouse
from ledger_pipelines_tests.support.tables import delete_all_rows, rows_of

WIB = ZoneInfo("Asia/Jakarta")
_WITHOUT_GUARD = DeletionGuard(accept=True)


@dataclass
class Pipeline:
    """Source database with the application's tables, warehouse, and the loads and calculations between them."""

    source: sa.Engine
    warehouse: sa.Engine
    horizon: Horizon
    application: sa.MetaData = billing_schema.metadata

    def reset(self, first_month: str, current_month: str) -> None:
        """Empty the warehouse and set the months of the partitions."""
        self.horizon = Horizon(first_month, current_month, WIB)
        delete_all_rows(self.warehouse)

    def fill(self, state: SourceState) -> None:
        """Replace the contents of the source by a state."""
        users, readings = (self.application.tables[name] for name in ("users", "data_pencatatan"))
        with self.source.begin() as connection:
            connection.execute(sa.delete(readings))
            connection.execute(sa.delete(users))
            if state.users:
                connection.execute(
                    sa.insert(users), [_as_stored(users, row) | {"password": "x"} for row in state.users]
                )
            if state.readings:
                connection.execute(sa.insert(readings), [_as_stored(readings, row) for row in state.readings])

    def load(self, scope: Scope, guard: DeletionGuard = _WITHOUT_GUARD) -> list[TableReport]:
        """Load the billing application's data."""
        app = BillingSource(self.source, self.horizon)
        load = BillingLoad(app, scope, guard, run_id="test")
        reports = []
        for step in (load_customers, load_prices, load_deposits, load_readings):
            with self.warehouse.begin() as connection:
                reports.append(step(load, connection))
        return reports

    def recalculate(self, scope: Scope, *, force: bool = False, every_month: bool = False) -> list[TableReport]:
        """Recalculate transactions and balances."""
        reports = []
        for step in (transactions.recalculate_transactions, balances.recalculate_balances):
            with self.warehouse.begin() as connection:
                reports.append(step(connection, scope, self.horizon, "test", force=force, every_month=every_month))
        return reports

    def run(
        self,
        months: Sequence[str] | None = None,
        customers: Sequence[int] | None = None,
        *,
        force: bool = False,
        every_month: bool = False,
    ) -> list[TableReport]:
        """Load and recalculate; by default all months and all customers."""
        scope = Scope(tuple(months or self.horizon.months), None if customers is None else tuple(customers))
        return [*self.load(scope), *self.recalculate(scope, force=force, every_month=every_month)]

    def rows(self, table: sa.Table) -> list[sa.RowMapping]:
        """Return the rows of a warehouse table, in the order of the primary key."""
        return rows_of(self.warehouse, table)

    def ledger(self) -> Ledger:
        """Return the contents of the warehouse as a ledger of the reference; rejections have the product's reasons."""
        return Ledger(
            transactions={row["data_pencatatan_id"]: _transaction(row) for row in self._transactions()},
            balances={
                (row["customer_id"], row["year_month"]): _balance(row)
                for row in self.rows(tables.monthly_customer_balances)
            },
            rejected={
                (row["source_table"], row["source_id"]): row["reason"] for row in self.rows(tables.rejected_rows)
            },
        )

    def _transactions(self) -> list[sa.RowMapping]:
        rows = self.rows(tables.transaction_calculations)
        ids = [row["data_pencatatan_id"] for row in rows]
        assert len(ids) == len(set(ids)), "a reading has two transactions"
        return rows


def _as_stored(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with 0 instead of None in columns that are NOT NULL with that default."""
    return {name: 0 if value is None and not table.c[name].nullable else value for name, value in row.items()}


def _transaction(row: sa.RowMapping) -> Transaction:
    fields = {name: row[name] for name in Transaction.__dataclass_fields__ if name != "rule"}
    return Transaction(**fields | {"rule": row["pricing_used"]["rule"]})


def _balance(row: sa.RowMapping) -> MonthlyBalance:
    return MonthlyBalance(**{name: row[name] for name in MonthlyBalance.__dataclass_fields__})


def describe_differences(found: Ledger, expected: Ledger) -> list[str]:
    """Describe the differences between the warehouse and the reference; empty if they agree to the last digit."""
    lines: list[str] = []
    parts: list[tuple[str, dict[Any, Any], dict[Any, Any]]] = [
        ("transaction", found.transactions, expected.transactions),
        ("balance", found.balances, expected.balances),
    ]
    for kind, have, want in parts:
        for key in sorted(have.keys() | want.keys()):
            if have.get(key) != want.get(key):
                lines.append(f"{kind} {key}:\n  found    {have.get(key)}\n  expected {want.get(key)}")
            elif not _has_scale(have[key]):
                lines.append(f"{kind} {key}: not rounded to its scale: {have[key]}")
    lines += [
        f"rejected unexpectedly: {key}: {found.rejected[key]}"
        for key in found.rejected.keys() - expected.rejected.keys()
    ]
    lines += [
        f"not rejected: {key}: {expected.rejected[key]}" for key in expected.rejected.keys() - found.rejected.keys()
    ]
    return lines


_SCALES = {"total_harga": -2, "volume_sm3": -4, "closing_balance": -2, "opening_balance": -2, "total_volume_sm3": -4}


def _has_scale(row: Transaction | MonthlyBalance) -> bool:
    return all(
        not isinstance(value := getattr(row, name, None), Decimal) or value.as_tuple().exponent == scale
        for name, scale in _SCALES.items()
    )


CalculatedRows = dict[tuple[Any, ...], dict[str, Any]]
_STAMPS = {"calculated_at", "is_recalculated", "last_calculated_at"}


def calculated_rows(pipeline: Pipeline) -> CalculatedRows:
    """Return the transactions and balances by table and key."""
    return {
        (table.name, *(row[column.name] for column in table.primary_key)): dict(row)
        for table in (tables.transaction_calculations, tables.monthly_customer_balances)
        for row in pipeline.rows(table)
    }


def content(row: dict[str, Any]) -> dict[str, Any]:
    """Return a calculated row without its stamps."""
    return {name: value for name, value in row.items() if name not in _STAMPS}


def assert_only_changed_rows_are_written(before: CalculatedRows, after: CalculatedRows) -> None:
    """Assert that rows with unchanged content keep their stamps, and that the others have new ones."""
    for key in before.keys() & after.keys():
        if content(before[key]) == content(after[key]):
            assert before[key] == after[key], f"{key} was written without a reason"
        else:
            stamp = "calculated_at" if "calculated_at" in after[key] else "last_calculated_at"
            assert before[key][stamp] < after[key][stamp], f"{key} has no new time"
            assert after[key].get("is_recalculated", True), f"{key} is not marked as recalculated"


def assert_row_counts_are_recorded(pipeline: Pipeline) -> None:
    """Assert that the recorded row counts of the computed months are those of the tables."""
    counted = Counter((f"ledger.{key[0]}", row["year_month"]) for key, row in calculated_rows(pipeline).items())
    recorded = {
        (mark["table_name"], mark["year_month"]): mark["row_count"]
        for mark in pipeline.rows(tables.loaded_months)
        if mark["row_count"] is not None
    }
    assert recorded == {month: counted[month] for month in recorded}


@contextmanager
def without_loaded_months(warehouse: sa.Engine) -> Iterator[None]:
    """Remove the marks of loaded months, so that the ledger looks never computed; restore them afterwards."""
    marks = tables.loaded_months
    with warehouse.begin() as connection:
        loaded = connection.execute(sa.select(marks)).mappings().all()
        connection.execute(sa.delete(marks))
    try:
        yield
    finally:
        with warehouse.begin() as connection:
            connection.execute(sa.insert(marks), list(map(dict, loaded)))


@contextmanager
def new_warehouse(embedded: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine for a fresh warehouse with empty tables."""
    with fresh_warehouse(embedded) as url:
        engine = warehouse_engine(url, WIB)
        yield engine
        engine.dispose()


@contextmanager
def new_pipeline(
    source_server: sa.URL, embedded: sa.URL, application: sa.MetaData = billing_schema.metadata
) -> Iterator[Pipeline]:
    """Yield a pipeline between a fresh source database and a fresh warehouse, both with empty tables."""
    with ExitStack() as stack:
        source = source_engine(stack.enter_context(fresh_database(source_server)))
        stack.callback(source.dispose)
        warehouse = stack.enter_context(new_warehouse(embedded))
        application.create_all(source)
        yield Pipeline(source, warehouse, Horizon("2025-01", "2025-06", WIB), application)
