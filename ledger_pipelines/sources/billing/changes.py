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
from ledger_pipelines.sources.billing.reader import IDS_AT_ONCE, BillingApp
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES
from ledger_pipelines.sources.billing.schema import data_pencatatan, users

Row = Mapping[str, Any]

#: Interval between two polls of a poller, and the number of pollers of each table.
POLL_EVERY_SECONDS = 0.25
POLLERS: Mapping[str, int] = {users.name: 2, data_pencatatan.name: 1}
_ONE_SECOND, _SMALLEST_STEP = timedelta(seconds=1), timedelta(microseconds=1)


@dataclass(frozen=True)
class Place:
    """Position in the order of `updated_at` and id.

    Attributes:
        at: `updated_at`, as the application writes it, without a time zone.
        row_id: Id of the row; None for the position after all rows with that `updated_at`.
    """

    at: datetime
    row_id: int | None = None


@dataclass(frozen=True)
class Ids:
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


def since(app: BillingApp, table: str, after: Place, limit: int) -> list[Row]:
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
    statement = app.rows_of(table).where(beyond).order_by(column, key).limit(limit)
    return app.fetch(statement)


def newest(app: BillingApp, table: str) -> datetime | None:
    """Return the latest `updated_at` of a table in the session's time zone; None if no row has one."""
    if not app.columns[table].has("updated_at"):
        return None
    (row,) = app.fetch(sa.select(sa.func.max(TABLES[table].c.updated_at).label("newest")))
    return moment_of(row["newest"])


def after_id(app: BillingApp, table: str, after: int | None, limit: int) -> list[Row]:
    """Return at most ``limit`` rows with greater ids than ``after``, in order; None starts with the first row."""
    return app.fetch(app.rows_of(table).where(_id_after(table, after)).order_by(TABLES[table].c.id).limit(limit))


def with_ids(app: BillingApp, table: str, ids: Collection[int]) -> list[Row]:
    """Return the rows with these ids."""
    return app.fetch(app.rows_of(table).where(TABLES[table].c.id.in_(sorted(ids)))) if ids else []


def customers_of(app: BillingApp, reading_ids: Sequence[int]) -> dict[int, int]:
    """Return the customer of each of these readings that exists, usable or not."""
    key, found = data_pencatatan.c.id, dict[int, int]()
    for start in range(0, len(reading_ids), IDS_AT_ONCE):
        owners = sa.select(key.label("id"), data_pencatatan.c.customer_id.label("customer_id"))
        rows = app.fetch(owners.where(key.in_(reading_ids[start : start + IDS_AT_ONCE])))
        found.update((row["id"], row["customer_id"]) for row in rows)
    return found


def stretch(app: BillingApp, table: str, after: int | None, limit: int) -> Ids:
    """Return the range of the next ``limit`` ids after one, with the count and the sum; of `users`, customers only."""
    key = TABLES[table].c.id
    selected = sa.select(key).where(_id_after(table, after)).order_by(key).limit(limit)
    if table == users.name:
        selected = selected.where(users.c.role.in_(CUSTOMER_ROLES))
    found = selected.subquery("found")
    (row,) = app.fetch(
        sa.select(
            sa.func.count().label("rows"), sa.func.sum(found.c.id).label("total"), sa.func.max(found.c.id).label("last")
        ).select_from(found)
    )
    count = int(row["rows"])
    return Ids(after, row["last"] if count == limit else None, count, int(row["total"] or 0))


def ids_of(app: BillingApp, table: str, id_range: Ids) -> frozenset[int]:
    """Return the ids in a range of a table; of `users`, customers only."""
    key = TABLES[table].c.id
    columns: list[sa.ColumnElement[Any]] = [key.label("id")]
    if table == users.name:
        columns.append(users.c.role.label("role"))
    statement = sa.select(*columns).where(_id_after(table, id_range.after))
    if id_range.last is not None:
        statement = statement.where(key <= id_range.last)
    return frozenset(row["id"] for row in app.fetch(statement) if row.get("role", CUSTOMER_ROLES[0]) in CUSTOMER_ROLES)


def _id_after(table: str, after: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if after is None else TABLES[table].c.id > after


def switched_off(app: BillingApp, customers: Collection[int]) -> frozenset[int]:
    """Return the customers whose automatic recalculation is switched off; none if the column is missing."""
    if not customers or not app.columns[users.name].has("use_realtime_calculation"):
        return frozenset()
    columns = (users.c.id.label("id"), users.c.use_realtime_calculation.label("on"))
    rows = app.fetch(sa.select(*columns).where(users.c.id.in_(sorted(customers))))
    return frozenset(row["id"] for row in rows if row["on"] is not None and not row["on"])


def place_of(row: Row) -> Place | None:
    """Return the position of a row in the order of `updated_at`; None if `updated_at` is not a timestamp."""
    at = moment_of(row["updated_at"])
    return None if at is None else Place(at, row["id"])


def moment_of(value: object) -> datetime | None:
    """Return an `updated_at` without its time zone; None for other values, such as MySQL's zero date."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else None


def digest_of(row: Row) -> str:
    """Return a digest over all values of a row."""
    return blake2b(repr([str(value) for value in row.values()]).encode(), digest_size=16).hexdigest()


def before(at: datetime) -> Place:
    """Return the position before all rows with this `updated_at`."""
    return Place(at - _SMALLEST_STEP)


def earlier(at: datetime, seconds: int) -> datetime:
    """Return the time ``seconds`` before ``at``."""
    return at - seconds * _ONE_SECOND
