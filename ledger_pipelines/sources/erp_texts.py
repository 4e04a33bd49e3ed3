"""Texts that a driver cannot read: asked for as bytes, and read here.

SQL Server keeps a character outside the basic plane, such as an emoji, as two halves, and LEFT() may leave one of them;
MariaDB can hold such a half as well. Drivers call that text impossible and break off. Read here, it arrives with the
half in it, so that its row can be listed as unusable and all others are copied.
"""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.erp_types import MARIADB, MYSQL, SQL_SERVER, Family, Shape

Row = tuple[Any, ...]

CHANGES_LONE_SURROGATES = frozenset({"pymssql"})
"""Drivers that replace or drop lone surrogates without an error: their texts are always read as bytes."""

LONGEST_OF_MYSQL = 100_001
"""How many characters are read of a text at MySQL, which makes NULL of what a function makes longer than a packet."""


def readable_by_bytes(names: Sequence[str], shape: Shape) -> frozenset[str]:
    """The columns of a table whose texts can be asked for as bytes; none where we know no way."""
    ways = {SQL_SERVER, MYSQL, MARIADB}
    return frozenset(name for name in names if shape.dialect in ways and shape.family(name) is Family.TEXT)


def as_bytes(column: sa.ColumnElement[Any], shape: Shape) -> sa.ColumnElement[Any]:
    """The bytes of a text column: of UTF-16 at SQL Server, of UTF-8 at MySQL."""
    if shape.dialect == SQL_SERVER:
        return sa.cast(sa.cast(column, sa.NVARCHAR()), sa.VARBINARY())
    cut = sa.func.left(column, sa.literal_column(str(LONGEST_OF_MYSQL)))
    return sa.cast(sa.func.convert(cut.op("USING")(sa.literal_column("utf8mb4"))), sa.BINARY)


def with_texts(chunk: Sequence[Row], positions: Sequence[int], shape: Shape) -> list[Row]:
    """Rows with texts in the place of their bytes, which are at some positions of each."""
    read = _utf_16 if shape.dialect == SQL_SERVER else _utf_8
    return [_with_texts(row, positions, read) for row in chunk]


def _with_texts(row: Row, positions: Sequence[int], read: Callable[[bytes], str]) -> Row:
    values = list(row)
    for position in positions:
        if values[position] is not None:
            values[position] = read(bytes(values[position]))
    return tuple(values)


def _utf_16(content: bytes) -> str:
    return content.decode("utf-16-le", "surrogatepass")


def _utf_8(content: bytes) -> str:
    """The text, with a lone surrogate for half a character, or else for each byte that is part of none."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "surrogateescape")
