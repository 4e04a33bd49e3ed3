"""Parts of the descriptions of servers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Family


@dataclass(frozen=True)
class SourceColumn:
    """Column of a table of a source.

    Attributes:
        name: The server's spelling of its name.
        type: The server's name of its type.
        family: Family of its type.
    """

    name: str
    type: str
    family: Family


@dataclass(frozen=True)
class Span:
    """Consecutive days: ``first`` <= day < ``after``; ``after`` = None means unbounded."""

    first: date
    after: date | None


@dataclass(frozen=True)
class RowHash:
    """Sum of the hashes of rows.

    A sum is independent of the order of the rows and counts duplicates. Every algorithm distinguishes NULL from empty
    text, `a, bc` from `ab, c`, and texts that differ in case or blanks only, in any collation.

    Attributes:
        name: Name of the algorithm, with a version.
        total: SQL expression of the sum; it is NULL without rows.
        complete: Whether every character of every column takes part.
    """

    name: str
    total: sa.ColumnElement[Any]
    complete: bool

    @classmethod
    def sum_of(cls, name: str, expression: str, *, complete: bool = True) -> "RowHash":
        """Return the sum of an SQL expression."""
        return cls(name, sa.literal_column(f"SUM({expression})"), complete)


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


@dataclass(frozen=True)
class OdbcPackages:
    """Packages of each distribution: unixODBC and a driver.

    tdsodbc and similar packages depend on libodbcinst2 only; libodbc2 is the driver manager that pyodbc loads.

    Attributes:
        debian: Packages of Debian and Ubuntu.
        fedora: Packages of Fedora, and of RHEL with EPEL.
        alpine: Packages of Alpine.
        native: Driver of SQLAlchemy that needs none of them; empty if no driver can replace them.
        remark: Remark on them.
    """

    debian: str
    fedora: str
    alpine: str
    native: str = ""
    remark: str = ""

    def __str__(self) -> str:
        return (
            f"`apt-get install {self.debian}` (Debian, Ubuntu), `dnf install {self.fedora}` (Fedora, RHEL with EPEL) "
            f"or `apk add {self.alpine}` (Alpine)."
        )


def name_of(value: object) -> str:
    """Return a name of the server's catalogue as text; some drivers return bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def cast_to(type_: type[sa.types.TypeEngine[Any]] | None, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a column cast to a type, if there is one."""
    return column if type_ is None else sa.cast(column, type_)


def local_day(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the day of a moment: of its own time zone at SQL Server, of the session's time zone elsewhere."""
    return sa.cast(column, sa.DATE)


def first_of(columns: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    """Return the first of some date columns that is not null."""
    return sa.func.coalesce(*columns, type_=sa.Date) if len(columns) > 1 else columns[0]


def day_parameter(day: date) -> sa.BindParameter[date]:
    """Return a day as a date parameter, which servers compare with a date or datetime column by its index."""
    return sa.bindparam(None, day, type_=sa.Date)


def read_committed(connection: sa.Connection) -> None:
    """Make each statement its own transaction at READ COMMITTED.

    A transaction over several statements would not be more consistent, and could not read memory-optimized tables.
    """
    connection.execution_options(isolation_level="READ COMMITTED")
    connection.execution_options(isolation_level="AUTOCOMMIT")
