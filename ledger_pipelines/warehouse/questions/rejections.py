"""Rejected rows: how many for which reason, and which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.warehouse.questions.paging import Paged, offset
from ledger_pipelines.warehouse.tables import customers, rejected_rows

_row = rejected_rows.c
_MOST_KINDS = 200


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot be used, by the columns of `ops.rejected_rows`."""

    asset: str
    source_table: str
    source_id: str
    customer_id: int | None
    year_month: str | None
    reason: str
    raw_row: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Rejections:
    """How many rows of a table of the source an asset rejects for a kind of reason."""

    asset: str
    source_table: str
    kind: str
    rows: int


def rejections(connection: sa.Connection) -> Sequence[Rejections]:
    """The kinds of reasons of each asset and table of the source, the most frequent first, two hundred at most."""
    statement = (
        sa.select(_row.asset, _row.source_table, _row.reason_kind, sa.func.count())
        .group_by(_row.asset, _row.source_table, _row.reason_kind)
        .order_by(sa.func.count().desc(), _row.asset, _row.source_table, _row.reason_kind)
        .limit(_MOST_KINDS)
    )
    return [Rejections(*row) for row in connection.execute(statement)]


def how_many(connection: sa.Connection) -> int:
    """How many rows are rejected."""
    return connection.scalar(sa.select(sa.func.count()).select_from(rejected_rows)) or 0


def why_no_customer(connection: sa.Connection, customer_id: int) -> str | None:
    """Return why a customer's own row cannot be used; None if it is not rejected."""
    own_row = sa.and_(_row.asset == customers.name, _row.source_id == str(customer_id))
    return connection.scalar(sa.select(_row.reason).where(own_row))


def rejected(
    connection: sa.Connection,
    *,
    asset: str | None,
    source_table: str | None = None,
    kind: str | None,
    number: int = 1,
    per_page: int = 25,
) -> Paged[RejectedRow]:
    """A page of the rejected rows, newest first: of an asset, a table of the source and a kind of reason, or of all."""
    asked = ((_row.asset, asset), (_row.source_table, source_table), (_row.reason_kind, kind))
    wanted = [column == value for column, value in asked if value is not None]
    total = connection.scalar(sa.select(sa.func.count()).select_from(rejected_rows).where(*wanted)) or 0
    statement = (
        sa.select(*(_row[name] for name in RejectedRow.__dataclass_fields__))
        .where(*wanted)
        .order_by(_row.first_seen.desc(), _row.asset, _row.source_table, _row.source_id)
        .limit(per_page)
        .offset(offset(number, per_page))
    )
    return Paged([RejectedRow(*row) for row in connection.execute(statement)], number, per_page, total)
