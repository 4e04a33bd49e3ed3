"""Atomic writes of the months of a table: only rows that differ are written, and they are counted.

`write_months` handles both cases. A month without a partition is built in a staging partition, indexed and attached. An
existing month is merged with the rows that it should have. The caller owns the transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ids import fits_bigint
from ledger_pipelines.warehouse.partitions import (
    build_staging_partition,
    ensure_partition,
    index_and_attach,
    months_without_partition,
)

#: The month key under which a table that is not partitioned by month is counted and marked as loaded.
UNPARTITIONED = ""


@dataclass(frozen=True)
class Counts:
    """Numbers of rows that a write inserted, updated, deleted and left unchanged."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum of both."""
        return Counts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
        )

    @property
    def changed(self) -> int:
        """Number of rows that changed."""
        return self.inserted + self.updated + self.deleted

    @property
    def added(self) -> int:
        """Number of rows that the table gained; negative if it lost rows."""
        return self.inserted - self.deleted

    @property
    def present(self) -> int:
        """Number of rows after the write."""
        return self.inserted + self.updated + self.unchanged

    def of(self, before: int) -> "Counts":
        """Return the counts of a whole month that had ``before`` rows, of which these counts may be a part."""
        return replace(self, unchanged=before - self.updated - self.deleted)


CountsByMonth = dict[str, Counts]


def add_counts(first: CountsByMonth, second: CountsByMonth) -> CountsByMonth:
    """Return the sum of both, month by month."""
    return {month: first.get(month, Counts()) + second.get(month, Counts()) for month in {**first, **second}}


def total_counts(counts: Mapping[str, Counts]) -> Counts:
    """Return the sum over all months."""
    return sum(counts.values(), Counts())


@dataclass(frozen=True)
class TargetTable:
    """A table to write.

    Attributes:
        table: The table; partitioned by month if it has a column ``year_month`` and `partitioned` is true.
        stamps: Columns that record when and how a row was written, with the values that an insert sets. They are not
            compared: two rows that differ only in them are equal.
        stamps_on_change: The values that an update, and an insert under ``force``, sets instead.
    """

    table: sa.Table
    stamps: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)
    stamps_on_change: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)

    @property
    def key(self) -> list[str]:
        """Names of the primary key columns."""
        return [column.name for column in self.table.primary_key]

    @property
    def content(self) -> list[str]:
        """Names of the columns that the written rows supply, in order: all except the stamps."""
        return [column.name for column in self.table.columns if column.name not in self.stamps]

    @property
    def partitioned(self) -> bool:
        """True if the table has one partition per month."""
        return self.table.dialect_options["postgresql"].get("partition_by") is not None


def write_months(
    connection: sa.Connection,
    target: TargetTable,
    rows: Callable[[Sequence[str]], sa.Select[Any]],
    scope: Scope,
    *,
    unchanged_customers: Collection[int] = (),
    force: bool = False,
) -> CountsByMonth:
    """Make the months of a table equal to ``rows`` within the scope, in the caller's transaction.

    Args:
        connection: Within a transaction.
        target: The table; it has the columns ``year_month`` and ``customer_id``.
        rows: Function that returns the rows that some months should have (the content columns, in order), for the
            customers of the scope.
        scope: The months and customers that ``rows`` covers; no row outside is written.
        unchanged_customers: Customers whose rows are left unchanged because the rows they should have are unknown.
        force: Delete and insert the rows even where nothing differs.
    """
    counts: CountsByMonth = {}
    if target.partitioned:
        for month in months_without_partition(connection, target.table, scope.months):
            if scope.covers_all_customers:
                counts[month] = Counts(inserted=_build_partition(connection, target, rows([month]), month))
            else:
                ensure_partition(connection, target.table, month)
    rest = Scope(tuple(month for month in scope.months if month not in counts), scope.customers)
    if rest.months:
        within = _except(target.table, unchanged_customers, is_in_scope(target.table, rest))
        cleared = delete_rows(connection, target.table, within) if force else {}
        counts |= add_counts(cleared, merge_rows(connection, target, rows(rest.months), within, replaces=force))
    return {month: counts.get(month, Counts()) for month in scope.months}


def _except(table: sa.Table, kept: Collection[int], within: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    if not kept:
        return within
    return sa.and_(within, ~is_any_of(table.c.customer_id, kept))


def delete_rows(connection: sa.Connection, table: sa.Table, within: sa.ColumnElement[bool]) -> CountsByMonth:
    """Delete the rows that match ``within`` and return the counts by month."""
    gone = sa.delete(table).where(within).returning(_month(table)).cte("gone")
    counted = connection.execute(sa.select(gone.c.year_month, sa.func.count()).group_by(gone.c.year_month))
    return {month: Counts(deleted=count) for month, count in counted}


def merge_rows(
    connection: sa.Connection,
    target: TargetTable,
    rows: sa.Select[Any],
    within: sa.ColumnElement[bool],
    *,
    replaces: bool = False,
) -> CountsByMonth:
    """Make a table's rows that match ``within`` equal to ``rows``, writing only those that differ.

    One statement, so one snapshot. Returns the counts of the months that have or had such rows.

    Args:
        connection: Within a transaction.
        target: The table.
        rows: The rows that the table should have, with the content columns. An existing row with the key of one of
            them must match ``within``.
        within: Condition on the table's rows that ``rows`` replaces.
        replaces: True if inserted rows replace deleted ones: they get ``stamps_on_change``.
    """
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for month, what, count in connection.execute(_merge_statement(target, rows, within, changes=replaces)):
        found[month][what] = count
    counts: CountsByMonth = {}
    for month, of in found.items():
        inserted, updated = of.get("inserted", 0), of.get("updated", 0)
        deleted = of.get("deleted", 0)
        counts[month] = Counts(inserted, updated, deleted, of.get("present", 0) - updated - deleted)
    return counts


def _month(source: sa.FromClause) -> sa.ColumnElement[str]:
    column = source.c.get("year_month")
    return (sa.literal(UNPARTITIONED) if column is None else column).label("year_month")


def _merge_statement(
    target: TargetTable, rows: sa.Select[Any], within: sa.ColumnElement[bool], *, changes: bool
) -> sa.Select[Any]:
    """Delete, update and insert the rows that differ.

    One row: a month, what was done ("present": rows that were there before), and the number of rows.
    """
    table, key, content = target.table, target.key, target.content
    values = [name for name in content if name not in key]
    difference = _difference(target, rows, within).cte("difference")
    at_key = sa.and_(*(table.c[name] == difference.c[name] for name in key))
    gone = sa.delete(table).where(within, at_key, difference.c.is_gone).returning(_month(table)).cte("gone")
    changed = (
        sa.update(table)
        .values({name: difference.c[name] for name in values} | dict(target.stamps_on_change))
        .where(within, at_key, ~difference.c.is_gone, ~difference.c.is_new)
        .returning(_month(table))
        .cte("changed")
    )
    stamps = target.stamps_on_change if changes else target.stamps
    new_rows = sa.select(*(difference.c[name] for name in content), *(stamps[name] for name in target.stamps))
    added = (
        sa.insert(table)
        .from_select([*content, *target.stamps], new_rows.where(difference.c.is_new))
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


def _difference(target: TargetTable, rows: sa.Select[Any], within: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """One row: a key at which the table and ``rows`` differ, with the content of ``rows``."""
    values = [name for name in target.content if name not in target.key]
    wanted = rows.subquery("wanted")
    present = sa.select(*(target.table.c[name] for name in target.content)).where(within).subquery("present")
    is_gone, is_new = wanted.c[target.key[0]].is_(None), present.c[target.key[0]].is_(None)
    differs = sa.tuple_(*(wanted.c[name] for name in values)).is_distinct_from(
        sa.tuple_(*(present.c[name] for name in values))
    )
    same_key = sa.and_(*(wanted.c[name] == present.c[name] for name in target.key))
    columns: list[sa.ColumnElement[Any]] = [is_gone.label("is_gone"), is_new.label("is_new")]
    columns += [sa.func.coalesce(wanted.c[name], present.c[name]).label(name) for name in target.key]
    columns += [wanted.c[name] for name in values]
    both = sa.join(wanted, present, same_key, full=True)
    return sa.select(*columns).select_from(both).where(sa.or_(is_gone, is_new, differs))


def is_any_of(column: sa.ColumnElement[int], wanted: Collection[int]) -> sa.ColumnElement[bool]:
    """Return the condition that a BIGINT column holds one of the ids: one array parameter for any number of ids."""
    return column == sa.any_(sa.literal(list(filter(fits_bigint, wanted)), sa.ARRAY(sa.BigInteger)))


def is_in_scope(table: sa.FromClause, scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition that a row, by its year_month and customer_id, lies in a scope."""
    conditions: list[sa.ColumnElement[bool]] = [table.c.year_month.in_(scope.months)]
    if scope.customers is not None:
        conditions.append(is_any_of(table.c.customer_id, scope.customers))
    return sa.and_(*conditions)


def _build_partition(connection: sa.Connection, target: TargetTable, rows: sa.Select[Any], month: str) -> int:
    """Build a new partition from ``rows``, attach it, and return its number of rows."""
    found = rows.subquery("found")
    row = {name: found.c[name] for name in target.content} | dict(target.stamps)
    columns = (row[column.name] for column in target.table.columns)
    inserted = build_staging_partition(connection, target.table, month, sa.select(*columns))
    index_and_attach(connection, target.table, month)
    return inserted


def qualified_name(table: sa.Table) -> str:
    """Return the table's name with its schema."""
    return f"{table.schema}.{table.name}"
