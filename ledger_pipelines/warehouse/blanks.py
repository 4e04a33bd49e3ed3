"""Blanks in texts of the ERP: some of its systems pad codes to a fixed length, and write blanks for nothing."""

from typing import Any

import sqlalchemy as sa

_EMPTY: sa.ColumnElement[str] = sa.literal_column("''")


def unpadded(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A code without the blanks behind it; NULL if there is nothing else."""
    return sa.func.nullif(sa.func.rtrim(column), _EMPTY, type_=sa.Text)


def unpadded_or_empty(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The same, empty where there is none: so codes that are not said are equal."""
    return sa.func.coalesce(sa.func.rtrim(column), _EMPTY, type_=sa.Text)
