"""Findings of a connection test, common to all sources, and the queries that it sends to every server.

Nothing here prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER

_LOGINS: Mapping[str, str] = {
    POSTGRESQL: "SELECT current_user",
    MYSQL: "SELECT CURRENT_USER()",
    MARIADB: "SELECT CURRENT_USER()",
    SQL_SERVER: "SELECT SUSER_SNAME()",
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


def describe_server(dialect: Dialect) -> str:
    """Return the kind and the version of a connected server."""
    name = "MariaDB" if getattr(dialect, "is_mariadb", False) else _NAMES.get(dialect.name, dialect.name)
    return f"{name} {'.'.join(map(str, dialect.server_version_info or ()))}".strip()


def current_login(connection: sa.Connection) -> str | None:
    """Return the user of the session; None if servers of this kind have no users."""
    query = _LOGINS.get(connection.dialect.name)
    return None if query is None else str(connection.exec_driver_sql(query).scalar())
