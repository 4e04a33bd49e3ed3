"""Merge of a month of a keyless table: rows are identified by their content, and only those that differ are written.

A row is identified by a hash of its columns and by its ordinal among rows of the same hash, so duplicates survive. Rows
with the same identity are then compared in full, to the last trailing zero: a hash collision cannot lose a difference.
Columns that are not compared take no part in either: a row that differs only there is not written.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.merge import Counts

_MONTH = sa.bindparam("month", type_=sa.Text)
_DAYS = sa.bindparam("days", type_=sa.ARRAY(sa.Date))


@dataclass(frozen=True)
class KeylessTable:
    """A table partitioned by month whose rows have no key.

    Attributes:
        table: The table.
        columns: The content columns, in order.
        days: Columns of which the first non-null date is the row's day; empty if rows have no day.
        key: Columns that mostly identify a row. They are used for counting only: a deleted and an inserted row with
            the same values here count as one update.
        amounts: Columns whose sums prove that no row was lost.
        uncompared: Content columns in which rows may differ and still count as equal.
    """

    table: sa.Table
    columns: tuple[str, ...]
    days: tuple[str, ...]
    key: tuple[str, ...]
    amounts: tuple[str, ...]
    uncompared: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """Content columns that are compared, in order."""
        return tuple(name for name in self.columns if name not in self.uncompared)

    def day(self) -> sa.ColumnElement[date | None]:
        """Return the expression for a row's day."""
        return sa.func.coalesce(*(self.table.c[name] for name in self.days), sa.cast(sa.null(), sa.Date))


@dataclass(frozen=True)
class DaySums:
    """Number of rows, and the sum of each amount column (NULL counts as 0)."""

    rows: int
    sums: Mapping[str, Decimal]


def day_sums(
    connection: sa.Connection, keyless: KeylessTable, parts: Mapping[str, Collection[date] | None] | None = None
) -> dict[str, dict[date | None, DaySums]]:
    """Return the sums of each day by month; months without rows are left out.

    Args:
        connection: To the warehouse.
        keyless: The table.
        parts: Restricts them to these months, each to some days if they are given.
    """
    month, day = keyless.table.c.year_month, keyless.day()
    sums = (sa.func.coalesce(sa.func.sum(keyless.table.c[name]), 0).label(name) for name in keyless.amounts)
    statement = sa.select(month, day.label("day"), sa.func.count().label("rows"), *sums).group_by(month, day)
    if parts is not None:
        whole = [name for name, of_month in parts.items() if of_month is None]
        single = {each for of_month in parts.values() for each in of_month or ()}
        read = sa.or_(month.in_(whole), day == sa.any_(sa.literal(sorted(single), sa.ARRAY(sa.Date))))
        statement = statement.where(month.in_(list(parts)), read)
    found: dict[str, dict[date | None, DaySums]] = defaultdict(dict)
    for row in connection.execute(statement).mappings():
        amounts = {name: row[name] for name in keyless.amounts}
        found[row["year_month"]][row["day"]] = DaySums(row["rows"], amounts)
    return dict(found)


def apply_diff(
    connection: sa.Connection,
    keyless: KeylessTable,
    staged: sa.Table,
    month: str,
    days: Collection[date] | None = None,
) -> Counts:
    """Make a month of a table equal to the staged rows, writing only the rows that differ.

    One statement, so one snapshot. Rows with the same key and different content count as updated.

    Args:
        connection: Within a transaction that excludes other writers: rows are deleted by their ctid.
        keyless: The table.
        staged: The staging table with the rows that the month should have.
        month: The month.
        days: Compare the rows of these days only; None: the whole month.
    """
    statement = _statement(keyless, staged.name, by_days=days is not None)
    found = connection.execute(statement, {"month": month, "days": sorted(days or ())}).one()
    return Counts(
        inserted=found.added - found.updated,
        updated=found.updated,
        deleted=found.removed - found.updated,
        unchanged=found.wanted - found.added,
    )


def sole_difference(connection: sa.Connection, keyless: KeylessTable, staged: sa.Table, month: str) -> str | None:
    """Return the one column whose values differ between the staged rows of a month and those of the table.

    None if there is no such column, if the rows without it differ too, or if it is of the key or of the row's day.
    """

    def equal_in(*subsets: Collection[str]) -> list[bool]:
        def hash_sums(table: sa.Table) -> sa.Select[Any]:
            # Hashed again: the sum of record hashes does not change when two rows swap a value.
            hashes = (sa.func.hashint8extended(_content_hash(table, names), 0) for names in subsets)
            return sa.select(*map(sa.func.sum, hashes)).where(table.c.year_month == month)

        present, wanted = (connection.execute(hash_sums(table)).one() for table in (keyless.table, staged))
        return [before == after for before, after in zip(present, wanted, strict=True)]

    same = equal_in(*({name} for name in keyless.compared))
    differing = [name for name, is_same in zip(keyless.compared, same, strict=True) if not is_same]
    if len(differing) != 1 or differing[0] in {*keyless.key, *keyless.days}:
        return None
    return differing[0] if all(equal_in({*keyless.compared} - {*differing})) else None


def moved_rows(
    connection: sa.Connection,
    keyless: KeylessTable,
    staged: sa.Table,
    month: str,
    days: Collection[date] | None = None,
) -> int:
    """Return how many rows of a month a merge will remove while it adds a row with their key to another month.

    A null in the key of a removed row matches any value: an order line that is delivered later gets its shipment then.
    """

    def keys(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        return sa.select(table.c.year_month, *(table.c[name] for name in keyless.key)).where(*where)

    table = keyless.table
    read = [table.c.year_month == month] + ([keyless.day().in_(days)] if days is not None else [])
    others = sa.select(staged.c.year_month).where(staged.c.year_month != month)
    gone = sa.except_all(keys(table, *read), keys(staged, staged.c.year_month == month)).subquery("gone")
    came = sa.except_all(
        keys(staged, staged.c.year_month != month), keys(table, table.c.year_month.in_(others))
    ).subquery("came")
    first, *more = keyless.key
    same = (sa.or_(gone.c[name].is_(None), gone.c[name] == came.c[name]) for name in more)
    moved = sa.exists().where(gone.c[first] == came.c[first], *same)
    return connection.scalar(sa.select(sa.func.count()).select_from(gone).where(moved)) or 0


@cache
def _statement(keyless: KeylessTable, staged_name: str, *, by_days: bool) -> sa.Select[Any]:
    """Delete and insert the rows that differ in ``:month``, or in its ``:days``.

    One row: how many rows were removed, added, updated, and wanted in all. Cached because composing the statement
    takes longer than running it.
    """
    keyless = replace(keyless, table=_with_row_locations(keyless.table))
    table, staged = keyless.table, keyless.table.to_metadata(sa.MetaData(), name=staged_name)
    within = table.c.year_month == _MONTH
    if by_days:
        within = sa.and_(within, keyless.day() == sa.any_(_DAYS))
    difference = _difference(keyless, staged, within).cte("difference")
    same_location = sa.and_(table.c.ctid == difference.c.ctid, table.c.tableoid == difference.c.tableoid)
    in_month = table.c.year_month == _MONTH
    removed = sa.delete(table).where(in_month, same_location).returning(sa.literal(1)).cte("removed")
    names = ["year_month", *keyless.columns]
    new_rows = sa.select(*(difference.c[name] for name in names)).where(difference.c.is_new)
    added = sa.insert(table).from_select(names, new_rows).returning(sa.literal(1)).cte("added")
    columns = {
        "removed": sa.select(sa.func.count()).select_from(removed),
        "added": sa.select(sa.func.count()).select_from(added),
        # Cast: sum() of a count is NUMERIC, and would arrive as a Decimal.
        "updated": sa.select(
            sa.cast(sa.func.coalesce(sa.func.sum(_changed_rows(keyless, difference).c.rows), 0), sa.BigInteger)
        ),
        "wanted": sa.select(sa.func.count()).select_from(staged).where(staged.c.year_month == _MONTH),
    }
    return sa.select(*(count.scalar_subquery().label(name) for name, count in columns.items()))


@cache
def _with_row_locations(table: sa.Table) -> sa.Table:
    """Return the table with the system columns that locate a row; a location is valid within one statement."""
    locations = (sa.Column(name, sa.types.NullType, system=True) for name in ("ctid", "tableoid"))
    columns = (sa.Column(column.name, column.type) for column in table.columns)
    return sa.Table(table.name, sa.MetaData(), *columns, *locations, schema=table.schema)


def _difference(keyless: KeylessTable, staged: sa.Table, within: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """One row: a row to remove (its location and key), a row to insert, or both.

    Both where two rows have the same hash and ordinal but different contents.
    """
    table = keyless.table
    wanted = _identified(keyless, staged).where(staged.c.year_month == _MONTH).subquery("wanted")
    present = _identified(keyless, table, table.c.ctid, table.c.tableoid).where(within).subquery("present")
    same = sa.and_(wanted.c.content_hash == present.c.content_hash, wanted.c.ordinal == present.c.ordinal)
    differs = _record(keyless, wanted).op("*<>", is_comparison=True)(_record(keyless, present))
    return (
        sa.select(
            wanted.c.year_month,
            *(wanted.c[name] for name in keyless.columns),
            *(present.c[name].label(f"old_{name}") for name in keyless.key),
            present.c.ctid,
            present.c.tableoid,
            wanted.c.ordinal.is_not(None).label("is_new"),
            present.c.ordinal.is_not(None).label("is_gone"),
        )
        .select_from(sa.join(wanted, present, same, full=True))
        .where(sa.or_(wanted.c.ordinal.is_(None), present.c.ordinal.is_(None), differs))
    )


def _identified(keyless: KeylessTable, table: sa.Table, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """One row: a row of a table with its hash and its ordinal among the rows of the same hash."""
    columns = (table.c[name] for name in keyless.columns)
    content = _content_hash(table, keyless.compared)
    ordinal = sa.func.row_number().over(partition_by=content)
    return sa.select(table.c.year_month, *columns, *more, content.label("content_hash"), ordinal.label("ordinal"))


def _content_hash(table: sa.Table, names: Collection[str]) -> sa.ColumnElement[int]:
    """Return the hash of some columns of a row."""
    columns = [column for column in table.c if column.name in names]
    # PostgreSQL's hash of a decimal is the same for 1.5, 1.50 and -1.5, that of an integer for 1 and 2^32.
    decimals = [column for column in columns if isinstance(column.type, sa.Numeric)]
    integers = [column for column in columns if isinstance(column.type, sa.Integer)]
    ignored = [part for number in decimals for part in (sa.func.scale(number), number < 0)]
    ignored += [number.bitwise_rshift(sa.literal_column("32")) for number in integers]
    return sa.func.hash_record_extended(sa.cast(sa.func.row(*columns, *ignored), _Record), 0, type_=sa.BigInteger)


class _Record(sa.types.UserDefinedType[Any]):
    """A row as one value. The operators ``*=`` and ``*<>`` compare such values byte by byte: 1.5 differs from 1.50."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in SQL."""
        return "record"


def _record(keyless: KeylessTable, table: sa.FromClause) -> sa.ColumnElement[Any]:
    return sa.cast(sa.func.row(*(table.c[name] for name in keyless.compared)), _Record)


def _changed_rows(keyless: KeylessTable, difference: sa.CTE) -> sa.Subquery:
    """One row: a key, with the number of its rows that count as updated: removed while as many were added."""
    removed = sa.select(
        *(difference.c[f"old_{name}"].label(name) for name in keyless.key), sa.literal(1).label("is_removed")
    )
    added = sa.select(*(difference.c[name] for name in keyless.key), sa.literal(0))
    both = sa.union_all(removed.where(difference.c.is_gone), added.where(difference.c.is_new)).subquery("both_sides")
    count = sa.func.count()
    return (
        sa.select(
            sa.func.least(count.filter(both.c.is_removed == 1), count.filter(both.c.is_removed == 0)).label("rows")
        )
        .group_by(*(both.c[name] for name in keyless.key))
        .subquery("changed")
    )
