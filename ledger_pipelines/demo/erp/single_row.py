"""Statements that change exactly one of several equal rows of a table without a key, on each kind of server.

Rows are equal if all characters are: letter case, accents and trailing blanks count, regardless of the column's
collation.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError

RowValues = Mapping[str, Any]
"""Values of a row by column, as SQLAlchemy reads them through the table's declaration."""

_ONE_ROW = {"mysql_limit": 1, "mariadb_limit": 1}
_WIDEST = 8_000  # maximum length of VARBINARY(n) in SQL Server; no text of the demo is longer


def update_one(connection: sa.Connection, table: sa.Table, row: RowValues, values: RowValues) -> None:
    """Change one of the rows that are equal to `row`.

    Raises:
        LedgerError: if no such row exists.
    """
    _execute_on_one(connection, table, update_one_statement(connection.dialect, table, row, values))


def delete_one(connection: sa.Connection, table: sa.Table, row: RowValues) -> None:
    """Delete one of the rows that are equal to `row`.

    Raises:
        LedgerError: if no such row exists.
    """
    _execute_on_one(connection, table, delete_one_statement(connection.dialect, table, row))


def update_one_statement(dialect: sa.Dialect, table: sa.Table, row: RowValues, values: RowValues) -> sa.Update:
    """Return the statement that changes one of the rows that are equal to `row`."""
    statement = table.update().values(dict(values)).where(_row_condition(dialect, table, row))
    if dialect.name == "mssql":
        return statement.prefix_with("TOP (1)")
    return statement.with_dialect_options(**_ONE_ROW) if _is_mysql(dialect) else statement


def delete_one_statement(dialect: sa.Dialect, table: sa.Table, row: RowValues) -> sa.Delete:
    """Return the statement that deletes one of the rows that are equal to `row`."""
    statement = table.delete().where(_row_condition(dialect, table, row))
    if dialect.name == "mssql":
        return statement.prefix_with("TOP (1)")
    return statement.with_dialect_options(**_ONE_ROW) if _is_mysql(dialect) else statement


def _execute_on_one(connection: sa.Connection, table: sa.Table, statement: sa.Update | sa.Delete) -> None:
    touched = connection.execute(statement).rowcount
    if touched != 1:
        raise LedgerError(
            f"The row of {table.name} to change no longer exists ({touched} changed): another program changes it. "
            "Nothing was changed."
        )


def _row_condition(dialect: sa.Dialect, table: sa.Table, row: RowValues) -> sa.ColumnElement[bool]:
    same = sa.and_(*(_equals(dialect, column, row[column.name]) for column in table.columns))
    if dialect.name != "postgresql":
        return same
    place: sa.ColumnElement[Any] = sa.literal_column("ctid")
    return place == sa.select(place).select_from(table).where(same).limit(1).correlate(None).scalar_subquery()


def _equals(dialect: sa.Dialect, column: sa.Column[Any], value: object) -> sa.ColumnElement[bool]:
    """Return the condition that a column equals a value; where a collation would ignore differences, compare bytes."""
    if value is None:
        return column.is_(None)
    if not isinstance(column.type, sa.String) or dialect.name == "postgresql":
        return column == value
    width: sa.types.TypeEngine[bytes] = sa.BINARY() if _is_mysql(dialect) else sa.VARBINARY(_WIDEST)
    return sa.cast(column, width) == sa.cast(sa.literal(value, column.type), width)


def _is_mysql(dialect: sa.Dialect) -> bool:
    return dialect.name in {"mysql", "mariadb"}
