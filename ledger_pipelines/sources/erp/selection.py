"""Expressions that select columns so that every driver returns the same value, and an exact one.

Drivers lack some types, and convert others differently: pyodbc fails on `datetimeoffset`, psycopg parses `json`.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from ledger_pipelines.sources.column_types import MARIADB, MYSQL, POSTGRESQL, SQL_SERVER, Family, Shape, base_of
from ledger_pipelines.sources.erp.catalogue import ErpColumn, Kind

_MOMENTS = frozenset((Family.DATE, Family.ZONED))


def selected(of: ErpColumn, column: sa.ColumnElement[Any], shape: Shape) -> sa.ColumnElement[Any]:
    """Return the expression of a column's value: the column itself, unless a driver could change its values.

    Args:
        of: Column of the catalogue.
        column: The column at the source.
        shape: Shape of its table.
    """
    family, base = shape.family(of.name), base_of(shape.types[of.name])
    if shape.dialect not in {POSTGRESQL, MYSQL, MARIADB, SQL_SERVER}:
        return column
    if base == "bit" and shape.dialect in {MYSQL, MARIADB}:  # some drivers return bytes
        return sa.cast(column, mysql.INTEGER(unsigned=True))
    if base == "money" and shape.dialect == POSTGRESQL:  # drivers return text with a currency
        return sa.cast(column, sa.Numeric)
    if family is Family.ZONED and of.kind is Kind.DATE:
        return local_day(column)
    if family in {Family.OTHER, Family.ZONED} or (family in {Family.DATE, Family.BOOLEAN} and of.kind is Kind.TEXT):
        return _as_text(column, shape, is_moment=family in _MOMENTS or base == "time")
    return column


def local_day(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the day of a moment: of its own time zone at SQL Server, of the session's time zone elsewhere."""
    return sa.cast(column, sa.DATE)


def _as_text(column: sa.ColumnElement[Any], shape: Shape, *, is_moment: bool) -> sa.ColumnElement[Any]:
    if shape.dialect != SQL_SERVER:
        return sa.cast(column, sa.TEXT if shape.dialect == POSTGRESQL else sa.CHAR)
    # Style 121 is ISO 8601 with all digits and the offset. Types other than moments have no styles.
    if is_moment:
        return sa.func.convert(sa.text("nvarchar(34)"), column, sa.text("121"))
    return sa.func.convert(sa.text("nvarchar(max)"), column)
