"""Dates of PostgreSQL as psycopg gives them: quickly, and as text where the calendar does not have them."""

from datetime import date, datetime
from functools import lru_cache

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader


def read_days(connection: "psycopg.Connection[object]") -> None:
    """Let a connection give dates and timestamps that way."""
    connection.adapters.register_loader("date", _DateLoader)
    connection.adapters.register_loader("timestamp", _TimestampLoader)


class _DateLoader(Loader):
    """A date of PostgreSQL; as text where the calendar does not have it (infinity, 0044-03-15 BC)."""

    def load(self, data: Buffer) -> date | str:
        """The date out of the server's text."""
        return _date_of(bytes(data))


class _TimestampLoader(Loader):
    """A timestamp of PostgreSQL; as text where the calendar does not have it."""

    def load(self, data: Buffer) -> datetime | str:
        """The moment out of the server's text."""
        return _moment_of(bytes(data))


# Of thousands of rows a day, most have the same few dates.
@lru_cache(maxsize=10_000)
def _date_of(text: bytes) -> date | str:
    try:
        return date.fromisoformat(text.decode())
    except ValueError:
        return text.decode()


@lru_cache(maxsize=10_000)
def _moment_of(text: bytes) -> datetime | str:
    try:
        return datetime.fromisoformat(text.decode())
    except ValueError:
        return text.decode()
