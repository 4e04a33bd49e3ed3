"""Benchmarks of the ledger: one large month compared with COPY, many months in one run, one of many customers."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.warehouse import schema, tables
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.partitions import partition_name
from ledger_pipelines_tests.bench.data import fill_billing
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database, running_embedded_server

CALCULATED = (tables.transaction_calculations, tables.monthly_customer_balances)


@contextmanager
def filled_warehouse(horizon: Horizon, *, customers: int, readings: int) -> Iterator[sa.Engine]:
    """Yield a warehouse with filled `billing.*` on a durable embedded server."""
    with running_embedded_server(fast_and_unsafe=False) as server, fresh_database(server.url("postgres")) as url:
        warehouse = warehouse_engine(url, WIB)
        schema.upgrade(warehouse)
        started = time.monotonic()
        fill_billing(warehouse, horizon, customers=customers, readings_per_month=readings)
        print(f"filled billing.* in {time.monotonic() - started:.1f} s")
        yield warehouse
        warehouse.dispose()


@contextmanager
def computed_warehouse(horizon: Horizon, *, customers: int, readings: int) -> Iterator[sa.Engine]:
    """Yield a filled warehouse with computed transactions and balances, analyzed."""
    with filled_warehouse(horizon, customers=customers, readings=readings) as warehouse:
        took = _timed(lambda: _recalculate(warehouse, Scope(horizon.months), horizon))
        with warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
        print(f"computed {_count(warehouse)} rows in {took:.1f} s")
        yield warehouse


def one_month(customers: int = 100_000, readings: int = 30, rounds: int = 3) -> None:
    """Measure transactions and balances of one month, compared with COPY of the same finished rows."""
    horizon = Horizon("2026-10", "2026-10", WIB)
    ours: list[float] = []
    copied: list[float] = []
    with filled_warehouse(horizon, customers=customers, readings=readings) as warehouse, TemporaryDirectory() as folder:
        for number in range(rounds):
            reset_calculated(warehouse, horizon)
            ours.append(_timed(lambda: _recalculate(warehouse, Scope(horizon.months), horizon)))
            if number == 0:
                _export(warehouse, Path(folder))
            copied.append(_timed(lambda: _copy_finished_rows(warehouse, Path(folder))))
            print(f"  round {number + 1}: ledger {ours[-1]:.1f} s, COPY of the same rows {copied[-1]:.1f} s")
        rows = _count(warehouse)
    ratio = statistics.median(ours) / statistics.median(copied)
    print(
        f"one month, {customers:,} customers x {readings} readings ({rows} rows): "
        f"ledger {statistics.median(ours):.1f} s, COPY {statistics.median(copied):.1f} s, ratio {ratio:.2f}; "
        f"peak Python memory {_peak_mb()} MB"
    )


def many_months(customers: int = 20_000, readings: int = 30, months: int = 24) -> None:
    """Measure transactions and balances of many months in one run."""
    horizon = Horizon("2024-11", "2026-10", WIB)
    if len(horizon.months) != months:
        raise ValueError("this benchmark supports only 24 months")
    with filled_warehouse(horizon, customers=customers, readings=readings) as warehouse:
        first = _timed(lambda: _recalculate(warehouse, Scope(horizon.months), horizon))
        again = _timed(lambda: _recalculate(warehouse, Scope(horizon.months), horizon))
        every_month = _timed(lambda: _recalculate(warehouse, Scope(horizon.months), horizon, every_month=True))
        print(
            f"{months} months, {customers:,} customers x {readings} readings ({_count(warehouse)} rows): "
            f"{first:.1f} s; again, nothing changed: {again:.1f} s; without skipping months: {every_month:.1f} s; "
            f"peak Python memory {_peak_mb()} MB"
        )


def one_customer(customers: int = 100_000, readings: int = 4, rounds: int = 5) -> None:
    """Measure the recalculation of one of many customers over 24 months; no other customer's rows change."""
    horizon = Horizon("2024-11", "2026-10", WIB)
    with filled_warehouse(horizon, customers=customers, readings=readings) as warehouse:
        _recalculate(warehouse, Scope(horizon.months), horizon)
        times = []
        for number in range(rounds):
            customer_id = 1_000 + number
            with warehouse.begin() as connection:
                change = sa.update(tables.customers).values(harga_per_meter_kubik=99_999)
                connection.execute(change.where(tables.customers.c.customer_id == customer_id))
            times.append(_timed(partial(_recalculate, warehouse, Scope(horizon.months, (customer_id,)), horizon)))
        touched = _customers_changed_after_first(warehouse)
    shown = ", ".join(f"{seconds:.3f}" for seconds in times)
    print(
        f"one customer of {customers:,}, 24 months: {shown} s (the first compiles the statements); "
        f"customers touched: {touched} of {rounds} changed"
    )


def _recalculate(warehouse: sa.Engine, scope: Scope, horizon: Horizon, *, every_month: bool = False) -> None:
    for step in (transactions.recalculate_transactions, balances.recalculate_balances):
        with warehouse.begin() as connection:
            step(connection, scope, horizon, "bench", every_month=every_month)


def reset_calculated(warehouse: sa.Engine, horizon: Horizon) -> None:
    """Reset the calculated tables to the state before the first run."""
    with warehouse.begin() as connection:
        connection.execute(sa.text("TRUNCATE ledger.monthly_customer_balances, ledger.stale_months"))
        for month in horizon.months:
            name = partition_name(tables.transaction_calculations, month)
            connection.execute(sa.text(f"DROP TABLE IF EXISTS ledger.{name}"))
        loaded = tables.loaded_months
        connection.execute(sa.delete(loaded).where(loaded.c.table_name.like("ledger.%")))
    with warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("CHECKPOINT"))


def _export(warehouse: sa.Engine, folder: Path) -> None:
    """Write the finished rows to files in COPY's format."""
    with _psycopg_connection(warehouse) as driver, driver.cursor() as cursor:
        for table in CALCULATED:
            with (
                (folder / table.name).open("wb") as file,
                cursor.copy(f"COPY (SELECT * FROM {table.schema}.{table.name}) TO STDOUT") as copy,
            ):
                for block in copy:
                    file.write(block)


def _copy_finished_rows(warehouse: sa.Engine, folder: Path) -> None:
    """Load the same finished rows with COPY into new tables and create the same indexes (the baseline)."""
    with _psycopg_connection(warehouse) as driver, driver.cursor() as cursor:
        for table in CALCULATED:
            name = f"copied_{table.name}"
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            cursor.execute(f"CREATE TABLE {name} (LIKE {table.schema}.{table.name})")
            with (folder / table.name).open("rb") as file, cursor.copy(f"COPY {name} FROM STDIN") as copy:
                while block := file.read(1 << 20):
                    copy.write(block)
            key = ", ".join(column.name for column in table.primary_key)
            cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({key})")
            for index in table.indexes:
                columns = ", ".join(column.name for column in index.columns)
                cursor.execute(f"CREATE INDEX ON {name} ({columns})")
        driver.commit()


@contextmanager
def _psycopg_connection(warehouse: sa.Engine) -> Iterator[psycopg.Connection[Any]]:
    url = warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as driver:
        yield driver


def _timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _count(warehouse: sa.Engine) -> str:
    with warehouse.connect() as connection:
        counts = [connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in CALCULATED]
    return " + ".join(f"{count:,}" for count in counts)


def _customers_changed_after_first(warehouse: sa.Engine) -> int:
    balance = tables.monthly_customer_balances.c
    with warehouse.connect() as connection:
        first = connection.scalar(sa.select(sa.func.min(balance.last_calculated_at)))
        changed = sa.select(sa.func.count(balance.customer_id.distinct())).where(balance.last_calculated_at > first)
        return connection.scalar(changed) or 0


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
