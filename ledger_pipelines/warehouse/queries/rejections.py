"""Queries of rejected rows: numbers by kind of reason, and pages of the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.rejection_reasons import RejectionReason
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.tables import customers, rejected_rows

_row = rejected_rows.c
_MOST_KINDS = 200


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot be used, with its reason."""

    asset: str
    source_table: str
    source_id: str
    customer_id: int | None
    year_month: str | None
    raw_row: str
    first_seen: datetime
    reason_code: str
    reason_params: Mapping[str, str]

    @property
    def reason(self) -> RejectionReason:
        """The reason."""
        return RejectionReason.stored(self.reason_code, self.reason_params)


@dataclass(frozen=True)
class RejectionCount:
    """Number of rows of a source table that an asset rejects for a kind of reason, with one of the reasons."""

    asset: str
    source_table: str
    kind: str
    rows: int
    reason_code: str
    reason_params: Mapping[str, str]

    @property
    def reason(self) -> RejectionReason:
        """One of the reasons."""
        return RejectionReason.stored(self.reason_code, self.reason_params)


def rejection_counts(connection: sa.Connection) -> Sequence[RejectionCount]:
    """Return the kinds of reasons by asset and source table, most frequent first, at most 200."""
    # All rows of a kind have the same values in the text of the kind.
    one_of_params = sa.cast(sa.func.min(sa.cast(_row.reason_params, sa.Text)), JSONB)
    statement = (
        sa.select(_row.asset, _row.source_table, _row.reason_kind, sa.func.count(), _row.reason_code, one_of_params)
        .group_by(_row.asset, _row.source_table, _row.reason_kind, _row.reason_code)
        .order_by(sa.func.count().desc(), _row.asset, _row.source_table, _row.reason_kind)
        .limit(_MOST_KINDS)
    )
    return [RejectionCount(*row) for row in connection.execute(statement)]


def count_rejected_rows(connection: sa.Connection) -> int:
    """Return the number of rejected rows."""
    return connection.scalar(sa.select(sa.func.count()).select_from(rejected_rows)) or 0


def customer_rejection_reason(connection: sa.Connection, customer_id: int) -> str | None:
    """Return the reason why a customer's own row is rejected, or None."""
    own_row = sa.and_(_row.asset == customers.name, _row.source_id == str(customer_id))
    return connection.scalar(sa.select(_row.reason).where(own_row))


def rejected_rows_page(
    connection: sa.Connection,
    *,
    asset: str | None,
    source_table: str | None = None,
    kind: str | None,
    number: int = 1,
    per_page: int = 25,
) -> ResultPage[RejectedRow]:
    """Return a page of the rejected rows, newest first, filtered by asset, source table and kind of reason."""
    filters = ((_row.asset, asset), (_row.source_table, source_table), (_row.reason_kind, kind))
    conditions = [column == value for column, value in filters if value is not None]
    total = connection.scalar(sa.select(sa.func.count()).select_from(rejected_rows).where(*conditions)) or 0
    statement = (
        sa.select(*(_row[name] for name in RejectedRow.__dataclass_fields__))
        .where(*conditions)
        .order_by(_row.first_seen.desc(), _row.asset, _row.source_table, _row.source_id)
        .limit(per_page)
        .offset(page_offset(number, per_page))
    )
    return ResultPage([RejectedRow(*row) for row in connection.execute(statement)], number, per_page, total)
