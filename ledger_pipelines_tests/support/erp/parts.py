"""ERP of one table, `parts`, at the server of canned answers."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines_tests.support.erp.tds_server import (
    DATE,
    DECIMAL_38_10,
    INT,
    NVARCHAR,
    VARBINARY_MAX,
    TdsServer,
    result,
)

PYMSSQL = sa.make_url("mssql+pymssql://reader:s3cret@127.0.0.1/soi107")
FREETDS = sa.make_url("mssql+pyodbc://reader:s3cret@127.0.0.1/soi107?driver=FreeTDS")
PARTS = ErpTable(
    name="parts",
    comment="One row a part",
    columns=(
        ErpColumn("id", Kind.INTEGER, "id"),
        ErpColumn("desc", Kind.TEXT, "description"),
        ErpColumn("qty", Kind.DECIMAL, "quantity"),
        ErpColumn("moved_date", Kind.DATE, "day"),
    ),
    month_columns=("moved_date",),
    key=("id",),
)
_DESCRIBED = result(
    {"name": NVARCHAR, "system_type_name": NVARCHAR},
    ("id", "int"),
    ("desc", "nvarchar(60)"),
    ("qty", "decimal(38,10)"),
    ("moved_date", "datetime"),
)
COLUMNS = {"id": INT, "desc": VARBINARY_MAX, "qty": DECIMAL_38_10, "moved_date": DATE}
ROWS = ((1, "é😀 \ud83d", "1234567890123456789012345678.0123456789", 739_316), (2, "", "-0.0000000001", 0))


def answers(rows: bytes, snapshots: int = 1) -> dict[str, bytes]:
    """Return the answers of a SQL Server to the statements before a table is read, and the table's rows."""
    return {
        "@@version": result({"": NVARCHAR}, ("Microsoft SQL Server 2022 - 16.0.1000.6 (X64)",)),
        "SERVERPROPERTY": result({"": NVARCHAR}, ("16.0.1000.6",)),
        "sys.databases": result({"": INT}, (snapshots,)),
        "dm_exec_describe_first_result_set": _DESCRIBED,
        "WHERE 1 = 0": result(COLUMNS),
        "FROM .parts.": rows,
        "transaction_isolation_level": result({"": NVARCHAR}, ("READ COMMITTED",)),
        "SELECT ": result({"": NVARCHAR}, ("dbo",)),
    }


@contextmanager
def read_from(
    server: TdsServer, url: sa.URL = PYMSSQL, seconds: int = 600, *, has_port: bool = True
) -> Iterator[ErpSource]:
    """Read the ERP from a server; without a port, its named instance is asked for."""
    erp = ErpSource(erp_engine(url.set(port=server.port if has_port else None)), seconds)
    try:
        yield erp
    finally:
        erp.engine.dispose()
