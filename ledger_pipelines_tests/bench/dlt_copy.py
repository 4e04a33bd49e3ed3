"""Copies of the same tables with dlt (the extra `bench`), configured for speed as its documentation advises."""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

# dlt reads these variables on import: no telemetry, and only errors in the log.
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
from dlt.sources.sql_database import sql_table

from ledger_pipelines_tests.bench.contenders import Laps
from ledger_pipelines_tests.support.erp.psqlodbc import with_psqlodbc

_CHUNK_ROWS = 50_000
"""dlt's default."""


def dlt_copy(erp: sa.URL, target: sa.URL, tables: Sequence[str], file_format: str) -> Callable[[], int]:
    """Return a function that copies tables over ODBC into the schema `erp` of a database.

    The pyarrow backend is the fastest one that keeps decimals exact and reads over ODBC. The tables are reflected with
    the native driver, because the ODBC driver returns index data in a form that SQLAlchemy does not expect.
    """
    described = sa.MetaData()
    native = sa.create_engine(erp)
    described.reflect(native, only=list(tables))
    native.dispose()
    source = sa.create_engine(with_psqlodbc(erp))

    def run() -> int:
        with tempfile.TemporaryDirectory() as folder:
            pipeline = _pipeline(folder, target, "erp")
            wanted = [
                sql_table(source, table, metadata=described, backend="pyarrow", chunk_size=_CHUNK_ROWS)
                for table in tables
            ]
            pipeline.run(wanted, loader_file_format=file_format, write_disposition="replace").raise_on_failed_jobs()
            counts = pipeline.last_trace.last_normalize_info.row_counts
            return sum(counts[table] for table in tables)

    return run


def dlt_copy_texts(
    source: sa.URL, target: sa.URL, columns: Mapping[str, Iterable[str]], select: Callable[[str], str], laps: Laps
) -> Callable[[], Mapping[str, int]]:
    """Return a function that copies columns of tables into the schema `raw` of a database, and returns their rows.

    The connectorx backend with Parquet is the fastest combination. It keeps numbers exact only as text.

    Args:
        source: Database that connectorx and SQLAlchemy can read.
        target: PostgreSQL database.
        columns: Names of the columns of each table.
        select: Returns the SELECT of the columns of a table: BIGINT columns unchanged, everything else as text.
        laps: Receives the times of dlt's steps.
    """
    engine = sa.create_engine(source)

    def replace_query(_query: sa.Select[Any], table: sa.Table) -> sa.TextClause:
        return sa.text(select(table.name))

    def run() -> Mapping[str, int]:
        with tempfile.TemporaryDirectory() as folder:
            pipeline = _pipeline(folder, target, "raw")
            wanted = [
                sql_table(
                    engine,
                    table,
                    backend="connectorx",
                    backend_kwargs={"return_type": "arrow_stream"},
                    chunk_size=_CHUNK_ROWS,
                    table_adapter_callback=_declare_texts,
                    query_adapter_callback=replace_query,
                    included_columns=list(names),
                )
                for table, names in columns.items()
            ]
            pipeline.extract(wanted, loader_file_format="parquet", write_disposition="replace")
            laps.end("dlt's extract")
            pipeline.normalize()
            laps.end("dlt's normalize")
            pipeline.load().raise_on_failed_jobs()
            laps.end("dlt's load")
            counts: Mapping[str, int] = pipeline.last_trace.last_normalize_info.row_counts
            return counts

    return run


def _pipeline(folder: str, target: sa.URL, dataset: str) -> Any:
    address = target.set(drivername="postgresql").render_as_string(hide_password=False)
    destination = dlt.destinations.postgres(address)
    return dlt.pipeline("bench", pipelines_dir=folder, destination=destination, dataset_name=dataset)


def _declare_texts(table: sa.Table) -> None:
    """Declare the columns of a reflected table as its SELECT returns them."""
    for column in table.columns:
        if not isinstance(column.type, sa.BigInteger):
            column.type = sa.Text()
