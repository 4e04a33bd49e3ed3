"""Trailing blanks in the ERP's codes: some of its systems pad codes to a fixed length and store blanks for NULL."""

from typing import Any

import sqlalchemy as sa

_EMPTY: sa.ColumnElement[str] = sa.literal_column("''")


def unpadded(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a code without trailing blanks; NULL if it is blank."""
    return sa.func.nullif(sa.func.rtrim(column), _EMPTY, type_=sa.Text)


def unpadded_or_empty(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a code without trailing blanks; an empty text for NULL, so that missing codes are equal."""
    return sa.func.coalesce(sa.func.rtrim(column), _EMPTY, type_=sa.Text)
