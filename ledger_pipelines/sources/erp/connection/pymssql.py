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

NAME = "pymssql"

_DEFAULTS: Mapping[str, Any] = {"appname": "ledger_pipelines", "read_only": True, "tds_version": "7.4"}
_NO = frozenset(("false", "no", "off", "0"))

_of_thread = threading.local()


def options(url: sa.URL) -> dict[str, Any]:
    """Return the arguments of each connection that the URL does not set, and its `read_only` as a boolean."""
    # SQLAlchemy passes options on as text, and pymssql would take the text "false" for true.
    given = {"read_only": str(url.query["read_only"]).lower() not in _NO} if "read_only" in url.query else {}
    return {name: value for name, value in _DEFAULTS.items() if name not in url.query} | given


def errors(module: Any) -> tuple[type[Exception], ...]:
    """Return the exceptions of pymssql that are not its `Error`: a rollback may raise errors of its lower layer.

    Args:
        module: pymssql.
    """
    return (module._mssql.MSSQLException,)


def note_sockets(module: Any) -> None:
    """Make pymssql report the socket of each statement, which it offers in no other way.

    Args:
        module: pymssql.
    """
    module.set_wait_callback(_note_socket)


def _note_socket(descriptor: int) -> None:
    _of_thread.descriptor = descriptor


class ConnectionSocket:
    """Socket of the connection on which this thread ran its latest statement.

    The descriptor is a duplicate: the driver may close its own while another thread shuts the connection down.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(fileno=os.dup(_of_thread.descriptor))

    def shut_down(self) -> None:
        """Shut the connection down, so that the driver fails and the server ends the statement."""
        with contextlib.suppress(OSError):  # the connection is down already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the duplicate."""
        self._socket.close()


def written(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with dates as YYYYMMDD, which SQL Server parses the same in every login language."""
    return {
        name: value.isoformat().replace("-", "") if isinstance(value, date) else value
        for name, value in parameters.items()
    }
