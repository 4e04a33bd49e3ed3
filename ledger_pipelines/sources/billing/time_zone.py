"""Check of the clock in which the session sees the billing application's `updated_at`.

The application writes times without a time zone, by the company's clock. MySQL stores them in TIMESTAMP columns and
converts them to the session's time zone; PostgreSQL does the same with `timestamp with time zone`. Polls select the
rows after the newest `updated_at` and work with any clock. The latency of a change is measured by the company's clock.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ledger_pipelines.sources.billing.changes import naive_timestamp
from ledger_pipelines.sources.billing.columns import ReadableColumns
from ledger_pipelines.sources.column_types import Family
from ledger_pipelines.sources.diagnosis import Finding, FindingLevel, option_advice
from ledger_pipelines.sources.dialects import server_of

#: A row whose `updated_at` is this close to the time of a clock was written by that clock.
_RECENT = timedelta(minutes=10)
_HOUR = timedelta(hours=1)


def time_zone_findings(connection: sa.Connection, dated: Sequence[ReadableColumns], now: datetime) -> Iterator[Finding]:
    """Compare the newest `updated_at` with the session's clock and the company's.

    Args:
        connection: Connection to the billing application.
        dated: The tables that have `updated_at`.
        now: The current time in the company's zone.
    """
    clock = server_of(connection.dialect.name).clock(connection)
    if clock is None:
        return
    name, session, utc = clock.zone, clock.now, clock.utc
    company = now.replace(tzinfo=None, microsecond=0)
    found = (
        f"the session's clock shows {session:%Y-%m-%d %H:%M:%S} ({name}), the company's {company:%Y-%m-%d %H:%M:%S} "
        f"({now.tzinfo})"
    )
    newest = {
        at: table for table in dated if (at := naive_timestamp(connection.scalar(_select_newest(table)))) is not None
    }
    if not newest:
        reason = "no row has an updated_at" if dated else "updated_at of neither table can be read"
        yield Finding(FindingLevel.OK, "time zone", f"{found}; {reason}")
        return
    latest, table = max(newest.items(), key=lambda item: item[0])
    found += f"; the newest updated_at is {latest:%Y-%m-%d %H:%M:%S} ({table.table.name})"
    ahead = _time_ahead(latest, session, company)
    if ahead is None:
        unknown = f"{found}: it is not clear whether this is the company's clock"
        yield Finding(
            FindingLevel.WARNING,
            "time zone",
            unknown,
            "Save any row in the application, and repeat this check immediately.",
        )
    elif ahead:
        hours = f"{abs(ahead) / _HOUR:g} hours {'ahead of' if ahead > timedelta() else 'behind'} the company's clock"
        wanted = session - utc - ahead
        yield Finding(
            FindingLevel.WARNING, "time zone", f"{found}: {hours}", _advice(connection, table, wanted, ahead, now)
        )
    else:
        yield Finding(FindingLevel.OK, "time zone", found)


def _select_newest(table: ReadableColumns) -> sa.Select[datetime]:
    return sa.select(sa.func.max(table.table.c.updated_at))


def _time_ahead(newest: datetime, session: datetime, company: datetime) -> timedelta | None:
    """Return how far `updated_at` is ahead of the company's clock; None if that is not clear."""
    apart = _round_to_quarter_hours(session - company)
    if abs(newest - company) <= _RECENT:
        return timedelta()
    if abs(newest - session) <= _RECENT:
        return apart
    if newest > company:
        return math.ceil((newest - company) / _HOUR) * _HOUR
    # An old row may come from either clock. One later than the session's clock was not written by that clock.
    return timedelta() if not apart or newest > session else None


def _round_to_quarter_hours(difference: timedelta) -> timedelta:
    """Round a difference of clocks to quarters of an hour, the granularity of time zones."""
    return round(difference / (_HOUR / 4)) * (_HOUR / 4)


def _advice(
    connection: sa.Connection, table: ReadableColumns, wanted: timedelta, ahead: timedelta, now: datetime
) -> str:
    """Return the effect of a wrong clock, and the setting that corrects it."""
    harm = (
        f"Each poll reads the rows of the last {ahead / _HOUR:g} hours again, and the latency of changes is unknown."
        if ahead > timedelta()
        else f"Changes are still found, but appear to take {-ahead / _HOUR:g} hours (check realtime_latency)."
    )
    server = server_of(connection.dialect.name)
    if server.family(table.types["updated_at"]) is not Family.ZONED:
        return f"{harm} The column holds what the application writes: set the application's timezone to {now.tzinfo}."
    minutes = round(wanted / timedelta(minutes=1))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    zone = str(now.tzinfo) if wanted == now.utcoffset() else f"a zone of UTC{offset}"
    option = server.zone_option(connection.dialect.driver, zone, offset)
    return f"{harm} {option_advice(connection.engine.url, option, 'LEDGER_BILLING_URL')} (UTC{offset})."
