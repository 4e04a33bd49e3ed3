"""Connection that reads one table in a thread, streams its rows, and explains the errors of the driver."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar

import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.connection.causes import SnapshotRefusedError
from ledger_pipelines.sources.erp.connection.errors import explained, public_message, timeout_error
from ledger_pipelines.sources.erp.connection.session import SourceConnection
from ledger_pipelines.sources.prefetch import StatementTimeoutError, prefetch

GRACE_SECONDS = 2
"""Difference between our limit and the server's own, which comes first because its message is more precise."""

Chunk = list[tuple[Any, ...]]
T = TypeVar("T")


class TableConnection:
    """Connection in use for one table; its statements run in a thread and are cancelled if the consumer stops.

    Args:
        session: Connection that is set up for reading.
        table: The table.
        url: URL of the ERP, for messages.
        errors: Exceptions of the driver.
        statement_seconds: Time limit for the answer to a statement, and for each further chunk of rows.
        chunk_rows: Number of rows in a chunk.

    Attributes:
        usable: Whether another statement can use the connection.
        refusal: The ERP's reason if it refused a snapshot of this table.
    """

    def __init__(
        self,
        session: SourceConnection,
        table: ErpTable,
        *,
        url: sa.URL,
        errors: tuple[type[BaseException], ...],
        statement_seconds: int,
        chunk_rows: int,
    ) -> None:
        self.session = session
        self.table = table
        self.usable = True
        self.refusal: str | None = None
        self._url = url
        self._errors = errors
        self._statement_seconds = statement_seconds
        self._chunk_rows = chunk_rows
        self._running: Generator[Any] | None = None

    def end(self) -> None:
        """Cancel the running statement, and release the connection."""
        try:
            if self._running is not None:
                self._running.close()
        finally:
            self.session.leave(usable=self.usable)

    def run(self, work: Callable[[], T]) -> T:
        """Return the result of a function that uses the connection; repeat it without a snapshot if that is refused.

        Raises:
            SourceError: the ERP cannot be read.
        """
        try:
            return self._run_once(work)
        except SnapshotRefusedError as error:
            if not self.session.consistent:
                raise
            self.refusal = public_message(error.__cause__ or error, self._url)
        self.usable = True
        self._run_once(self.session.leave_snapshot)
        return self._run_once(work)

    def _run_once(self, work: Callable[[], T]) -> T:
        with closing(self.stream(lambda: iter((work(),)))) as results:
            (result,) = results
        return result

    def stream(self, work: Callable[[], Iterator[T]]) -> Generator[T]:
        """Yield the items of a producer that uses the connection; unless all are consumed, the connection is unusable.

        Raises:
            SourceError: the ERP cannot be read.
        """
        self._running = items = self._stream(work)
        return items

    def _stream(self, work: Callable[[], Iterator[T]]) -> Generator[T]:
        seconds, finished = self._statement_seconds, False
        try:
            yield from prefetch(work, self.session.cancel, seconds + GRACE_SECONDS)
            finished = True
        except StatementTimeoutError:
            raise timeout_error(self._url, self.table.full_name, seconds) from None
        except self._errors as error:
            raise explained(error, self._url, self.table.full_name) from error
        finally:
            self.usable = self.usable and finished

    def chunks(self, statement: sa.Select[Any]) -> Iterator[Chunk]:
        """Yield chunks of a statement's rows as the driver returns them, without costly SQLAlchemy row objects."""
        cursor = self.session.run(statement)
        while chunk := cursor.fetchmany(self._chunk_rows):
            yield list(chunk) if isinstance(chunk[0], tuple) else list(map(tuple, chunk))
        cursor.close()  # not before the last row: closing a cursor with unread rows reads them all
