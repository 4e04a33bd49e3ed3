"""Set-up of a connection to each kind of server: read-only, with time limits, in one snapshot if possible."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER
from ledger_pipelines.sources.erp.connection.days import read_days
from ledger_pipelines.sources.erp.connection.errors import place
from ledger_pipelines.sources.errors import SourceError

LOCK_TIMEOUT_SECONDS = 60
"""Time limit for a lock that another transaction of the ERP holds."""

_OLDEST_SQL_SERVER = 11
"""SQL Server 2012: older versions cannot describe the result of a query and have no SHA-256."""


def set_up(connection: sa.Connection, seconds: int) -> bool:
    """Set up a connection for reading; return whether all its statements read the same snapshot.

    Args:
        connection: Connection without an open transaction.
        seconds: Time limit of a statement.

    Raises:
        SourceError: the server is too old.
        Exception: any error of the driver.
    """
    dialect = connection.dialect
    if dialect.driver == "psycopg":
        read_days(_dbapi_connection(connection))
    way = _WAYS.get(dialect.name)
    return False if way is None else way(connection, seconds)


def _dbapi_connection(connection: sa.Connection) -> Any:
    """Return the driver's own connection."""
    return connection.connection.dbapi_connection


def _postgresql(connection: sa.Connection, seconds: int) -> bool:
    for statement in (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        f"SET LOCAL statement_timeout = '{seconds}s'",
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        # Every row of a cursor is fetched, so a plan that is optimised for the first rows would be slower.
        "SET LOCAL cursor_tuple_fraction = 1",
        "SET LOCAL datestyle = 'ISO'",
    ):
        connection.exec_driver_sql(statement)
    return True


def _mysql(connection: sa.Connection, seconds: int) -> bool:
    for statement in (
        # A server-side limit would include the time in which we process the rows; our own limit is used instead.
        f"SET SESSION net_write_timeout = {max(seconds, 60)}",
        f"SET SESSION lock_wait_timeout = {LOCK_TIMEOUT_SECONDS}",
        # Days such as 0000-00-00 are returned unchanged in this mode, whatever the server's default is.
        "SET SESSION sql_mode = ''",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ):
        connection.exec_driver_sql(statement)
    return True


_SNAPSHOTS = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"


def set_up_sql_server(connection: sa.Connection, seconds: int) -> bool:
    """Set time limits and, if the database allows it, snapshot isolation; return whether that is the case."""
    _check_version(connection)
    with contextlib.suppress(Exception):  # not every driver has a limit of its own; ours applies in any case
        _dbapi_connection(connection).timeout = seconds
    for statement in (
        f"SET LOCK_TIMEOUT {LOCK_TIMEOUT_SECONDS * 1000}",
        # In a deadlock the reader should be the victim: the other transaction has more to lose.
        "SET DEADLOCK_PRIORITY LOW",
        "SET TEXTSIZE 2147483647",
    ):
        connection.exec_driver_sql(statement)
    allowed = connection.exec_driver_sql(_SNAPSHOTS).scalar() == 1
    connection.commit()  # the level cannot become SNAPSHOT within a transaction
    if allowed:
        connection.execution_options(isolation_level="SNAPSHOT")
    else:
        read_committed(connection)
    return allowed


def _check_version(connection: sa.Connection) -> None:
    version = connection.dialect.server_version_info
    if version is not None and version < (_OLDEST_SQL_SERVER,):
        raise SourceError(
            f"The ERP {place(connection.engine.url)} is a SQL Server of version {'.'.join(map(str, version))}. "
            f"The oldest supported version is SQL Server 2012 (version {_OLDEST_SQL_SERVER}). Nothing was changed."
        )


def read_committed(connection: sa.Connection) -> None:
    """Make each statement its own transaction at READ COMMITTED.

    A transaction over several statements would not be more consistent, and could not read memory-optimized tables.
    """
    connection.execution_options(isolation_level="READ COMMITTED")
    connection.execution_options(isolation_level="AUTOCOMMIT")


_WAYS: Mapping[str, Callable[[sa.Connection, int], bool]] = {
    POSTGRESQL: _postgresql,
    MYSQL: _mysql,
    MARIADB: _mysql,
    SQL_SERVER: set_up_sql_server,
}
