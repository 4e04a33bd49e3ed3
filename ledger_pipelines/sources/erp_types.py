"""What the ERP calls its columns' types, and what we can do with a column of such a type.

A type is known by the words that the server has for it: `decimal(15,2)`, `timestamp without time zone`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum

from ledger_pipelines.sources.erp_tables import ErpTable

POSTGRESQL = "postgresql"
MYSQL = "mysql"
MARIADB = "mariadb"
SQL_SERVER = "mssql"

_WHOLE = frozenset(
    ("int", "integer", "bigint", "smallint", "tinyint", "mediumint", "int2", "int4", "int8", "bigserial", "serial")
)
_EXACT = frozenset(("numeric", "decimal", "dec", "number"))
_MONEY = frozenset(("money", "smallmoney"))
_APPROXIMATE = frozenset(("float", "real", "double", "float4", "float8"))
_DATES = frozenset(("date", "datetime", "datetime2", "smalldatetime"))
_TEXT = frozenset(
    ("char", "varchar", "nchar", "nvarchar", "character", "text", "ntext", "tinytext", "mediumtext", "longtext",
     "bpchar", "citext", "string", "clob", "enum", "set", "name"),
)  # fmt: skip
_BOOLEAN = frozenset(("bit", "bool", "boolean"))
# Where we know how to hash a row, by the oldest version that can.
_HASHED_SINCE: Mapping[str, tuple[int, ...]] = {POSTGRESQL: (14,), MYSQL: (), MARIADB: (), SQL_SERVER: (11,)}
_LENGTH = re.compile(r"\((max|\d+)")

# The first and the last day that a column of SQL Server can be compared with: a day beyond them is an error there.
_DAYS = {
    "datetime": (date(1753, 1, 1), date.max),
    "smalldatetime": (date(1900, 1, 1), date(2079, 6, 6)),
}


class Family(Enum):
    """What a column's type is to us."""

    WHOLE = "whole number"
    EXACT = "exact decimal number"
    APPROXIMATE = "approximate number"
    DATE = "date"
    TEXT = "text"
    BOOLEAN = "boolean"
    OTHER = "something else"

    @property
    def is_exact(self) -> bool:
        """Whether a sum over such a column is exact."""
        return self in {Family.WHOLE, Family.EXACT}


def base_of(words: str) -> str:
    """The first word of a type: `decimal` of `decimal(15,2)`."""
    return re.split(r"[( ]", words.strip().lower(), maxsplit=1)[0]


def length_of(words: str) -> int | None:
    """The length in a type: 50 of `nvarchar(50)`; None if it has none, or is without limit."""
    found = _LENGTH.search(words.lower())
    return int(found[1]) if found and found[1] != "max" else None


def family_of(words: str, dialect: str) -> Family:
    """What a type is to us, by the server's words for it."""
    base = base_of(words)
    if base == "timestamp":  # to SQL Server it is a version number of the row
        return Family.OTHER if dialect == SQL_SERVER else Family.DATE
    if base in _MONEY:  # to PostgreSQL it is text with a currency
        return Family.EXACT if dialect == SQL_SERVER else Family.OTHER
    families = {
        Family.WHOLE: _WHOLE,
        Family.EXACT: _EXACT,
        Family.APPROXIMATE: _APPROXIMATE,
        Family.DATE: _DATES,
        Family.TEXT: _TEXT,
        Family.BOOLEAN: _BOOLEAN,
    }
    return next((family for family, bases in families.items() if base in bases), Family.OTHER)


def days_of(words: str, dialect: str) -> tuple[date, date]:
    """The first and the last day that a date column can be compared with."""
    whole = (date.min, date.max)
    return _DAYS.get(base_of(words), whole) if dialect == SQL_SERVER else whole


@dataclass(frozen=True)
class Shape:
    """A table as the ERP has it.

    Attributes:
        dialect: SQLAlchemy's name of the kind of server.
        version: Of the server.
        types: The server's words for the type of each column of the catalogue.
        names: How the server spells the name of each column of the catalogue.
        extra: Columns that the ERP has and the catalogue has not.
        dated: Whether every month column has a type of dates, so that rows can be asked for by day; false for
            snapshots.
    """

    dialect: str
    version: tuple[int, ...]
    types: Mapping[str, str]
    names: Mapping[str, str]
    extra: tuple[str, ...]
    dated: bool

    @property
    def hashed(self) -> bool:
        """Whether the server can hash a row; elsewhere a fingerprint may miss that two rows swapped values."""
        return self.dialect in _HASHED_SINCE and self.version >= _HASHED_SINCE[self.dialect]

    def family(self, column: str) -> Family:
        """What a column of the catalogue is at the source."""
        return family_of(self.types[column], self.dialect)


def missing_columns(table: ErpTable, found: Iterable[str]) -> tuple[str, ...]:
    """The columns of the catalogue that a table of these columns lacks, cases aside."""
    there = {name.lower() for name in found}
    return tuple(name for name in table.names if name not in there)


def shape_of(table: ErpTable, dialect: str, version: tuple[int, ...], found: Mapping[str, str]) -> Shape:
    """The shape of a table that has all columns of the catalogue, by its columns at the ERP.

    Names are compared without regard to case; one that is spelled as in the catalogue goes before others.

    Args:
        table: As the catalogue has it.
        dialect: SQLAlchemy's name of the kind of server.
        version: Of the server.
        found: The server's words for each column's type, by its name.
    """
    spelled = {name.lower(): name for name in found} | {name: name for name in table.names if name in found}
    names = {name: spelled[name] for name in table.names}
    types = {name: found[spelled[name]] for name in table.names}
    used = set(names.values())
    # SQLite has no type of dates: what it compares is the text that somebody wrote.
    dated = dialect != "sqlite" and all(family_of(types[name], dialect) is Family.DATE for name in table.month_columns)
    return Shape(
        dialect=dialect,
        version=version,
        types=types,
        names=names,
        extra=tuple(name for name in found if name not in used),
        dated=dated and not table.is_snapshot,
    )
