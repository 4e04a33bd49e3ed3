"""What the declarations of tables are made of: their registry, their types, and the columns that many have."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem

SCHEMAS = ("billing", "erp", "ledger", "analytics", "ops")

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

#: A month key, compared bytewise, so that text order is month order under any locale.
MonthKey = sa.String(7, collation="C")
#: As many digits as were given.
Digits = sa.Numeric()
#: Rupiah to 2 decimals. The precision is room for any product of numbers that the readers let in.
Rupiah = sa.Numeric(60, 2)
#: Standard cubic metres to 4 decimals.
StandardVolume = sa.Numeric(60, 4)
Moment = sa.DateTime(timezone=True)
#: The time by the clock; now() is when the transaction began.
CLOCK = sa.text("clock_timestamp()")


def column(
    name: str, type_: Any, comment: str, *items: sa.Computed | sa.Identity, null: bool = False, **options: Any
) -> sa.Column[Any]:
    """A column with its comment; it takes no null unless it says so."""
    return sa.Column(name, type_, *items, nullable=null, comment=comment, **options)


def table(schema: str, name: str, comment: str, *items: SchemaItem, by_month: bool = False) -> sa.Table:
    """A table with its comment; ``by_month``: partitioned by ``year_month``."""
    options: dict[str, Any] = {"postgresql_partition_by": "LIST (year_month)"} if by_month else {}
    return sa.Table(name, metadata, *items, schema=schema, comment=comment, **options)


def key(*columns: str) -> sa.PrimaryKeyConstraint:
    """The primary key."""
    return sa.PrimaryKeyConstraint(*columns)


def customer_id() -> sa.Column[Any]:
    """Which customer a row is about."""
    return column("customer_id", sa.BigInteger, "The customer: users.id of the billing application")


def year_month(comment: str) -> sa.Column[Any]:
    """The month that a row belongs to."""
    return column("year_month", MonthKey, comment)
