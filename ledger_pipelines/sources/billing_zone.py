"""By which clock the billing application's `updated_at` is shown to us.

The application writes moments without a time zone, by the company's clock. MySQL keeps them in TIMESTAMP columns, which
it shows by the time zone of the session; so does PostgreSQL with its `timestamp with time zone`. Polls ask for what
comes after the newest `updated_at`, so any clock will do; but how long a change took is reckoned by the company's.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from ledger_pipelines.sources.billing_changes import moment_of
from ledger_pipelines.sources.billing_columns import TableColumns
from ledger_pipelines.sources.diagnosis import Finding, Level
from ledger_pipelines.sources.erp_types import MARIADB, MYSQL, POSTGRESQL

_MYSQL = "SELECT IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone), NOW(), UTC_TIMESTAMP()"
#: The session's time zone, the time in it, and the time in UTC.
_CLOCK: Mapping[str, str] = {
    MYSQL: _MYSQL,
    MARIADB: _MYSQL,
    POSTGRESQL: "SELECT current_setting('TimeZone'), localtimestamp(0), timezone('UTC', now())::timestamp(0)",
}
#: The types whose values are shown by the session's time zone.
_SHIFTED: Mapping[str, str] = {MYSQL: "timestamp", MARIADB: "timestamp", POSTGRESQL: "with time zone"}
#: A row that was written so short a time ago by a clock was written by that clock.
_RECENT = timedelta(minutes=10)
_HOUR = timedelta(hours=1)


def of_zone(connection: sa.Connection, dated: Sequence[TableColumns], now: datetime) -> Iterator[Finding]:
    """Compare the newest `updated_at` with the session's clock and the company's.

    Args:
        connection: To the billing application.
        dated: Its tables that have `updated_at`.
        now: The time, in the company's zone.
    """
    if connection.dialect.name not in _CLOCK:
        return
    name, session, utc = connection.exec_driver_sql(_CLOCK[connection.dialect.name]).one()
    company = now.replace(tzinfo=None, microsecond=0)
    found = (
        f"the session's clock shows {session:%Y-%m-%d %H:%M:%S} ({name}), the company's {company:%Y-%m-%d %H:%M:%S} "
        f"({now.tzinfo})"
    )
    newest = {moment: of for of in dated if (moment := moment_of(connection.scalar(_newest(of)))) is not None}
    if not newest:
        yield Finding(Level.OK, "time zone", f"{found}; no row has an updated_at")
        return
    latest, of = max(newest.items(), key=lambda item: item[0])
    found += f"; the newest updated_at is {latest:%Y-%m-%d %H:%M:%S} ({of.table.name})"
    ahead = _ahead(latest, session, company)
    if ahead is None:
        unknown = f"{found}: whether that is by the company's clock cannot be told"
        yield Finding(Level.WARNING, "time zone", unknown, "Save any row in the application, and repeat this at once.")
    elif ahead:
        hours = f"{abs(ahead) / _HOUR:g} hours {'ahead of' if ahead > timedelta() else 'behind'} the company's clock"
        wanted = session - utc - ahead
        yield Finding(Level.WARNING, "time zone", f"{found}: {hours}", _advice(connection, of, wanted, ahead, now))
    else:
        yield Finding(Level.OK, "time zone", found)


def _newest(of: TableColumns) -> sa.Select[datetime]:
    return sa.select(sa.func.max(of.table.c.updated_at))


def _ahead(newest: datetime, session: datetime, company: datetime) -> timedelta | None:
    """By how much `updated_at` is shown ahead of the company's clock; None if that cannot be told."""
    apart = _rounded(session - company)
    if abs(newest - company) <= _RECENT:
        return timedelta()
    if abs(newest - session) <= _RECENT:
        return apart
    if newest > company:
        return math.ceil((newest - company) / _HOUR) * _HOUR
    # Earlier than both clocks, it may be an old row of either; later than the session's, it is not of that.
    return timedelta() if not apart or newest > session else None


def _rounded(difference: timedelta) -> timedelta:
    """A difference of clocks in quarters of an hour, as time zones have it."""
    return round(difference / (_HOUR / 4)) * (_HOUR / 4)


def _advice(connection: sa.Connection, of: TableColumns, wanted: timedelta, ahead: timedelta, now: datetime) -> str:
    """What a wrong clock does, and how a session shows the right one."""
    harm = (
        f"Each poll reads the rows of the last {ahead / _HOUR:g} hours again, and how long changes take is not known."
        if ahead > timedelta()
        else f"Changes are found all the same, but seem to take {-ahead / _HOUR:g} hours (check realtime_latency)."
    )
    dialect = connection.dialect.name
    if _SHIFTED[dialect] not in of.types["updated_at"].lower():
        return f"{harm} The column holds what the application writes: its timezone should be {now.tzinfo}."
    minutes = round(wanted / timedelta(minutes=1))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    if dialect == POSTGRESQL:
        zone = str(now.tzinfo) if wanted == now.utcoffset() else f"a zone of UTC{offset}"
        return f"{harm} Add ?options=-c%20timezone={zone} to LEDGER_BILLING_URL."
    setting = f"init_command=SET%20time_zone%3D%27{offset.replace('+', '%2B').replace(':', '%3A')}%27"
    return f"{harm} Add ?{setting} to LEDGER_BILLING_URL (time_zone = '{offset}')."
