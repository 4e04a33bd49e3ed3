"""Connection to the ERP for reading, whose work runs in a thread, can be cancelled, and whose errors are explained."""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar

import sqlalchemy as sa

from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.dialects.parts import read_committed
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.connection.cursor import CancellableCursor, Chunk
from ledger_pipelines.sources.erp.connection.drivers import cursor_of
from ledger_pipelines.sources.erp.connection.errors import explained, public_message, timeout_error
from ledger_pipelines.sources.errors import SnapshotRefusedError
from ledger_pipelines.sources.prefetch import StatementTimeoutError, prefetch, run_with_timeout

GRACE_SECONDS = 2
"""Difference between our limit and the server's own, which comes first because its message is more precise."""

T = TypeVar("T")


class SourceConnection:
    """Connection that is set up for reading: read-only, with time limits, in one snapshot if possible.

    Args:
        engine: Engine of the ERP.
        statement_seconds: Time limit for the answer to a statement, and for each further chunk of rows.
        table: The table that is read; None for the connection alone.

    Attributes:
        connection: Open connection, in a transaction.
        cursor: Its cursor.
        consistent: Whether all statements read the same snapshot.
        usable: Whether another statement can use the connection.
        refusal: The ERP's reason if it refused a snapshot of this table.
    """

    connection: sa.Connection
    cursor: CancellableCursor

    def __init__(self, engine: sa.Engine, statement_seconds: int, table: ErpTable | None = None) -> None:
        self.consistent = False
        self.usable = True
        self.refusal: str | None = None
        self._engine = engine
        self._seconds = statement_seconds
        self._table = table
        self._lock = threading.Lock()
        self._abandoned = False
        self._is_open = False
        self._running: Generator[Any] | None = None

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """Exceptions of the driver, and of SQLAlchemy around it."""
        dialect = self._engine.dialect
        driver = cursor_of(dialect.driver).errors(dialect.loaded_dbapi)
        # Every driver raises ValueError for a value that it cannot convert to a Python object.
        return (*driver, sa.exc.SQLAlchemyError, OSError, ValueError, ArithmeticError)

    def open(self) -> "SourceConnection":
        """Connect and set up, in a thread; the waiting thread may be interrupted at any time and leaves nothing open.

        Raises:
            SourceError: the ERP cannot be reached, it rejects the login, or it is too old.
        """
        is_used = False
        try:
            run_with_timeout(self._connect, self._abandon, self._seconds)
            is_used = True
        except StatementTimeoutError:
            raise timeout_error(self._engine.url, None, self._seconds) from None
        except self.errors as error:
            raise explained(error, self._engine.url, connecting=True) from error
        finally:
            if not is_used:
                self._abandon()
                self.leave(usable=False)
        return self

    def _connect(self) -> None:
        connection = self._engine.connect()
        try:
            consistent = server_of(self._engine.dialect.name).set_up(connection, self._seconds)
            cursor = cursor_of(self._engine.dialect.driver)(connection)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        with self._lock:
            self.connection, self.cursor, self.consistent, self._is_open = connection, cursor, consistent, True
            is_wanted = not self._abandoned
        if not is_wanted:
            self.leave(usable=False)

    def _abandon(self) -> None:
        """Let a connection that opens from now on be closed immediately."""
        with self._lock:
            self._abandoned = True

    def call(self, work: Callable[[], T]) -> T:
        """Return the result of a function that uses the connection; repeat it without a snapshot if that is refused.

        Raises:
            SourceError: the ERP cannot be read.
        """
        try:
            return self._call_once(work)
        except SnapshotRefusedError as error:
            if not self.consistent:
                raise
            self.refusal = public_message(error.__cause__ or error, self._engine.url)
        self.usable = True
        self._call_once(self._leave_snapshot)
        return self._call_once(work)

    def _call_once(self, work: Callable[[], T]) -> T:
        with closing(self.stream(lambda: iter((work(),)))) as results:
            (result,) = results
        return result

    def _leave_snapshot(self) -> None:
        """Leave the snapshot: from now on each statement reads what is committed when it starts."""
        self.connection.rollback()
        read_committed(self.connection)
        self.consistent = False

    def stream(self, work: Callable[[], Iterator[T]]) -> Generator[T]:
        """Yield the items of a producer that uses the connection; unless all are consumed, the connection is unusable.

        Raises:
            SourceError: the ERP cannot be read.
        """
        self._running = items = self._stream(work)
        return items

    def _stream(self, work: Callable[[], Iterator[T]]) -> Generator[T]:
        name, finished = None if self._table is None else self._table.full_name, False
        try:
            yield from prefetch(work, self.cursor.cancel, self._seconds + GRACE_SECONDS)
            finished = True
        except StatementTimeoutError:
            raise timeout_error(self._engine.url, name, self._seconds) from None
        except self.errors as error:
            raise explained(error, self._engine.url, name) from error
        finally:
            self.usable = self.usable and finished

    def batches(self, statement: sa.Select[Any], rows: int) -> Iterator[Chunk]:
        """Yield the result of a statement in batches of some rows; called by a producer of `stream` or `call`.

        Raises:
            Exception: any error of the driver.
        """
        self.cursor.execute(statement)
        yield from self.cursor.batches(rows)

    def end(self) -> None:
        """Cancel the running statement, and release the connection."""
        try:
            if self._running is not None:
                self._running.close()
        finally:
            self.leave(usable=self.usable)

    def leave(self, *, usable: bool) -> None:
        """Release the connection if there is one; close it instead if rows are unread or an error occurred."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if not was_open:
            return
        with contextlib.suppress(Exception):  # the connection may be broken, and the first error is the one to report
            if usable:
                self.connection.rollback()
            else:
                self.connection.invalidate()
        for close in (self.cursor.close, self.connection.close):
            with contextlib.suppress(Exception):  # pyodbc, for example, fails on a cursor that is closed
                close()
