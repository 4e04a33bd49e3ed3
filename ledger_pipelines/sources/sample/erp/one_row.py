"""Statements that touch exactly one of several equal rows of a table without a key, on each kind of server.

Equal means equal to the last character: letters' case, accents and trailing blanks count, whatever the column's
collation thinks of them.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

RowValues = Mapping[str, Any]
"""A row's values by column, as SQLAlchemy reads them through the table's declaration."""

_ONE_ROW = {"mysql_limit": 1, "mariadb_limit": 1}
_WIDEST = 8_000  # bytes that SQL Server compares at a time; no text of the demo is longer


class RowGoneError(Exception):
    """The row to touch is not there (any more); nothing was changed."""


def update_one(connection: sa.Connection, table: sa.Table, row: RowValues, values: RowValues) -> None:
    """Change one of the rows that are equal to a row.

    Raises:
        RowGoneError: there is none.
    """
    _touch_one(connection, table, update_of_one(connection.dialect, table, row, values))


def delete_one(connection: sa.Connection, table: sa.Table, row: RowValues) -> None:
    """Delete one of the rows that are equal to a row.

    Raises:
        RowGoneError: there is none.
    """
    _touch_one(connection, table, delete_of_one(connection.dialect, table, row))


def update_of_one(dialect: sa.Dialect, table: sa.Table, row: RowValues, values: RowValues) -> sa.Update:
    """The statement that changes one of the rows that are equal to a row."""
    statement = table.update().values(dict(values)).where(_this_row(dialect, table, row))
    if dialect.name == "mssql":
        return statement.prefix_with("TOP (1)")
    return statement.with_dialect_options(**_ONE_ROW) if _is_mysql(dialect) else statement


def delete_of_one(dialect: sa.Dialect, table: sa.Table, row: RowValues) -> sa.Delete:
    """The statement that deletes one of the rows that are equal to a row."""
    statement = table.delete().where(_this_row(dialect, table, row))
    if dialect.name == "mssql":
        return statement.prefix_with("TOP (1)")
    return statement.with_dialect_options(**_ONE_ROW) if _is_mysql(dialect) else statement


def _touch_one(connection: sa.Connection, table: sa.Table, statement: sa.Update | sa.Delete) -> None:
    touched = connection.execute(statement).rowcount
    if touched != 1:
        raise RowGoneError(
            f"{touched} rows of {table.name} were touched instead of one: another program changes it too."
        )


def _this_row(dialect: sa.Dialect, table: sa.Table, row: RowValues) -> sa.ColumnElement[bool]:
    same = sa.and_(*(_same(dialect, column, row[column.name]) for column in table.columns))
    if dialect.name != "postgresql":
        return same
    place: sa.ColumnElement[Any] = sa.literal_column("ctid")
    return place == sa.select(place).select_from(table).where(same).limit(1).correlate(None).scalar_subquery()


def _same(dialect: sa.Dialect, column: sa.Column[Any], value: object) -> sa.ColumnElement[bool]:
    """Whether a column holds just that; text is compared by its bytes where a collation would decide otherwise."""
    if value is None:
        return column.is_(None)
    if not isinstance(column.type, sa.String) or dialect.name == "postgresql":
        return column == value
    width: sa.types.TypeEngine[bytes] = sa.BINARY() if _is_mysql(dialect) else sa.VARBINARY(_WIDEST)
    return sa.cast(column, width) == sa.cast(sa.literal(value, column.type), width)


def _is_mysql(dialect: sa.Dialect) -> bool:
    return dialect.name in {"mysql", "mariadb"}
