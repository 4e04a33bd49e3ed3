"""Contenders of the benchmark `readings-to-balances`: each computes a month from the billing application's database.

`python -m ledger_pipelines_tests.bench.billing_contenders NAME` reads its job from standard input. Each contender
imports its own dependencies, so that the memory of one does not count for another.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.sources.billing.columns import EFFECT_IF_MISSING, TABLES
from ledger_pipelines.sources.billing.schema import Id, JsonText, data_pencatatan
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines_tests.bench.contenders import Copy, Laps, print_measured

if TYPE_CHECKING:
    import psycopg

    from ledger_pipelines.sources.billing.reader import BillingSource

STAGING = "readings: source, decode and COPY"
MONTH_BUILD = "readings: month build"
MONTH_SQL = Path(__file__).with_name("billing_month.sql")
_BATCH_ROWS = 50_000


@dataclass(frozen=True)
class BillingJob:
    """A month to compute.

    Attributes:
        source: URL of the billing application's database, including the password.
        target: URL of the database to compute in.
        month: The only month of the horizon.
        zone: Name of the company's time zone.
    """

    source: str
    target: str
    month: str
    zone: str

    @property
    def horizon(self) -> Horizon:
        """Return the horizon of the month."""
        return Horizon(self.month, self.month, ZoneInfo(self.zone))

    @property
    def scope(self) -> Scope:
        """Return the scope of a run of the month for all customers."""
        return Scope((self.month,))

    def warehouse(self) -> sa.Engine:
        """Return an engine for the target."""
        return warehouse_engine(sa.make_url(self.target), ZoneInfo(self.zone))


def ledger(job: BillingJob, laps: Laps) -> Copy:
    """Return a job that loads the application's data and calculates the month as the assets do, without Dagster."""
    from ledger_pipelines.loading.billing import load as billing
    from ledger_pipelines.loading.billing.staging import BillingLoad
    from ledger_pipelines.loading.guard import DeletionGuard

    source, warehouse = _billing_source(job), job.warehouse()
    recalculate = _recalculation(job, warehouse, laps)
    small = BillingLoad(source, job.scope, DeletionGuard(), "bench")
    # The last call is after the last chunk is staged: what follows builds the month.
    large = BillingLoad(source, job.scope, DeletionGuard(), "bench", progress=lambda _rows: laps.end(STAGING))

    def run() -> int:
        for load in (billing.load_customers, billing.load_prices, billing.load_deposits):
            with warehouse.begin() as connection:
                load(small, connection)
        laps.end("customers, prices, deposits")
        with warehouse.begin() as connection:
            report = billing.load_readings(large, connection)
        laps.end(MONTH_BUILD)
        recalculate()
        return report.read

    return run


def probe(job: BillingJob, laps: Laps) -> Copy:
    """Return a job that stages the readings as the load does, and measures reading, decoding and COPY separately.

    The readings are read twice: first only read, then decoded and copied. The CPU time of decoding and copying is that
    of one thread, without the one that reads in advance.
    """
    from ledger_pipelines.loading.billing import normalisation
    from ledger_pipelines.loading.billing.staging import StagedBatch, split_valid
    from ledger_pipelines.loading.rejections import STAGED_REJECTIONS
    from ledger_pipelines.sources.billing.rules import READINGS
    from ledger_pipelines.warehouse import tables
    from ledger_pipelines.warehouse.bulk_copy import copy_columns
    from ledger_pipelines.warehouse.transaction_setup import create_temporary_tables, staging_table

    source, warehouse = _billing_source(job), job.warehouse()

    def run() -> int:
        rows = sum(map(len, source.reading_batches(job.scope) or ()))
        laps.end("source")
        staged = StagedBatch(staging_table(tables.meter_readings))
        with warehouse.connect() as connection:
            create_temporary_tables(connection, staged.rows, STAGED_REJECTIONS)
            for batch in source.reading_batches(job.scope) or ():
                laps.start(time.thread_time)
                normalised = normalisation.reading_batch(batch, job.horizon)
                usable, failed = split_valid(READINGS, normalised.records)
                laps.end("decode")
                staged.add(connection, usable, (*normalised.rejections, *failed))
                if normalised.columns is not None:
                    copy_columns(connection, staged.rows, normalised.columns)
                laps.end("COPY")
        return rows

    return run


def limit(job: BillingJob, laps: Laps) -> Copy:
    """Return a job that copies the raw rows as CSV, and calculates the month from the loaded tables of the warehouse.

    Nothing connects the two: a limit for any program that reads these rows and calculates with these statements.
    """
    import connectorx
    import psycopg
    from pyarrow import BufferOutputStream, csv

    source = _native(job.source)
    options = csv.WriteOptions(include_header=False)
    recalculate = _recalculation(job, job.warehouse(), laps)

    def copy(cursor: "psycopg.Cursor[Any]", table: str) -> int:
        rows = 0
        statement = _select_texts(table)
        batches = connectorx.read_sql(source, statement, return_type="arrow_stream", batch_size=_BATCH_ROWS)
        with cursor.copy(f"COPY raw.{table} FROM STDIN (FORMAT csv)") as writing:
            for batch in batches:
                laps.end("source")
                buffer = BufferOutputStream()
                csv.write_csv(batch, buffer, options)
                laps.end("CSV")
                writing.write(memoryview(buffer.getvalue()))
                laps.end("COPY")
                rows += batch.num_rows
        laps.end("COPY")
        return rows

    def run() -> int:
        with psycopg.connect(_native(job.target)) as connection, connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw")
            for table in TABLES:
                cursor.execute(_create_raw(table))
            counts = {table: copy(cursor, table) for table in TABLES}
        laps.end("COPY")
        recalculate()
        return counts[data_pencatatan.name]

    return run


def dlt(job: BillingJob, laps: Laps) -> Copy:
    """Return a job that copies the raw tables with dlt, and calculates the month by a plain SQL script."""
    from ledger_pipelines_tests.bench.dlt_copy import dlt_copy_texts

    source, target = map(sa.make_url, (job.source, job.target))
    copy = dlt_copy_texts(source, target, EFFECT_IF_MISSING, _select_texts, laps)
    warehouse = job.warehouse()

    def run() -> int:
        counts = copy()
        with warehouse.begin() as connection:
            connection.execute(sa.select(sa.func.set_config("bench.month", job.month, True)))
            for stage, statements in _stages(MONTH_SQL.read_text()):
                # psycopg executes several statements only without parameters.
                connection.connection.driver_connection.execute(statements)  # type: ignore[union-attr]
                laps.end(stage)
        return counts[data_pencatatan.name]

    return run


def _select_texts(table: str) -> str:
    """Return the SELECT of the columns of a table that the product reads: ids as numbers, everything else as text."""
    plain = (Id, JsonText, sa.String)
    selected = (
        column.name
        if isinstance(column.type, plain) and not isinstance(column.type, sa.Enum)
        else f"CAST({column.name} AS CHAR) AS {column.name}"
        for column in _columns(table)
    )
    return f"SELECT {', '.join(selected)} FROM {table}"


def _create_raw(table: str) -> str:
    columns = (f"{column.name} {'bigint' if isinstance(column.type, Id) else 'text'}" for column in _columns(table))
    return f"CREATE TABLE raw.{table} ({', '.join(columns)})"


def _columns(table: str) -> list[sa.Column[Any]]:
    """Return the columns of a table that the product reads."""
    return [TABLES[table].c[name] for name in EFFECT_IF_MISSING[table]]


def _billing_source(job: BillingJob) -> "BillingSource":
    # Imports are not measured.
    from ledger_pipelines.sources.billing import frames, reading_columns, text_batches  # noqa: F401
    from ledger_pipelines.sources.billing.reader import BillingSource
    from ledger_pipelines.warehouse.engine import source_engine

    return BillingSource(source_engine(sa.make_url(job.source)), job.horizon)


def _recalculation(job: BillingJob, warehouse: sa.Engine, laps: Laps) -> Callable[[], None]:
    from ledger_pipelines.ledger import balances, transactions

    def run() -> None:
        with warehouse.begin() as connection:
            transactions.recalculate_transactions(connection, job.scope, job.horizon, "bench")
        laps.end("transactions")
        with warehouse.begin() as connection:
            balances.recalculate_balances(connection, job.scope, job.horizon, "bench")
        laps.end("balances")

    return run


def _stages(script: str) -> Iterator[Sequence[str]]:
    """Yield the name and the statements of each stage of a script."""
    _, *stages = script.split("\n-- stage: ")
    return (stage.split("\n", 1) for stage in stages)


def _native(url: str) -> str:
    """Return a URL as libraries other than SQLAlchemy expect it, without the driver."""
    parsed = sa.make_url(url)
    return parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=False)


CONTENDERS: dict[str, Callable[[BillingJob, Laps], Copy]] = {
    "ledger": ledger,
    "probe": probe,
    "limit": limit,
    "dlt-sql": dlt,
}


def main(name: str) -> None:
    """Run a contender's job, read from standard input, and print its figures."""
    laps = Laps()
    print_measured(CONTENDERS[name](BillingJob(**json.loads(sys.stdin.read())), laps), laps)


if __name__ == "__main__":
    main(sys.argv[1])
