"""The same tables by dlt (the extra `bench`), as its documentation advises for speed."""

import os
import tempfile
from collections.abc import Callable, Sequence

import sqlalchemy as sa

# Before dlt is imported, which reads them then: nothing is told to anybody, and only what is wrong is said.
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
from dlt.sources.sql_database import sql_table

from ledger_pipelines_tests.sources.psqlodbc import by_odbc

_CHUNK_ROWS = 50_000
"""dlt's own default."""


def dlt_copy(erp: sa.URL, target: sa.URL, tables: Sequence[str], file_format: str) -> Callable[[], int]:
    """Copy tables from ODBC into the schema `erp` of a database.

    Its pyarrow backend is the fastest of those that keep decimals exact and read by ODBC. What the tables look like is
    asked by the native driver: the ODBC driver answers SQLAlchemy's question about indexes in another way.
    """
    described = sa.MetaData()
    native = sa.create_engine(erp)
    described.reflect(native, only=list(tables))
    native.dispose()
    source = sa.create_engine(by_odbc(erp))
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
