"""Cursor that streams the rows of a statement, and that another thread can cancel: what differs between drivers.

The class itself is for a driver that is not known. Each known driver has a subclass in a module of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import sqlalchemy as sa

CONNECT_SECONDS = 10

Chunk = list[tuple[Any, ...]]


class CancellableCursor:
    """Cursor of a connection, for one statement at a time.

    Another way to fetch a result, such as batches of columns, is a subclass with its own `execute` and `batches`.

    Args:
        connection: Connection that is set up for reading.

    Attributes:
        connect_timeout: Argument of the driver that limits the time for connecting; empty if it has none.
        changes_lone_surrogates: Whether the driver replaces or drops lone surrogates without an error, so that texts
            are always read as bytes.
    """

    connect_timeout: ClassVar[str] = ""
    changes_lone_surrogates: ClassVar[bool] = False

    def __init__(self, connection: sa.Connection) -> None:
        self._engine = connection.engine
        self._dbapi: Any = connection.connection.dbapi_connection
        self._cursor: Any = None

    @classmethod
    def arguments(cls, url: sa.URL) -> dict[str, Any]:  # noqa: ARG003 - for the subclasses
        """Return the arguments of each connection, which replace options of the URL."""
        return {cls.connect_timeout: CONNECT_SECONDS} if cls.connect_timeout else {}

    @classmethod
    def prepare(cls, module: Any) -> None:
        """Prepare the driver, given its module."""

    @classmethod
    def errors(cls, module: Any) -> tuple[type[BaseException], ...]:
        """Return the exceptions of the driver, given its module."""
        return (module.Error,)

    def execute(self, statement: sa.Select[Any]) -> None:
        """Run a statement; its rows stay at the server until they are fetched, if the driver can do that.

        Raises:
            Exception: any error of the driver.
        """
        compiled = statement.compile(dialect=self._engine.dialect)
        names = compiled.positiontup
        parameters = compiled.params if names is None else tuple(compiled.params[name] for name in names)
        self._cursor = self._streaming()
        self._cursor.execute(str(compiled), self._written(parameters))

    def batches(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows as the driver returns them, some at a time, without costly SQLAlchemy row objects."""
        while chunk := self._cursor.fetchmany(rows):
            yield list(chunk) if isinstance(chunk[0], tuple) else list(map(tuple, chunk))
        self._cursor.close()  # not before the last row: closing a cursor with unread rows reads them all

    def cancel(self) -> None:
        """Cancel the statement that another thread is running, if the driver can do that."""

    def close(self) -> None:
        """Close the cursor, after the connection was closed if rows are unread.

        Raises:
            Exception: any error of the driver; nothing of the cursor stays open.
        """
        if self._cursor is not None:
            self._cursor.close()

    def _streaming(self) -> Any:
        """Return a cursor of the driver that leaves the rows at the server."""
        return self._dbapi.cursor()

    def _written(self, parameters: Mapping[str, Any] | tuple[Any, ...]) -> Any:
        """Return parameters as the driver writes them correctly."""
        return parameters
