"""Looking for changes in the billing application's database, at a load on it that is bounded.

Every statement here reads at most a stated number of rows along an index: of `updated_at`, or of the primary key.
Nothing here knows what the warehouse has.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.billing_app import IDS_AT_ONCE, BillingApp
from ledger_pipelines.sources.billing_columns import TABLES
from ledger_pipelines.sources.billing_records import CUSTOMER_ROLES
from ledger_pipelines.sources.billing_schema import data_pencatatan, users

Row = Mapping[str, Any]

#: How long a poller waits between two polls, and how many pollers each table has.
POLL_EVERY_SECONDS = 0.25
POLLERS: Mapping[str, int] = {users.name: 2, data_pencatatan.name: 1}
_ONE_SECOND, _LEAST = timedelta(seconds=1), timedelta(microseconds=1)


@dataclass(frozen=True)
class Place:
    """Where a row stands in the order of `updated_at` and id.

    Attributes:
        at: `updated_at`, as the application writes it, without a time zone.
        row_id: The row's id; None: after all rows of that moment.
    """

    at: datetime
    row_id: int | None = None


@dataclass(frozen=True)
class Ids:
    """A stretch of a table's ids.

    Attributes:
        after: The stretch begins after this id; None: it begins with the table.
        last: It ends with this id; None: it ends with the table.
        count: How many rows there are in it.
        total: The sum of their ids.
    """

    after: int | None
    last: int | None
    count: int
    total: int


def since(app: BillingApp, table: str, after: Place, most: int) -> list[Row]:
    """The rows that come after a place in the order of `updated_at` and id, at most so many.

    Users are given whatever their role. Without a column `updated_at` there are none.
    """
    if not app.columns[table].has("updated_at"):
        return []
    column, key = TABLES[table].c.updated_at, TABLES[table].c.id
    beyond = column > after.at
    if after.row_id is not None:
        # The first condition says nothing that the second does not, but it is the one that an index serves.
        beyond = sa.and_(column >= after.at, sa.or_(beyond, key > after.row_id))
    statement = app.rows_of(table).where(beyond).order_by(column, key).limit(most)
    return app.fetch(statement)


def newest(app: BillingApp, table: str) -> datetime | None:
    """Return the latest `updated_at` of a table as it is shown to this session; None if no row has one."""
    if not app.columns[table].has("updated_at"):
        return None
    (row,) = app.fetch(sa.select(sa.func.max(TABLES[table].c.updated_at).label("newest")))
    return moment_of(row["newest"])


def after_id(app: BillingApp, table: str, after: int | None, most: int) -> list[Row]:
    """The rows whose ids come after one (None: all), at most so many."""
    return app.fetch(app.rows_of(table).where(_comes_after(table, after)).order_by(TABLES[table].c.id).limit(most))


def with_ids(app: BillingApp, table: str, ids: Collection[int]) -> list[Row]:
    """The rows with these ids."""
    return app.fetch(app.rows_of(table).where(TABLES[table].c.id.in_(sorted(ids)))) if ids else []


def customers_of(app: BillingApp, readings: Sequence[int]) -> dict[int, int]:
    """Return the customer of each of the readings that `data_pencatatan` has, whatever their rows hold."""
    key, found = data_pencatatan.c.id, dict[int, int]()
    for start in range(0, len(readings), IDS_AT_ONCE):
        some = sa.select(key.label("id"), data_pencatatan.c.customer_id.label("customer_id"))
        rows = app.fetch(some.where(key.in_(readings[start : start + IDS_AT_ONCE])))
        found.update((row["id"], row["customer_id"]) for row in rows)
    return found


def stretch(app: BillingApp, table: str, after: int | None, most: int) -> Ids:
    """Count the rows whose ids come after one, and add their ids up: at most so many, customers only among users."""
    key = TABLES[table].c.id
    some = sa.select(key).where(_comes_after(table, after)).order_by(key).limit(most)
    if table == users.name:
        some = some.where(users.c.role.in_(CUSTOMER_ROLES))
    found = some.subquery("found")
    (row,) = app.fetch(
        sa.select(
            sa.func.count().label("rows"), sa.func.sum(found.c.id).label("total"), sa.func.max(found.c.id).label("last")
        ).select_from(found)
    )
    count = int(row["rows"])
    return Ids(after, row["last"] if count == most else None, count, int(row["total"] or 0))


def ids_of(app: BillingApp, table: str, part: Ids) -> frozenset[int]:
    """The ids in a stretch of a table, customers only among users."""
    key = TABLES[table].c.id
    columns: list[sa.ColumnElement[Any]] = [key.label("id")]
    if table == users.name:
        columns.append(users.c.role.label("role"))
    statement = sa.select(*columns).where(_comes_after(table, part.after))
    if part.last is not None:
        statement = statement.where(key <= part.last)
    return frozenset(row["id"] for row in app.fetch(statement) if row.get("role", CUSTOMER_ROLES[0]) in CUSTOMER_ROLES)


def _comes_after(table: str, after: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if after is None else TABLES[table].c.id > after


def switched_off(app: BillingApp, customers: Collection[int]) -> frozenset[int]:
    """Those of the customers whose automatic recalculation is switched off; none where the column is missing."""
    if not customers or not app.columns[users.name].has("use_realtime_calculation"):
        return frozenset()
    columns = (users.c.id.label("id"), users.c.use_realtime_calculation.label("on"))
    rows = app.fetch(sa.select(*columns).where(users.c.id.in_(sorted(customers))))
    return frozenset(row["id"] for row in rows if row["on"] is not None and not row["on"])


def place_of(row: Row) -> Place | None:
    """Where a row stands in the order of `updated_at`; None if it has no such moment."""
    at = moment_of(row["updated_at"])
    return None if at is None else Place(at, row["id"])


def moment_of(value: object) -> datetime | None:
    """Return an `updated_at` without its time zone; None for what is no moment, such as MySQL's zero date."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else None


def digest_of(row: Row) -> str:
    """A short text that differs for rows that differ, whatever it is in."""
    return blake2b(repr([str(value) for value in row.values()]).encode(), digest_size=16).hexdigest()


def before(at: datetime) -> Place:
    """The place before all rows of a moment, whatever their ids."""
    return Place(at - _LEAST)


def earlier(at: datetime, seconds: int) -> datetime:
    """The moment so many seconds before."""
    return at - seconds * _ONE_SECOND
