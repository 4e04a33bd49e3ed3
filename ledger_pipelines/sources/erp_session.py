"""One connection to the ERP, whose statement can be cancelled, and which gives rows as they are asked for.

How it is set up is in `erp_setup.py`; what it is asked, in `erp_statements.py`.
"""

import contextlib
import threading
from typing import Any

import sqlalchemy as sa
from pymysql.cursors import SSCursor

from ledger_pipelines.sources import erp_pymssql
from ledger_pipelines.sources.erp_pymssql import ConnectionSocket
from ledger_pipelines.sources.erp_setup import read_committed, set_up
from ledger_pipelines.sources.erp_types import MARIADB, MYSQL

_CANCEL_SECONDS = 5


class Session:
    """A connection that is set up for reading.

    Attributes:
        connection: Open, in a transaction.
        consistent: Whether all its statements see the same moment.
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
        """The driver's cursor with the rows of a statement, which it holds no more of than are asked for.

        Raises:
            Exception: of the driver.
        """
        compiled = statement.compile(dialect=self._engine.dialect)
        names = compiled.positiontup
        parameters: Any = compiled.params if names is None else tuple(compiled.params[name] for name in names)
        if self._socket is not None:
            parameters = erp_pymssql.written(parameters)
        self._cursor = self._streaming_cursor()
        self._cursor.execute(str(compiled), parameters)
        return self._cursor

    def show_no_moment(self) -> None:
        """Begin again without a snapshot: from now on each statement sees its own moment.

        Raises:
            Exception: of the driver.
        """
        self.connection.rollback()
        read_committed(self.connection)
        self.consistent = False

    def cancel(self) -> None:
        """End the statement that another thread is running."""
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
        """A cursor that leaves the rows at the server until they are fetched."""
        driver = self._engine.dialect.driver
        if driver == "psycopg":
            return self._dbapi.cursor("ledger_pipelines")
        if driver == "pymysql":
            return self._dbapi.cursor(_StreamingCursor)
        return self._dbapi.cursor()

    def leave(self, *, usable: bool) -> None:
        """Give the connection back; one with rows not yet read, or an error behind it, is closed instead."""
        with contextlib.suppress(Exception):  # it may be broken already, and what broke it is what is told
            if usable:
                self.connection.rollback()
            else:
                self.connection.invalidate()
        if isinstance(self._cursor, _StreamingCursor):
            self._cursor.abandon()
        with contextlib.suppress(Exception):  # of pyodbc, if it is closed already; the connection must be all the same
            if self._cursor is not None:
                self._cursor.close()
        with contextlib.suppress(Exception):
            self.connection.close()
        if self._socket is not None:
            self._socket.close()


class _StreamingCursor(SSCursor):
    """A cursor of MySQL that fetches rows as they are asked for."""

    _result: Any
    connection: Any

    def abandon(self) -> None:
        """Forget the rows that were not fetched; by itself it would read all of them before it goes."""
        if self._result is not None:
            self._result.unbuffered_active = False
        self.connection = None


def open_session(engine: sa.Engine, statement_seconds: int) -> Session:
    """Connect and set up: read-only, time limits, one snapshot for all statements.

    Raises:
        SourceError: the server is too old.
        Exception: of the driver, if it cannot connect.
    """
    connection = engine.connect()
    try:
        return Session(engine, connection, set_up(connection, statement_seconds))
    except BaseException:
        connection.invalidate()
        connection.close()
        raise


class Handover:
    """A session on its way from the thread that opens it to whoever waits, who may be interrupted at any moment.

    A context for who waits: whatever is raised within, no session stays open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offered: Session | None = None
        self._abandoned = False

    def __enter__(self) -> "Handover":
        return self

    def offer(self, session: Session) -> Session:
        """Hand over a session, or close it if nobody wants it any more."""
        with self._lock:
            is_wanted = not self._abandoned
            if is_wanted:
                self._offered = session
        if not is_wanted:
            session.leave(usable=False)
        return session

    def abandon(self) -> None:
        """Want none any more; one that was offered before stays open."""
        with self._lock:
            self._abandoned = True

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self.abandon()
            if self._offered is not None:
                self._offered.leave(usable=False)


def _thread_number(engine: sa.Engine, dbapi: Any) -> int | None:
    """By which MySQL knows the connection; None elsewhere, and where the driver cancels by itself."""
    is_mysql = engine.dialect.name in {MYSQL, MARIADB} and engine.dialect.driver != "pyodbc"
    return int(dbapi.thread_id()) if is_mysql else None


def _kill_query(engine: sa.Engine, number: int) -> None:
    with engine.connect() as other:
        other.exec_driver_sql(f"KILL QUERY {number}")
