"""Fast psycopg loaders for dates of PostgreSQL, which return text for dates that Python's calendar lacks."""

from datetime import date, datetime
from functools import lru_cache

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader


def read_days(connection: "psycopg.Connection[object]") -> None:
    """Register the loaders of this module for dates and timestamps of a connection."""
    connection.adapters.register_loader("date", _DateLoader)
    connection.adapters.register_loader("timestamp", _TimestampLoader)


class _DateLoader(Loader):
    """Loader of dates; returns text if the calendar lacks the date (infinity, 0044-03-15 BC)."""

    def load(self, data: Buffer) -> date | str:
        """Parse the server's text of a date."""
        return _date_of(bytes(data))


class _TimestampLoader(Loader):
    """Loader of timestamps; returns text if the calendar lacks the timestamp."""

    def load(self, data: Buffer) -> datetime | str:
        """Parse the server's text of a timestamp."""
        return _moment_of(bytes(data))


# Thousands of rows share a few dates.
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
