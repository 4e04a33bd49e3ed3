"""The product between a source and a warehouse, without Dagster: fill, run, and read out in the reference's terms."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.loading import billing
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.loading.staging import Load
from ledger_pipelines.sources import billing_schema
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.engine import source_engine, warehouse_engine
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines_tests.reference.model import Balance, Ledger, SourceState, Transaction
from ledger_pipelines_tests.servers import fresh_database, fresh_warehouse

WIB = ZoneInfo("Asia/Jakarta")
_WITHOUT_GUARD = DeletionGuard(accept=True)


@dataclass
class Pipeline:
    """A source, a warehouse, and the product in between."""

    source: sa.Engine
    warehouse: sa.Engine
    horizon: Horizon

    def reset(self, first_month: str, current_month: str) -> None:
        """Empty the warehouse and set the months that count."""
        self.horizon = Horizon(first_month, current_month, WIB)
        with self.warehouse.begin() as connection:
            deletes = [
                str(sa.delete(table)) for table in tables.metadata.sorted_tables if table is not tables.write_locks
            ]
            connection.exec_driver_sql(";".join(deletes))

    def fill(self, state: SourceState) -> None:
        """Make the source hold a state, and nothing else."""
        users, readings = billing_schema.users, billing_schema.data_pencatatan
        with self.source.begin() as connection:
            connection.execute(sa.delete(readings))
            connection.execute(sa.delete(users))
            if state.users:
                connection.execute(
                    sa.insert(users), [_as_stored(users, row) | {"password": "x"} for row in state.users]
                )
            if state.readings:
                connection.execute(sa.insert(readings), [_as_stored(readings, row) for row in state.readings])

    def load(self, scope: Scope, guard: DeletionGuard = _WITHOUT_GUARD) -> list[Report]:
        """Load the billing application's data."""
        app = BillingApp(self.source, self.horizon)
        load = Load(app, scope, guard, run_id="test")
        steps = (billing.load_customers, billing.load_prices, billing.load_deposits, billing.load_readings)
        reports = []
        for step in steps:
            with self.warehouse.begin() as connection:
                reports.append(step(load, connection))
        return reports

    def recalculate(self, scope: Scope, *, force: bool = False) -> list[Report]:
        """Recalculate transactions and balances."""
        reports = []
        for step in (transactions.recalculate, balances.recalculate):
            with self.warehouse.begin() as connection:
                reports.append(step(connection, scope, self.horizon, "test", force=force))
        return reports

    def run(
        self, months: Sequence[str] | None = None, customers: Sequence[int] | None = None, *, force: bool = False
    ) -> list[Report]:
        """Load and recalculate: all months unless some are named, all customers unless some are named."""
        scope = Scope(tuple(months or self.horizon.months), None if customers is None else tuple(customers))
        return [*self.load(scope), *self.recalculate(scope, force=force)]

    def rows(self, table: sa.Table) -> list[sa.RowMapping]:
        """The rows of a warehouse table by its primary key."""
        with self.warehouse.connect() as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key)).mappings())

    def ledger(self) -> Ledger:
        """What the warehouse holds, in the reference's terms; reasons of rejections are the product's own words."""
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
    """The row with 0 where the application's column has that default and takes no NULL."""
    return {name: 0 if value is None and not table.c[name].nullable else value for name, value in row.items()}


def _transaction(row: sa.RowMapping) -> Transaction:
    fields = {name: row[name] for name in Transaction.__dataclass_fields__ if name != "rule"}
    return Transaction(**fields | {"rule": row["pricing_used"]["rule"]})


def _balance(row: sa.RowMapping) -> Balance:
    return Balance(**{name: row[name] for name in Balance.__dataclass_fields__})


def differences(found: Ledger, expected: Ledger) -> list[str]:
    """What the warehouse and the reference disagree on, in words; empty if they agree to the last digit."""
    lines: list[str] = []
    parts: list[tuple[str, dict[Any, Any], dict[Any, Any]]] = [
        ("transaction", found.transactions, expected.transactions),
        ("balance", found.balances, expected.balances),
    ]
    for what, have, want in parts:
        for key in sorted(have.keys() | want.keys()):
            if have.get(key) != want.get(key):
                lines.append(f"{what} {key}:\n  found    {have.get(key)}\n  expected {want.get(key)}")
            elif not _same_scale(have[key]):
                lines.append(f"{what} {key}: not rounded to its scale: {have[key]}")
    lines += [
        f"rejected for no reason: {key}: {found.rejected[key]}"
        for key in found.rejected.keys() - expected.rejected.keys()
    ]
    lines += [
        f"not rejected: {key}: {expected.rejected[key]}" for key in expected.rejected.keys() - found.rejected.keys()
    ]
    return lines


_SCALES = {"total_harga": -2, "volume_sm3": -4, "closing_balance": -2, "opening_balance": -2, "total_volume_sm3": -4}


def _same_scale(row: Transaction | Balance) -> bool:
    return all(
        not isinstance(value := getattr(row, name, None), Decimal) or value.as_tuple().exponent == scale
        for name, scale in _SCALES.items()
    )


@contextmanager
def never_computed(warehouse: sa.Engine) -> Iterator[None]:
    """A warehouse in which no table has been loaded yet, as far as it knows; afterwards it is as before."""
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
def new_pipeline(source_server: sa.URL, embedded: sa.URL) -> Iterator[Pipeline]:
    """A pipeline from a fresh database to one of an embedded server, both with their tables and nothing in them."""
    with ExitStack() as stack:
        source = source_engine(stack.enter_context(fresh_database(source_server)))
        stack.callback(source.dispose)
        warehouse = warehouse_engine(stack.enter_context(fresh_warehouse(embedded)), WIB)
        stack.callback(warehouse.dispose)
        billing_schema.metadata.create_all(source)
        yield Pipeline(source, warehouse, Horizon("2025-01", "2025-06", WIB))
