"""Copy of the same tables with dlt (the extra `bench`), configured for speed as its documentation advises."""

import os
import tempfile
from collections.abc import Callable, Sequence

import sqlalchemy as sa

# dlt reads these variables on import: no telemetry, and only errors in the log.
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
from dlt.sources.sql_database import sql_table

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
    address = target.set(drivername="postgresql").render_as_string(hide_password=False)

    def run() -> int:
        with tempfile.TemporaryDirectory() as folder:
            destination = dlt.destinations.postgres(address)
            pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=destination, dataset_name="erp")
            wanted = [
                sql_table(source, table, metadata=described, backend="pyarrow", chunk_size=_CHUNK_ROWS)
                for table in tables
            ]
            pipeline.run(wanted, loader_file_format=file_format, write_disposition="replace").raise_on_failed_jobs()
            counts = pipeline.last_trace.last_normalize_info.row_counts
            return sum(counts[table] for table in tables)

    return run
