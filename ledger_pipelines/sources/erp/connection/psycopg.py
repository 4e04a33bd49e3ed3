"""PostgreSQL by psycopg, with fast loaders that return text for dates that Python's calendar lacks."""

from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from psycopg.abc import Buffer
from psycopg.adapt import Loader

from ledger_pipelines.sources.erp.connection.cursor import CancellableCursor

_CANCEL_SECONDS = 5


class PsycopgCursor(CancellableCursor):
    """Cursor of psycopg, which has a name: the server keeps its rows."""

    connect_timeout = "connect_timeout"

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        for type_name, loader in _LOADERS.items():
            self._dbapi.adapters.register_loader(type_name, loader)

    def cancel(self) -> None:
        """Cancel the statement by a connection of its own."""
        self._dbapi.cancel_safe(timeout=_CANCEL_SECONDS)

    def _streaming(self) -> Any:
        return self._dbapi.cursor("ledger_pipelines")


def _loader(parse: Callable[[str], date]) -> type[Loader]:
    """Return a loader that keeps the text of a day that the calendar lacks (infinity, 0044-03-15 BC)."""

    @lru_cache(maxsize=10_000)  # thousands of rows share a few days
    def parsed(text: bytes) -> date | str:
        try:
            return parse(text.decode())
        except ValueError:
            return text.decode()

    class DayLoader(Loader):
        def load(self, data: Buffer) -> date | str:
            return parsed(bytes(data))

    return DayLoader


_LOADERS = {"date": _loader(date.fromisoformat), "timestamp": _loader(datetime.fromisoformat)}
