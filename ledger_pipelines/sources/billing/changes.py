"""Queries for changes in the billing application's database, with a bounded load on that database.

Every statement reads at most a given number of rows along an index: of `updated_at`, or of the primary key.
This module does not use the warehouse.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.billing.columns import TABLES
from ledger_pipelines.sources.billing.reader import IDS_PER_STATEMENT, BillingSource
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES
from ledger_pipelines.sources.billing.schema import data_pencatatan, users

SourceRow = Mapping[str, Any]

#: Interval between two polls of a poller, and the number of pollers of each table.
POLL_INTERVAL_SECONDS = 0.25
POLLERS_PER_TABLE: Mapping[str, int] = {users.name: 2, data_pencatatan.name: 1}
_ONE_SECOND, _SMALLEST_STEP = timedelta(seconds=1), timedelta(microseconds=1)


@dataclass(frozen=True)
class UpdatePosition:
    """Position in the order of `updated_at` and id.

    Attributes:
        at: `updated_at`, as the application writes it, without a time zone.
        row_id: Id of the row; None for the position after all rows with that `updated_at`.
    """

    at: datetime
    row_id: int | None = None


@dataclass(frozen=True)
class IdRange:
    """Range of a table's ids.

    Attributes:
        after: Exclusive lower bound; None for the start of the table.
        last: Inclusive upper bound; None for the end of the table.
        count: Number of rows in the range.
        total: Sum of the ids of these rows.
    """

    after: int | None
    last: int | None
    count: int
    total: int


def rows_updated_after(app: BillingSource, table: str, after: UpdatePosition, limit: int) -> list[SourceRow]:
    """Return at most ``limit`` rows after a position, in the order of `updated_at` and id.

    Users of every role are returned. A table without the column `updated_at` yields no rows.
    """
    if not app.columns[table].has("updated_at"):
        return []
    column, key = TABLES[table].c.updated_at, TABLES[table].c.id
    beyond = column > after.at
    if after.row_id is not None:
        # The first condition is implied by the second, but it is the one that an index serves.
        beyond = sa.and_(column >= after.at, sa.or_(beyond, key > after.row_id))
    statement = app.select_rows(table).where(beyond).order_by(column, key).limit(limit)
    return app.fetch_rows(statement)


def newest_updated_at(app: BillingSource, table: str) -> datetime | None:
    """Return the latest `updated_at` of a table in the session's time zone; None if no row has one."""
    if not app.columns[table].has("updated_at"):
        return None
    (row,) = app.fetch_rows(sa.select(sa.func.max(TABLES[table].c.updated_at).label("newest")))
    return naive_timestamp(row["newest"])


def rows_after_id(app: BillingSource, table: str, after: int | None, limit: int) -> list[SourceRow]:
    """Return at most ``limit`` rows with greater ids than ``after``, in order; None starts with the first row."""
    return app.fetch_rows(
        app.select_rows(table).where(_id_after(table, after)).order_by(TABLES[table].c.id).limit(limit)
    )


def rows_by_id(app: BillingSource, table: str, ids: Collection[int]) -> list[SourceRow]:
    """Return the rows with these ids."""
    return app.fetch_rows(app.select_rows(table).where(TABLES[table].c.id.in_(sorted(ids)))) if ids else []


def customers_by_reading(app: BillingSource, reading_ids: Sequence[int]) -> dict[int, int]:
    """Return the customer of each of these readings that exists, usable or not."""
    key, found = data_pencatatan.c.id, dict[int, int]()
    for start in range(0, len(reading_ids), IDS_PER_STATEMENT):
        owners = sa.select(key.label("id"), data_pencatatan.c.customer_id.label("customer_id"))
        rows = app.fetch_rows(owners.where(key.in_(reading_ids[start : start + IDS_PER_STATEMENT])))
        found.update((row["id"], row["customer_id"]) for row in rows)
    return found


def next_id_range(app: BillingSource, table: str, after: int | None, limit: int) -> IdRange:
    """Return the range of the next ``limit`` ids after one, with the count and the sum; of `users`, customers only."""
    key = TABLES[table].c.id
    selected = sa.select(key).where(_id_after(table, after)).order_by(key).limit(limit)
    if table == users.name:
        selected = selected.where(users.c.role.in_(CUSTOMER_ROLES))
    found = selected.subquery("found")
    (row,) = app.fetch_rows(
        sa.select(
            sa.func.count().label("rows"), sa.func.sum(found.c.id).label("total"), sa.func.max(found.c.id).label("last")
        ).select_from(found)
    )
    count = int(row["rows"])
    return IdRange(after, row["last"] if count == limit else None, count, int(row["total"] or 0))


def ids_in_range(app: BillingSource, table: str, id_range: IdRange) -> frozenset[int]:
    """Return the ids in a range of a table; of `users`, customers only."""
    key = TABLES[table].c.id
    columns: list[sa.ColumnElement[Any]] = [key.label("id")]
    if table == users.name:
        columns.append(users.c.role.label("role"))
    statement = sa.select(*columns).where(_id_after(table, id_range.after))
    if id_range.last is not None:
        statement = statement.where(key <= id_range.last)
    return frozenset(
        row["id"] for row in app.fetch_rows(statement) if row.get("role", CUSTOMER_ROLES[0]) in CUSTOMER_ROLES
    )


def _id_after(table: str, after: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if after is None else TABLES[table].c.id > after


def customers_without_recalculation(app: BillingSource, customers: Collection[int]) -> frozenset[int]:
    """Return the customers whose automatic recalculation is switched off; none if the column is missing."""
    if not customers or not app.columns[users.name].has("use_realtime_calculation"):
        return frozenset()
    columns = (users.c.id.label("id"), users.c.use_realtime_calculation.label("on"))
    rows = app.fetch_rows(sa.select(*columns).where(users.c.id.in_(sorted(customers))))
    return frozenset(row["id"] for row in rows if row["on"] is not None and not row["on"])


def update_position(row: SourceRow) -> UpdatePosition | None:
    """Return the position of a row in the order of `updated_at`; None if `updated_at` is not a timestamp."""
    at = naive_timestamp(row["updated_at"])
    return None if at is None else UpdatePosition(at, row["id"])


def naive_timestamp(value: object) -> datetime | None:
    """Return an `updated_at` without its time zone; None for other values, such as MySQL's zero date."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else None


def row_digest(row: SourceRow) -> str:
    """Return a digest over all values of a row."""
    return blake2b(repr([str(value) for value in row.values()]).encode(), digest_size=16).hexdigest()


def position_before(at: datetime) -> UpdatePosition:
    """Return the position before all rows with this `updated_at`."""
    return UpdatePosition(at - _SMALLEST_STEP)


def subtract_seconds(at: datetime, seconds: int) -> datetime:
    """Return the time ``seconds`` before ``at``."""
    return at - seconds * _ONE_SECOND
