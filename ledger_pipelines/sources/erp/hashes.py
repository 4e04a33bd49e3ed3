"""Hash of whole rows that the ERP's server computes, summed over the rows of a day.

A sum is independent of the order of the rows and counts duplicates. Every algorithm distinguishes NULL from empty text,
`a, bc` from `ab, c`, and texts that differ in case or blanks only, in any collation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import (
    MARIADB,
    MYSQL,
    POSTGRESQL,
    SQL_SERVER,
    Family,
    Shape,
    base_of,
    length_of,
)


@dataclass(frozen=True)
class RowHash:
    """Sum of the hashes of rows.

    Attributes:
        name: Name of the algorithm, with a version.
        total: SQL expression of the sum.
        complete: Whether every character of every column takes part.
    """

    name: str
    total: sa.ColumnElement[Any]
    complete: bool = True


def row_hash(columns: Sequence[str], shape: Shape) -> RowHash | None:
    """Return the sum of the row hashes over some columns; None if there is no algorithm for this kind of server."""
    ways: dict[str, Callable[[Sequence[str], Shape], RowHash]] = {
        POSTGRESQL: _postgresql,
        MYSQL: _mysql,
        MARIADB: _mysql,
        SQL_SERVER: _sql_server,
    }
    return ways[shape.dialect](columns, shape) if shape.hashed else None


def _sum_of(expression: str) -> sa.ColumnElement[Any]:
    """Return the sum of an SQL expression; it is NULL without rows."""
    return sa.literal_column(f"SUM({expression})")


# Not numbers: the hash of a decimal ignores its sign and trailing zeros, that of a bigint is the same for 1 and 2^32.
_HASHED_AS_THEY_ARE = frozenset((Family.DATE, Family.BOOLEAN))
_TEXTS_OF_BYTES = frozenset(("character", "varchar", "text"))


def _postgresql(columns: Sequence[str], shape: Shape) -> RowHash:
    """Hash a row with `hash_record_extended` (64 bits, since PostgreSQL 14), and hash the result again.

    The record hash alone is a weighted sum of the columns' hashes. Summed over rows, it would not change when two rows
    swap a value. Texts are hashed in the collation "C": a collation that ignores case would hash `a` and `A` the same.
    """

    def piece(name: str) -> str:
        column = '"' + shape.names[name].replace('"', '""') + '"'
        family, base = shape.family(name), base_of(shape.types[name])
        if family in _HASHED_AS_THEY_ARE and base not in {"bit", "money"}:
            return column
        if family is Family.APPROXIMATE:
            return f"float8send({column})"  # the hash of a number is the same for 0 and -0
        # Some types have no hash (json, bit, money), or one that ignores differences (citext). That of a moment ignores
        # the session's time zone, on which its day depends.
        text = column if base in _TEXTS_OF_BYTES else f"CAST({column} AS text)"
        return f'{text} COLLATE "C"'

    row = ", ".join(piece(name) for name in columns)
    mixed = f"hashtextextended(CAST(hash_record_extended(ROW({row}), 0) AS text), 0)"
    return RowHash("postgresql-record-2", _sum_of(f"CAST({mixed} AS numeric)"))


_LONG_IN_MYSQL = frozenset(("text", "mediumtext", "longtext", "json", "blob", "mediumblob", "longblob"))


def _mysql(columns: Sequence[str], shape: Shape) -> RowHash:
    """Hash a row with the first 64 bits of an MD5 over the columns, each prefixed by its length.

    The columns are cast to bytes, so that no collation matters. A long text is replaced by its own MD5: the server
    returns NULL for a joined text beyond `max_allowed_packet`.
    """

    def piece(name: str) -> str:
        column = "`" + shape.names[name].replace("`", "``") + "`"
        if base_of(shape.types[name]) in _LONG_IN_MYSQL:
            return f"COALESCE(MD5({column}), '-')"
        return f"COALESCE(CONCAT(LENGTH({column}), ':', CAST({column} AS BINARY)), '-')"

    pieces = ", ".join(piece(name) for name in columns)
    bits = f"CAST(CONV(LEFT(MD5(CONCAT({pieces})), 16), 16, 10) AS UNSIGNED)"
    return RowHash("mysql-md5-1", _sum_of(bits))


_BYTES_AT_ONCE = 8_000
"""Input limit of HASHBYTES before SQL Server 2016, and length at which a `varbinary` other than `max` is cut."""

_HASHES_ANY_LENGTH = (13,)
"""SQL Server 2016. Older versions hash the first and the last 4,000 characters of a longer text, and its length."""

_HASH_BYTES = 32
_MARK_BYTES = 4
_FIXED_BYTES = {
    Family.WHOLE: 8,
    Family.BOOLEAN: 1,
    Family.APPROXIMATE: 8,
    Family.DATE: 16,
    Family.ZONED: 16,
    Family.EXACT: 20,
}
_SIXTEEN_BYTES = frozenset(("time", "uniqueidentifier"))


@dataclass(frozen=True)
class _Piece:
    """SQL of a column's bytes in the hash at SQL Server, and their maximum number."""

    sql: str
    size: int
    complete: bool = True


def _sql_server(columns: Sequence[str], shape: Shape) -> RowHash:
    """Hash a row with the first 64 bits of a SHA-256 over the columns, each prefixed by its length.

    The columns are cast to bytes, so that neither collations nor formats of numbers and dates matter. Groups of columns
    of at most 8,000 bytes are hashed, then their hashes, so that nothing is cut or becomes a large object.
    """
    groups: list[list[_Piece]] = [[]]
    pieces = [_sql_server_piece(shape, name) for name in columns]
    for piece in pieces:
        if sum(each.size for each in groups[-1]) + piece.size > _BYTES_AT_ONCE:
            groups.append([])
        groups[-1].append(piece)
    hashes = [_sha256(" + ".join(piece.sql for piece in group)) for group in groups]
    whole = hashes[0] if len(hashes) == 1 else _sha256(" + ".join(hashes))
    bits = f"CONVERT(decimal(38, 0), CONVERT(bigint, SUBSTRING({whole}, 1, 8)))"
    return RowHash("sql-server-sha256-1", _sum_of(bits), all(piece.complete for piece in pieces))


def _sql_server_piece(shape: Shape, name: str) -> _Piece:
    """Return a column as bytes, prefixed by its length; NULL has its own mark."""
    column = "[" + shape.names[name].replace("]", "]]") + "]"
    content = _sql_server_bytes(column, name, shape)
    length = f"CONVERT(binary(4), CONVERT(int, DATALENGTH({column})))"
    return replace(content, sql=f"ISNULL({length} + {content.sql}, 0xFFFFFFFF)", size=content.size + _MARK_BYTES)


def _sql_server_bytes(column: str, name: str, shape: Shape) -> _Piece:
    """Return a column's content as bytes."""
    type_name, family = shape.types[name], shape.family(name)
    base, length = base_of(type_name), length_of(type_name)
    if family in _FIXED_BYTES or base in _SIXTEEN_BYTES:
        size = _FIXED_BYTES.get(family, 16)
        return _Piece(f"CONVERT(varbinary({size}), {column})", size)
    if family is Family.TEXT and length is not None:
        size = length * 2 if base.startswith("n") else length
        if size + _MARK_BYTES <= _BYTES_AT_ONCE:
            return _Piece(f"CONVERT(varbinary({size}), {column})", size)
    # A type without a length limit or an unknown type is replaced by its own hash.
    text = f"CONVERT(nvarchar(max), {column})"
    if shape.version >= _HASHES_ANY_LENGTH:
        return _Piece(_sha256(f"CONVERT(varbinary(max), {text})"), _HASH_BYTES)
    ends = (_sha256(f"CONVERT(varbinary(8000), {end}({text}, 4000))") for end in ("LEFT", "RIGHT"))
    return _Piece(" + ".join(ends), 2 * _HASH_BYTES, complete=length is not None)


def _sha256(sql: str) -> str:
    """Return the hash of bytes, declared with its true length instead of `varbinary(8000)`."""
    return f"CONVERT(varbinary({_HASH_BYTES}), HASHBYTES('SHA2_256', {sql}))"
