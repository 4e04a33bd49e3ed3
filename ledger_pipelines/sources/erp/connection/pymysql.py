"""MySQL and MariaDB by drivers that cannot cancel a statement: another connection kills it."""

from typing import Any

import sqlalchemy as sa
from pymysql.cursors import SSCursor

from ledger_pipelines.sources.erp.connection.cursor import CancellableCursor


class KilledCursor(CancellableCursor):
    """Cursor of a driver that knows the number of its connection."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._number = int(self._dbapi.thread_id())

    def cancel(self) -> None:
        """Kill the statement by another connection."""
        with self._engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {self._number}")


class PyMySqlCursor(KilledCursor):
    """Cursor of PyMySQL."""

    connect_timeout = "connect_timeout"

    def close(self) -> None:
        """Close the cursor without its unread rows."""
        if self._cursor is not None:
            self._cursor.abandon()
        super().close()

    def _streaming(self) -> Any:
        return self._dbapi.cursor(_StreamingCursor)


class _StreamingCursor(SSCursor):
    """Cursor that streams rows."""

    _result: Any
    connection: Any

    def abandon(self) -> None:
        """Discard the rows that were not fetched; the driver would read all of them on close."""
        if self._result is not None:
            self._result.unbuffered_active = False
        self.connection = None
