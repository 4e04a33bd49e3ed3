"""Connection to the ERP whose statements can be cancelled and whose rows are streamed.

`sources/dialects/` sets it up; `sources/erp/statements.py` composes its statements.
"""

import contextlib
import threading
from typing import Any

import sqlalchemy as sa
from pymysql.cursors import SSCursor

from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.dialects.parts import read_committed
from ledger_pipelines.sources.erp.connection import pymssql as erp_pymssql
from ledger_pipelines.sources.erp.connection.days import read_days
from ledger_pipelines.sources.erp.connection.pymssql import ConnectionSocket

_CANCEL_SECONDS = 5


class SourceConnection:
    """Connection that is set up for reading.

    Attributes:
        connection: Open connection, in a transaction.
        consistent: Whether all statements read the same snapshot.
    """

    def __init__(self, engine: sa.Engine, connection: sa.Connection, consistent: bool) -> None:
        self.connection = connection
        self.consistent = consistent
        self._engine = engine
        self._dbapi: Any = connection.connection.dbapi_connection
        self._cursor: Any = None
        self._number = _thread_number(engine, self._dbapi)
        self._socket = ConnectionSocket() if engine.dialect.driver == erp_pymssql.NAME else None

    def run(self, statement: sa.Select[Any]) -> Any:
        """Run a statement and return the driver's cursor, which streams the rows.

        Raises:
            Exception: any error of the driver.
        """
        compiled = statement.compile(dialect=self._engine.dialect)
        names = compiled.positiontup
        parameters: Any = compiled.params if names is None else tuple(compiled.params[name] for name in names)
        if self._socket is not None:
            parameters = erp_pymssql.written(parameters)
        self._cursor = self._streaming_cursor()
        self._cursor.execute(str(compiled), parameters)
        return self._cursor

    def leave_snapshot(self) -> None:
        """Leave the snapshot: from now on each statement reads what is committed when it starts.

        Raises:
            Exception: any error of the driver.
        """
        self.connection.rollback()
        read_committed(self.connection)
        self.consistent = False

    def cancel(self) -> None:
        """Cancel the statement that another thread is running."""
        driver = self._engine.dialect.driver
        if driver == "psycopg":
            self._dbapi.cancel_safe(timeout=_CANCEL_SECONDS)
        elif self._number is not None:
            _kill_query(self._engine, self._number)
        elif driver == "pyodbc" and self._cursor is not None:
            self._cursor.cancel()
        elif self._socket is not None:
            self._socket.shut_down()

    def _streaming_cursor(self) -> Any:
        """Return a cursor that leaves the rows at the server until they are fetched."""
        driver = self._engine.dialect.driver
        if driver == "psycopg":
            return self._dbapi.cursor("ledger_pipelines")
        if driver == "pymysql":
            return self._dbapi.cursor(_StreamingCursor)
        return self._dbapi.cursor()

    def leave(self, *, usable: bool) -> None:
        """Release the connection; close it instead if rows are unread or an error occurred."""
        with contextlib.suppress(Exception):  # the connection may be broken, and the first error is the one to report
            if usable:
                self.connection.rollback()
            else:
                self.connection.invalidate()
        if isinstance(self._cursor, _StreamingCursor):
            self._cursor.abandon()
        with contextlib.suppress(Exception):  # pyodbc fails on a closed cursor; the connection must still be closed
            if self._cursor is not None:
                self._cursor.close()
        with contextlib.suppress(Exception):
            self.connection.close()
        if self._socket is not None:
            self._socket.close()


class _StreamingCursor(SSCursor):
    """Cursor of MySQL that streams rows."""

    _result: Any
    connection: Any

    def abandon(self) -> None:
        """Discard the rows that were not fetched; the driver would read all of them on close."""
        if self._result is not None:
            self._result.unbuffered_active = False
        self.connection = None


def open_session(engine: sa.Engine, statement_seconds: int) -> SourceConnection:
    """Connect and set up: read-only, time limits, one snapshot for all statements.

    Raises:
        SourceError: the server is too old.
        Exception: any error of the driver while connecting.
    """
    connection = engine.connect()
    try:
        if engine.dialect.driver == "psycopg":
            dbapi: Any = connection.connection.dbapi_connection
            read_days(dbapi)
        consistent = server_of(engine.dialect.name).set_up(connection, statement_seconds)
        return SourceConnection(engine, connection, consistent)
    except BaseException:
        connection.invalidate()
        connection.close()
        raise


class Handover:
    """Handover of a session from the thread that opens it to the waiting thread, which may be interrupted at any time.

    The waiting thread uses it as a context: if the block raises, no session stays open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offered: SourceConnection | None = None
        self._abandoned = False

    def __enter__(self) -> "Handover":
        return self

    def offer(self, session: SourceConnection) -> SourceConnection:
        """Hand over a session, or close it if the waiting thread has stopped."""
        with self._lock:
            is_wanted = not self._abandoned
            if is_wanted:
                self._offered = session
        if not is_wanted:
            session.leave(usable=False)
        return session

    def abandon(self) -> None:
        """Decline later sessions; one that was offered before stays open."""
        with self._lock:
            self._abandoned = True

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self.abandon()
            if self._offered is not None:
                self._offered.leave(usable=False)


def _thread_number(engine: sa.Engine, dbapi: Any) -> int | None:
    """Return MySQL's id of the connection; None at other servers, and if the driver itself can cancel."""
    is_mysql = engine.dialect.name in {"mysql", "mariadb"} and engine.dialect.driver != "pyodbc"
    return int(dbapi.thread_id()) if is_mysql else None


def _kill_query(engine: sa.Engine, number: int) -> None:
    with engine.connect() as other:
        other.exec_driver_sql(f"KILL QUERY {number}")
