"""Building blocks of the table declarations: the metadata registry, column types, and common columns."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem

from ledger_pipelines.domain import AMOUNT_DIGITS

SCHEMAS = ("billing", "erp", "ledger", "analytics", "ops")

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

#: A month key; its bytewise collation makes text order the order of months under any locale.
MonthKey = sa.String(7, collation="C")
#: A number with all its given digits.
ExactNumber = sa.Numeric()
#: Rupiah to 2 decimals.
Rupiah = sa.Numeric(AMOUNT_DIGITS, 2)
#: Standard cubic metres to 4 decimals.
StandardVolume = sa.Numeric(AMOUNT_DIGITS, 4)
Moment = sa.DateTime(timezone=True)
#: The current time; now() would be the start of the transaction.
CLOCK = sa.text("clock_timestamp()")


def column(
    name: str, type_: Any, comment: str, *items: sa.Computed | sa.Identity, null: bool = False, **options: Any
) -> sa.Column[Any]:
    """Return a column with its comment, NOT NULL by default."""
    if not items:  # a primary key of one integer column would get a sequence
        options.setdefault("autoincrement", False)
    return sa.Column(name, type_, *items, nullable=null, comment=comment, **options)


def table(schema: str, name: str, comment: str, *items: SchemaItem, by_month: bool = False) -> sa.Table:
    """Return a table with its comment; ``by_month``: partitioned by ``year_month``."""
    options: dict[str, Any] = {"postgresql_partition_by": "LIST (year_month)"} if by_month else {}
    return sa.Table(name, metadata, *items, schema=schema, comment=comment, **options)


def key(*columns: str) -> sa.PrimaryKeyConstraint:
    """Return the primary key."""
    return sa.PrimaryKeyConstraint(*columns)


def one_of(name: str, values: Iterable[str]) -> sa.CheckConstraint:
    """Return the constraint that a column holds one of some values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{name} IN ({listed})", name=name)


def customer_id() -> sa.Column[Any]:
    """Return the column of the customer that a row belongs to."""
    return column("customer_id", sa.BigInteger, "The customer: users.id of the billing application")


def year_month(comment: str) -> sa.Column[Any]:
    """Return the column of the month that a row belongs to."""
    return column("year_month", MonthKey, comment)
