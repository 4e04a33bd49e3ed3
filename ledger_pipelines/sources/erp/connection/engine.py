"""Engine of the ERP, with the driver of the URL and a time limit for connecting."""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from ledger_pipelines.sources.erp.connection import pymssql as erp_pymssql
from ledger_pipelines.sources.erp.connection.driver_packages import UNSUPPORTED, NoDriverError, missing
from ledger_pipelines.sources.erp.connection.odbc import with_driver
from ledger_pipelines.sources.errors import SourceError, place

CONNECT_SECONDS = 10
_ARGUMENTS = {
    "psycopg": "connect_timeout",
    "pymysql": "connect_timeout",
    "pyodbc": "timeout",
    erp_pymssql.NAME: "login_timeout",
}


def erp_engine(url: sa.URL) -> sa.Engine:
    """Return an engine without a pool: passes over a table are minutes apart, so each opens a new connection.

    Raises:
        SourceError: the driver is unsupported, or the driver, a library or a package is not installed.
    """
    url = _with_instance(url)
    driver = url.get_dialect().driver
    if driver in UNSUPPORTED:
        raise SourceError(f"The ERP {place(url)} cannot be read: {UNSUPPORTED[driver]} Nothing was changed.")
    arguments: dict[str, Any] = {_ARGUMENTS[driver]: CONNECT_SECONDS} if driver in _ARGUMENTS else {}
    if driver == erp_pymssql.NAME:
        arguments |= erp_pymssql.options(url)
    try:
        engine = sa.create_engine(with_driver(url), connect_args=arguments, poolclass=NullPool, hide_parameters=True)
    except (ImportError, NoDriverError) as error:
        raise SourceError(f"The ERP {place(url)} cannot be read: {missing(url, error)} Nothing was changed.") from error
    if driver == erp_pymssql.NAME:
        erp_pymssql.note_sockets(engine.dialect.loaded_dbapi)
    return engine


def _with_instance(url: sa.URL) -> sa.URL:
    """Return the URL of a SQL Server with `%5C` in `host%5CINSTANCE` decoded; a port makes the instance needless."""
    if url.get_backend_name() != "mssql" or url.host is None:
        return url
    host = re.sub(r"(?i)%5c", r"\\", url.host)
    return url.set(host=host.partition("\\")[0] if url.port else host)
