"""Families of the ERP's column types, and what the reader can do with each.

A type is identified by the server's name for it: `decimal(15,2)`, `timestamp without time zone`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeVar

from ledger_pipelines.sources.erp.catalogue import ErpTable

T = TypeVar("T")

POSTGRESQL = "postgresql"
MYSQL = "mysql"
MARIADB = "mariadb"
SQL_SERVER = "mssql"


class Family(Enum):
    """Family of column types."""

    WHOLE = "whole number"
    EXACT = "exact decimal number"
    APPROXIMATE = "approximate number"
    DATE = "date"
    ZONED = "moment with a time zone"
    TEXT = "text"
    BOOLEAN = "boolean"
    OTHER = "something that is read as text"
    UNREADABLE = "something without an exact text"

    @property
    def is_exact(self) -> bool:
        """Whether a sum over such a column is exact."""
        return self in {Family.WHOLE, Family.EXACT}


def _each(value: T, *bases: str) -> dict[str, T]:
    return dict.fromkeys(bases, value)


_FAMILIES: Mapping[str, Family] = {
    **_each(Family.WHOLE, "int", "integer", "bigint", "smallint", "tinyint", "mediumint", "int2", "int4", "int8"),
    **_each(Family.WHOLE, "bigserial", "serial"),
    **_each(Family.EXACT, "numeric", "decimal", "dec", "number"),
    **_each(Family.APPROXIMATE, "float", "real", "double", "float4", "float8"),
    **_each(Family.DATE, "date", "datetime", "datetime2", "smalldatetime", "timestamp"),
    **_each(Family.TEXT, "char", "varchar", "nchar", "nvarchar", "character", "bpchar", "citext", "string", "name"),
    **_each(Family.TEXT, "text", "ntext", "tinytext", "mediumtext", "longtext", "clob", "enum", "set"),
    **_each(Family.BOOLEAN, "bit", "bool", "boolean"),
}
_OF_MYSQL = {"timestamp": Family.ZONED, "year": Family.WHOLE}
_OF_SERVER: Mapping[str, Mapping[str, Family]] = {
    POSTGRESQL: {"money": Family.EXACT},
    MYSQL: _OF_MYSQL,
    MARIADB: _OF_MYSQL,
    SQL_SERVER: {
        "datetimeoffset": Family.ZONED,
        **_each(Family.EXACT, "money", "smallmoney"),
        **_each(Family.OTHER, "time", "uniqueidentifier", "xml", "json"),
    },
}
_NO_TEXT_IN_MYSQL = {
    **_each("HEX({})", "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"),
    **_each("ST_AsText({})", "geometry", "point", "linestring", "polygon", "geometrycollection", "geomcollection"),
    **_each("ST_AsText({})", "multipoint", "multilinestring", "multipolygon"),
}
# Types whose values the server writes as no exact text, each with an expression for a view that replaces it.
_NO_TEXT: Mapping[str, Mapping[str, str]] = {
    POSTGRESQL: {"bytea": "encode({}, 'hex')"},
    MYSQL: _NO_TEXT_IN_MYSQL,
    MARIADB: _NO_TEXT_IN_MYSQL,
    SQL_SERVER: {
        **_each("CONVERT(varchar(max), {}, 2)", "binary", "varbinary"),
        # An image has no text, that of a rowversion is its bytes as characters, and that of a sql_variant is rounded.
        "image": "CONVERT(varchar(max), CONVERT(varbinary(max), {}), 2)",
        "timestamp": "CONVERT(bigint, {})",
        "sql_variant": "CONVERT(decimal(19, 4), {})",
        **_each("{}.ToString()", "geometry", "geography", "hierarchyid", "clr"),
    },
}
# Servers whose rows we can hash, with the oldest version that supports it.
_HASHED_SINCE: Mapping[str, tuple[int, ...]] = {POSTGRESQL: (14,), MYSQL: (), MARIADB: (), SQL_SERVER: (11,)}
_LENGTH = re.compile(r"\((max|\d+)")
_DIGITS = re.compile(r"\((\d+), ?(\d+)\)")

# First and last day that a column of SQL Server can be compared with; a day outside them is an error there.
_DAYS = {
    "datetime": (date(1753, 1, 1), date.max),
    "smalldatetime": (date(1900, 1, 1), date(2079, 6, 6)),
}


def base_of(type_name: str) -> str:
    """Return the first word of a type: `decimal` of `decimal(15,2)`."""
    return re.split(r"[( ]", type_name.strip().lower(), maxsplit=1)[0]


def length_of(type_name: str) -> int | None:
    """Return the length in a type: 50 of `nvarchar(50)`; None if it has none or is unlimited."""
    found = _LENGTH.search(type_name.lower())
    return int(found[1]) if found and found[1] != "max" else None


def digits_of(type_name: str) -> tuple[int, int]:
    """Return precision and scale of a type: (15, 2) of `decimal(15,2)`; (0, 0) if it has none."""
    found = _DIGITS.search(type_name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def family_of(type_name: str, dialect: str) -> Family:
    """Return the family of a type, given the server's name for it."""
    base, name = base_of(type_name), type_name.strip().lower()
    if name.endswith("[]"):
        return Family.OTHER
    if base in _NO_TEXT.get(dialect, {}):
        return Family.UNREADABLE
    if base == "bit" and name not in {"bit", "bit(1)"}:
        return Family.WHOLE if dialect in {MYSQL, MARIADB} else Family.OTHER
    if base == "timestamp" and name.endswith("with time zone"):
        return Family.ZONED
    # An unknown type of SQL Server may have no conversion to text at all.
    unknown = Family.UNREADABLE if dialect == SQL_SERVER else Family.OTHER
    return {**_FAMILIES, **_OF_SERVER.get(dialect, {})}.get(base, unknown)


def as_text_in_view(column: str, type_name: str, dialect: str) -> str:
    """Return the expression for a view that replaces a column of an unreadable type, given its quoted name."""
    return _NO_TEXT[dialect].get(base_of(type_name), "CONVERT(nvarchar(max), {})").format(column)


def days_of(type_name: str, dialect: str) -> tuple[date, date]:
    """Return the first and the last day that a date column can be compared with."""
    whole = (date.min, date.max)
    return _DAYS.get(base_of(type_name), whole) if dialect == SQL_SERVER else whole


@dataclass(frozen=True)
class Shape:
    """Shape of a table at the ERP.

    Attributes:
        dialect: SQLAlchemy's name of the kind of server.
        version: Version of the server.
        types: The server's type name of each catalogue column.
        names: The server's spelling of each catalogue column.
        extra: Columns of the ERP that the catalogue lacks.
        dated: Whether every month column has a date type, so that rows can be selected by day; false for snapshots.
    """

    dialect: str
    version: tuple[int, ...]
    types: Mapping[str, str]
    names: Mapping[str, str]
    extra: tuple[str, ...]
    dated: bool

    @property
    def hashed(self) -> bool:
        """Whether the server can hash a row; if not, a fingerprint may miss that two rows swapped values."""
        return self.dialect in _HASHED_SINCE and self.version >= _HASHED_SINCE[self.dialect]

    def family(self, column: str) -> Family:
        """Return the family of a catalogue column's type at the source."""
        return family_of(self.types[column], self.dialect)


def missing_columns(table: ErpTable, found: Iterable[str]) -> tuple[str, ...]:
    """Return the catalogue columns that are missing from these columns, ignoring case."""
    there = {name.lower() for name in found}
    return tuple(name for name in table.names if name not in there)


def shape_of(table: ErpTable, dialect: str, version: tuple[int, ...], found: Mapping[str, str]) -> Shape:
    """Return the shape of a table that has all catalogue columns.

    Names are compared without case; a column spelled as in the catalogue takes precedence.

    Args:
        table: Table of the catalogue.
        dialect: SQLAlchemy's name of the kind of server.
        version: Version of the server.
        found: The server's type name of each column, by column name.
    """
    spelled = {name.lower(): name for name in found} | {name: name for name in table.names if name in found}
    names = {name: spelled[name] for name in table.names}
    types = {name: found[spelled[name]] for name in table.names}
    used = set(names.values())
    # SQLite has no date type and would compare texts.
    dated = dialect != "sqlite" and all(
        family_of(types[name], dialect) in {Family.DATE, Family.ZONED} for name in table.month_columns
    )
    return Shape(
        dialect=dialect,
        version=version,
        types=types,
        names=names,
        extra=tuple(name for name in found if name not in used),
        dated=dated and not table.is_snapshot,
    )
