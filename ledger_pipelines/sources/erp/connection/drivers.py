"""Known drivers, by SQLAlchemy's name."""

from ledger_pipelines.sources.erp.connection.cursor import CancellableCursor
from ledger_pipelines.sources.erp.connection.odbc import OdbcCursor
from ledger_pipelines.sources.erp.connection.psycopg import PsycopgCursor
from ledger_pipelines.sources.erp.connection.pymssql import PymssqlCursor
from ledger_pipelines.sources.erp.connection.pymysql import KilledCursor, PyMySqlCursor

_CURSORS: dict[str, type[CancellableCursor]] = {
    "psycopg": PsycopgCursor,
    "pymysql": PyMySqlCursor,
    "mysqldb": KilledCursor,
    "cymysql": KilledCursor,
    "pyodbc": OdbcCursor,
    "pymssql": PymssqlCursor,
}


def cursor_of(driver: str) -> type[CancellableCursor]:
    """Return the cursor of a driver, given SQLAlchemy's name of it."""
    return _CURSORS.get(driver, CancellableCursor)
