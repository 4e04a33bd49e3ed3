"""Families of column types, and what is common to the names of types at all servers.

A type is identified by the server's name for it: `decimal(15,2)`, `timestamp without time zone`.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


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


def each(value: T, *bases: str) -> dict[str, T]:
    """Return a mapping of each first word of a type to the same value."""
    return dict.fromkeys(bases, value)


FAMILIES: Mapping[str, Family] = {
    **each(Family.WHOLE, "int", "integer", "bigint", "smallint", "tinyint", "mediumint", "int2", "int4", "int8"),
    **each(Family.WHOLE, "bigserial", "serial"),
    **each(Family.EXACT, "numeric", "decimal", "dec", "number"),
    **each(Family.APPROXIMATE, "float", "real", "double", "float4", "float8"),
    **each(Family.DATE, "date", "datetime", "datetime2", "smalldatetime", "timestamp"),
    **each(Family.TEXT, "char", "varchar", "nchar", "nvarchar", "character", "bpchar", "citext", "string", "name"),
    **each(Family.TEXT, "text", "ntext", "tinytext", "mediumtext", "longtext", "clob", "enum", "set"),
    **each(Family.BOOLEAN, "bit", "bool", "boolean"),
}
"""Families of the types that are the same at every server, by the first word of the type."""

_LENGTH = re.compile(r"\((max|\d+)")
_DIGITS = re.compile(r"\((\d+), ?(\d+)\)")


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
