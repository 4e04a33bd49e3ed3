"""How a month of a table is written: atomically, touching only the rows that differ, and counting them.

Two ways, one entrance (`write`): a month that is not there yet is built aside, indexed and attached; one that is, is
compared with what should be there. Either way the caller owns the transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ids import fits
from ledger_pipelines.warehouse.partitions import attach, ensure_partition, fill_aside, without_partition

#: The month under which a table without months is counted and marked.
NO_MONTH = ""


@dataclass(frozen=True)
class Counts:
    """What a write did to a table, in rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """The two together."""
        return Counts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
        )

    @property
    def written(self) -> int:
        """Rows that are not as they were."""
        return self.inserted + self.updated + self.deleted


CountsByMonth = dict[str, Counts]


def add(first: CountsByMonth, second: CountsByMonth) -> CountsByMonth:
    """The two together, month by month."""
    return {month: first.get(month, Counts()) + second.get(month, Counts()) for month in {**first, **second}}


def total(counts: Mapping[str, Counts]) -> Counts:
    """The sum over all months."""
    return sum(counts.values(), Counts())


@dataclass(frozen=True)
class Written:
    """A table as the writers see it.

    Attributes:
        table: The table; partitioned by month if it has a column ``year_month`` and `partitioned` is true.
        stamps: Columns that say when and how a row was written. They are no content: two rows that differ in
            them alone are equal. The value is what an insert sets.
        stamps_on_change: What an update, and an insert under ``force``, sets instead.
    """

    table: sa.Table
    stamps: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)
    stamps_on_change: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)

    @property
    def key(self) -> list[str]:
        """The identifying columns."""
        return [column.name for column in self.table.primary_key]

    @property
    def content(self) -> list[str]:
        """The columns that a target supplies, in order: all but the stamps."""
        return [column.name for column in self.table.columns if column.name not in self.stamps]

    @property
    def partitioned(self) -> bool:
        """True if the table has one partition a month."""
        return self.table.dialect_options["postgresql"].get("partition_by") is not None


def write(
    connection: sa.Connection,
    written: Written,
    target: Callable[[Sequence[str]], sa.Select[Any]],
    scope: Scope,
    *,
    kept: Collection[int] = (),
    force: bool = False,
) -> CountsByMonth:
    """Make the months of a table equal to ``target`` within the scope, in the caller's transaction.

    Args:
        connection: Within a transaction.
        written: The table; it has the columns ``year_month`` and ``customer_id``.
        target: Given months, the rows that they should have (the content columns, in order), for the customers of
            the scope.
        scope: The months and customers that ``target`` speaks for; no row outside is touched.
        kept: Customers whose rows stay as they are, because nothing is known of what they should be.
        force: Drop the rows and build them again, even where nothing differs.
    """
    counts: CountsByMonth = {}
    if written.partitioned:
        for month in without_partition(connection, written.table, scope.months):
            if scope.whole:
                counts[month] = Counts(inserted=_build_partition(connection, written, target([month]), month))
            else:
                ensure_partition(connection, written.table, month)
    rest = Scope(tuple(month for month in scope.months if month not in counts), scope.customers)
    if rest.months:
        within = _but(written.table, kept, rows_of(written.table, rest))
        cleared = clear(connection, written.table, within) if force else {}
        counts |= add(cleared, merge(connection, written, target(rest.months), within, changes=force))
    return {month: counts.get(month, Counts()) for month in scope.months}


def _but(table: sa.Table, kept: Collection[int], within: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    if not kept:
        return within
    return sa.and_(within, ~one_of(table.c.customer_id, kept))


def clear(connection: sa.Connection, table: sa.Table, within: sa.ColumnElement[bool]) -> CountsByMonth:
    """Delete the rows of a table that lie ``within`` and return the counts of the months they were in."""
    gone = sa.delete(table).where(within).returning(_month(table)).cte("gone")
    counted = connection.execute(sa.select(gone.c.year_month, sa.func.count()).group_by(gone.c.year_month))
    return {month: Counts(deleted=count) for month, count in counted}


def merge(
    connection: sa.Connection,
    written: Written,
    target: sa.Select[Any],
    within: sa.ColumnElement[bool],
    *,
    changes: bool = False,
) -> CountsByMonth:
    """Make the rows of a table that lie ``within`` equal to ``target``, touching only those that differ.

    One statement, so one snapshot. Returns the counts of the months in which there are rows or were.

    Args:
        connection: Within a transaction.
        written: The table.
        target: The rows that should be there, with the content columns. A row of the table that has the key of one of
            them lies ``within``, too.
        within: The rows of the table that ``target`` speaks for.
        changes: True if what is inserted replaces rows that were there, and is to be stamped so.
    """
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for month, what, count in connection.execute(_merge_statement(written, target, within, changes=changes)):
        found[month][what] = count
    counts: CountsByMonth = {}
    for month, of in found.items():
        inserted, updated = of.get("inserted", 0), of.get("updated", 0)
        deleted = of.get("deleted", 0)
        counts[month] = Counts(inserted, updated, deleted, of.get("present", 0) - updated - deleted)
    return counts


def _month(source: sa.FromClause) -> sa.ColumnElement[str]:
    column = source.c.get("year_month")
    return (sa.literal(NO_MONTH) if column is None else column).label("year_month")


def _merge_statement(
    written: Written, target: sa.Select[Any], within: sa.ColumnElement[bool], *, changes: bool
) -> sa.Select[Any]:
    """Delete, update and insert what differs; one row: a month, what was done (or was there), and to how many rows."""
    table, key, content = written.table, written.key, written.content
    values = [name for name in content if name not in key]
    difference = _difference(written, target, within).cte("difference")
    at_key = sa.and_(*(table.c[name] == difference.c[name] for name in key))
    gone = sa.delete(table).where(within, at_key, difference.c.is_gone).returning(_month(table)).cte("gone")
    changed = (
        sa.update(table)
        .values({name: difference.c[name] for name in values} | dict(written.stamps_on_change))
        .where(within, at_key, ~difference.c.is_gone, ~difference.c.is_new)
        .returning(_month(table))
        .cte("changed")
    )
    stamps = written.stamps_on_change if changes else written.stamps
    new_rows = sa.select(*(difference.c[name] for name in content), *(stamps[name] for name in written.stamps))
    added = (
        sa.insert(table)
        .from_select([*content, *written.stamps], new_rows.where(difference.c.is_new))
        .returning(_month(table))
        .cte("added")
    )
    present = sa.select(_month(table)).select_from(table).where(within).cte("present")
    parts = {"deleted": gone, "updated": changed, "inserted": added, "present": present}
    counted = [
        sa.select(_month(part), sa.literal(what).label("what"), sa.func.count().label("rows"))
        .select_from(part)
        .group_by(sa.text("1"))
        for what, part in parts.items()
    ]
    return sa.select(sa.union_all(*counted).subquery())


def _difference(written: Written, target: sa.Select[Any], within: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """One row: a key at which what is there and what should be there differ, with the content that should be there."""
    values = [name for name in written.content if name not in written.key]
    wanted = target.subquery("wanted")
    present = sa.select(*(written.table.c[name] for name in written.content)).where(within).subquery("present")
    is_gone, is_new = wanted.c[written.key[0]].is_(None), present.c[written.key[0]].is_(None)
    differs = sa.tuple_(*(wanted.c[name] for name in values)).is_distinct_from(
        sa.tuple_(*(present.c[name] for name in values))
    )
    same_key = sa.and_(*(wanted.c[name] == present.c[name] for name in written.key))
    columns: list[sa.ColumnElement[Any]] = [is_gone.label("is_gone"), is_new.label("is_new")]
    columns += [sa.func.coalesce(wanted.c[name], present.c[name]).label(name) for name in written.key]
    columns += [wanted.c[name] for name in values]
    both = sa.join(wanted, present, same_key, full=True)
    return sa.select(*columns).select_from(both).where(sa.or_(is_gone, is_new, differs))


def one_of(column: sa.ColumnElement[int], wanted: Collection[int]) -> sa.ColumnElement[bool]:
    """True where the BIGINT column holds one of the ids: an array, and so one parameter however many they are."""
    return column == sa.any_(sa.literal(list(filter(fits, wanted)), sa.ARRAY(sa.BigInteger)))


def rows_of(table: sa.FromClause, scope: Scope) -> sa.ColumnElement[bool]:
    """The rows of a table with year_month and customer_id that lie in a scope."""
    conditions: list[sa.ColumnElement[bool]] = [table.c.year_month.in_(scope.months)]
    if scope.customers is not None:
        conditions.append(one_of(table.c.customer_id, scope.customers))
    return sa.and_(*conditions)


def _build_partition(connection: sa.Connection, written: Written, target: sa.Select[Any], month: str) -> int:
    """Fill a fresh partition from ``target``, index it, attach it, and return how many rows it has."""
    found = target.subquery("found")
    row = {name: found.c[name] for name in written.content} | dict(written.stamps)
    columns = (row[column.name] for column in written.table.columns)
    inserted = fill_aside(connection, written.table, month, sa.select(*columns))
    attach(connection, written.table, month)
    return inserted


def qualified(table: sa.Table) -> str:
    """The table's name with its schema."""
    return f"{table.schema}.{table.name}"
