"""Views of the warehouse: a SELECT with a name and comments, and the SQL that creates it.

The views themselves are declared in ``analytics/``. A migration holds a copy of their SQL; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateView, SetColumnComment

SCHEMA = "analytics"
# With named parameters, a percent sign is not doubled.
_DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


@dataclass(frozen=True)
class View:
    """A view of the schema `analytics`.

    Attributes:
        name: Its name.
        comment: Meaning of one row.
        rows: The query.
        columns: Comment of each column of the query, in order.
    """

    name: str
    comment: str
    rows: sa.Select[Any]
    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        found = [column.name for column in self.rows.selected_columns]
        if found != list(self.columns):
            raise ValueError(f"the columns of {self.name} are {found}, but {list(self.columns)} have a comment")

    @property
    def table(self) -> sa.Table:
        """The view as a table to select from, with its comments."""
        columns = (
            sa.Column(column.name, column.type, comment=self.columns[column.name])
            for column in self.rows.selected_columns
        )
        return sa.Table(self.name, sa.MetaData(), *columns, schema=SCHEMA, comment=self.comment)

    def sql(self) -> list[str]:
        """Return the statements that create the view and its comments."""
        create = CreateView(self.rows, self.name, schema=SCHEMA).compile(dialect=_DIALECT)
        name = _DIALECT.identifier_preparer.format_table(self.table)
        comment = sa.literal(self.comment).compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
        of_columns = (str(SetColumnComment(column).compile(dialect=_DIALECT)) for column in self.table.columns)
        return [str(create).strip(), f"COMMENT ON VIEW {name} IS {comment}", *of_columns]
