"""Decoding of texts that a driver cannot read: they are selected as bytes and decoded here.

SQL Server stores a character outside the basic plane, such as an emoji, as two surrogates, and LEFT() may cut off one
of them; MariaDB can store a lone surrogate as well. Drivers fail on such a text. Decoded here, the text keeps the lone
surrogate, so that its row can be rejected and all other rows are copied.
"""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, SQL_SERVER, Family, Shape

Row = tuple[Any, ...]

CHANGES_LONE_SURROGATES = frozenset({"pymssql"})
"""Drivers that replace or drop lone surrogates without an error: their texts are always read as bytes."""

LONGEST_OF_MYSQL = 100_001
"""Number of characters read of a text at MySQL, where a function's result beyond the packet size becomes NULL."""


def readable_by_bytes(names: Sequence[str], shape: Shape) -> frozenset[str]:
    """Return the columns of a table whose texts can be selected as bytes; none at other kinds of server."""
    ways = {SQL_SERVER, MYSQL, MARIADB}
    return frozenset(name for name in names if shape.dialect in ways and shape.family(name) is Family.TEXT)


def as_bytes(column: sa.ColumnElement[Any], shape: Shape) -> sa.ColumnElement[Any]:
    """Return the bytes of a text column: UTF-16 at SQL Server, UTF-8 at MySQL."""
    if shape.dialect == SQL_SERVER:
        return sa.cast(sa.cast(column, sa.NVARCHAR()), sa.VARBINARY())
    cut = sa.func.left(column, sa.literal_column(str(LONGEST_OF_MYSQL)))
    return sa.cast(sa.func.convert(cut.op("USING")(sa.literal_column("utf8mb4"))), sa.BINARY)


def with_texts(chunk: Sequence[Row], positions: Sequence[int], shape: Shape) -> list[Row]:
    """Return rows in which the bytes at these positions are decoded to texts."""
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
    """Decode UTF-8 with lone surrogates; if that fails, map each invalid byte to a surrogate."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "surrogateescape")
