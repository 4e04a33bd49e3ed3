"""Findings of a connection test, common to all sources, and the queries that it sends to every server.

Nothing here prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER

_LOGINS: Mapping[str, str] = {
    POSTGRESQL: "SELECT current_user",
    MYSQL: "SELECT CURRENT_USER()",
    MARIADB: "SELECT CURRENT_USER()",
    SQL_SERVER: "SELECT SUSER_SNAME()",
}
_MYSQL_CLOCK = (
    "SELECT IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone), NOW(), UTC_TIMESTAMP()"
)
_CLOCKS: Mapping[str, str] = {
    MYSQL: _MYSQL_CLOCK,
    MARIADB: _MYSQL_CLOCK,
    POSTGRESQL: "SELECT current_setting('TimeZone'), localtimestamp(0), timezone('UTC', now())::timestamp(0)",
}
_NAMES = {POSTGRESQL: "PostgreSQL", MYSQL: "MySQL", MARIADB: "MariaDB", SQL_SERVER: "SQL Server"}


class FindingLevel(Enum):
    """Severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        level: Severity.
        what: Subject of the check.
        found: Observation.
        advice: Recommended action; empty if none is needed.
    """

    level: FindingLevel
    what: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class SessionClock:
    """Clock of a session.

    Attributes:
        zone: The server's name for the session's time zone.
        now: Current time in this zone.
        utc: Current time in UTC.
    """

    zone: str
    now: datetime
    utc: datetime


def session_clock(connection: sa.Connection) -> SessionClock | None:
    """Return the clock of a session; None if sessions at servers of this kind have no time zone."""
    query = _CLOCKS.get(connection.dialect.name)
    return None if query is None else SessionClock(*connection.exec_driver_sql(query).one())


def zone_option(dialect: Dialect, zone: str, offset: str) -> str:
    """Return the option of a URL that sets the time zone of sessions, by name at PostgreSQL, else by offset."""
    if dialect.name == POSTGRESQL:
        return f"options=-c%20timezone={zone}"
    name = "initstmt" if dialect.driver == "pyodbc" else "init_command"
    return f"{name}=SET%20time_zone%3D%27{quote(offset)}%27"


def option_advice(url: sa.URL, option: str, variable: str) -> str:
    """Return the advice, without a full stop, to give the URL of a setting an option.

    Args:
        url: The present URL.
        option: The option as it is written in a URL.
        variable: Name of the setting.
    """
    name, _, value = option.partition("=")
    if name in url.query:
        return f"Include {value} in the option {name} of {variable}"
    return f"Add {'&' if url.query else '?'}{option} to {variable}"


def describe_server(dialect: Dialect) -> str:
    """Return the kind and the version of a connected server."""
    name = "MariaDB" if getattr(dialect, "is_mariadb", False) else _NAMES.get(dialect.name, dialect.name)
    return f"{name} {'.'.join(map(str, dialect.server_version_info or ()))}".strip()


def current_login(connection: sa.Connection) -> str | None:
    """Return the user of the session; None if servers of this kind have no users."""
    query = _LOGINS.get(connection.dialect.name)
    return None if query is None else str(connection.exec_driver_sql(query).scalar())
