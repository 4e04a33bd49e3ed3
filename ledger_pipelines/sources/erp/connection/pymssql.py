"""SQL Server by pymssql, whose wheels bring FreeTDS: for machines without unixODBC.

pymssql differs from an ODBC driver in three ways that matter here. It cannot cancel a statement from another thread, so
its connection is shut down instead. It writes parameters into the statement, dates in a form that SQL Server reads by
the login's language. It replaces or drops lone surrogates, so texts are read as bytes (`sources/erp/texts.py`).
"""

import contextlib
import os
import socket
import threading
from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.erp.connection.cursor import CancellableCursor

_DEFAULTS: Mapping[str, Any] = {"appname": "ledger_pipelines", "read_only": True, "tds_version": "7.4"}
_NO = frozenset(("false", "no", "off", "0"))

_of_thread = threading.local()


class PymssqlCursor(CancellableCursor):
    """Cursor of pymssql.

    It holds a duplicate of the socket on which this thread ran its latest statement: the driver may close its own while
    another thread shuts the connection down.
    """

    connect_timeout = "login_timeout"
    changes_lone_surrogates = True

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._socket = socket.socket(fileno=os.dup(_of_thread.descriptor))

    @classmethod
    def arguments(cls, url: sa.URL) -> dict[str, Any]:
        """Return the time limit, the defaults that the URL does not set, and its `read_only` as a boolean."""
        # SQLAlchemy passes options on as text, and pymssql would take the text "false" for true.
        given = {"read_only": str(url.query["read_only"]).lower() not in _NO} if "read_only" in url.query else {}
        defaults = {name: value for name, value in _DEFAULTS.items() if name not in url.query}
        return super().arguments(url) | defaults | given

    @classmethod
    def prepare(cls, module: Any) -> None:
        """Make pymssql report the socket of each statement, which it offers in no other way."""
        module.set_wait_callback(_note_socket)

    @classmethod
    def errors(cls, module: Any) -> tuple[type[BaseException], ...]:
        """Return also the exceptions that are not its `Error`: a rollback may raise errors of its lower layer."""
        return (*super().errors(module), module._mssql.MSSQLException)

    def cancel(self) -> None:
        """Shut the connection down, so that the driver fails and the server ends the statement."""
        with contextlib.suppress(OSError):  # the connection is down already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the cursor and the duplicate of the socket."""
        self._socket.close()
        super().close()

    def _written(self, parameters: Mapping[str, Any] | tuple[Any, ...]) -> Any:
        """Return parameters with dates as YYYYMMDD, which SQL Server parses the same in every login language."""
        return {
            name: value.isoformat().replace("-", "") if isinstance(value, date) else value
            for name, value in dict(parameters).items()
        }


def _note_socket(descriptor: int) -> None:
    _of_thread.descriptor = descriptor
