"""Tables without a key, whose rows are identified by their content: how a month of one is made equal to another.

A row is known by a hash of its columns and by its place among rows of the same hash. Duplicates thus survive, and the
difference is exact: rows that meet are compared in full, to the last trailing zero, so that nothing hangs on the hash.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.months import Counts

_MONTH = sa.bindparam("month", type_=sa.Text)
_DAYS = sa.bindparam("days", type_=sa.ARRAY(sa.Date))


@dataclass(frozen=True)
class Contents:
    """A table by month whose rows have no key.

    Attributes:
        table: The table.
        columns: The columns that are content, in order.
        days: The columns whose first non-null date is a row's day; empty if rows have none.
        key: Columns that tell a changed row from a deleted and an inserted one, as far as they hold.
        amounts: The columns whose sums prove that nothing was lost.
    """

    table: sa.Table
    columns: tuple[str, ...]
    days: tuple[str, ...]
    key: tuple[str, ...]
    amounts: tuple[str, ...]

    def day(self) -> sa.ColumnElement[date | None]:
        """The day of a row."""
        return sa.func.coalesce(*(self.table.c[name] for name in self.days), sa.cast(sa.null(), sa.Date))


@dataclass(frozen=True)
class Sums:
    """How many rows there are, and the sum of each amount (NULL counts as 0)."""

    rows: int
    sums: Mapping[str, Decimal]


def day_sums(
    connection: sa.Connection, contents: Contents, months: Collection[str] | None = None
) -> dict[str, dict[date | None, Sums]]:
    """What each month of a table (or some of them) holds, day by day; one without rows is not named."""
    month, day = contents.table.c.year_month, contents.day()
    sums = (sa.func.coalesce(sa.func.sum(contents.table.c[name]), 0).label(name) for name in contents.amounts)
    statement = sa.select(month, day.label("day"), sa.func.count().label("rows"), *sums).group_by(month, day)
    if months is not None:
        statement = statement.where(month.in_(months))
    found: dict[str, dict[date | None, Sums]] = defaultdict(dict)
    for row in connection.execute(statement).mappings():
        amounts = {name: row[name] for name in contents.amounts}
        found[row["year_month"]][row["day"]] = Sums(row["rows"], amounts)
    return dict(found)


def make_equal(
    connection: sa.Connection,
    contents: Contents,
    aside: sa.Table,
    month: str,
    days: Collection[date] | None = None,
) -> Counts:
    """Make a month of a table equal to what stands aside, touching only the rows that differ.

    One statement, so one snapshot. Rows that have the same key and a different content count as updated.

    Args:
        connection: Within a transaction that keeps other writers away: rows are deleted by their place.
        contents: The table.
        aside: The rows that should be there.
        month: The month.
        days: Only the rows of these days are spoken for; None: of the whole month.
    """
    statement = _statement(contents, aside.name, by_days=days is not None)
    found = connection.execute(statement, {"month": month, "days": sorted(days or ())}).one()
    return Counts(
        inserted=found.come - found.updated,
        updated=found.updated,
        deleted=found.gone - found.updated,
        unchanged=found.present - found.gone,
    )


@cache
def _statement(contents: Contents, aside_name: str, *, by_days: bool) -> sa.Select[Any]:
    """Delete and insert what differs in ``:month``, or in ``:days`` of it.

    One row: how many rows went, came, changed, and were there. Composed once, for it takes longer than running it.
    """
    contents = replace(contents, table=_placed(contents.table))
    table, aside = contents.table, contents.table.to_metadata(sa.MetaData(), name=aside_name)
    within = table.c.year_month == _MONTH
    if by_days:
        within = sa.and_(within, contents.day() == sa.any_(_DAYS))
    difference = _difference(contents, aside, within).cte("difference")
    same_place = sa.and_(table.c.ctid == difference.c.ctid, table.c.tableoid == difference.c.tableoid)
    gone = sa.delete(table).where(table.c.year_month == _MONTH, same_place).returning(sa.literal(1)).cte("gone")
    names = ["year_month", *contents.columns]
    come = sa.select(*(difference.c[name] for name in names)).where(difference.c.is_new)
    added = sa.insert(table).from_select(names, come).returning(sa.literal(1)).cte("added")
    columns = {
        "gone": sa.select(sa.func.count()).select_from(gone),
        "come": sa.select(sa.func.count()).select_from(added),
        # Cast: sum() of a count is NUMERIC, and would arrive as a Decimal.
        "updated": sa.select(
            sa.cast(sa.func.coalesce(sa.func.sum(_changed_rows(contents, difference).c.rows), 0), sa.BigInteger)
        ),
        "present": sa.select(sa.func.count()).select_from(table).where(within),
    }
    return sa.select(*(count.scalar_subquery().label(name) for name, count in columns.items()))


@cache
def _placed(table: sa.Table) -> sa.Table:
    """The table with the system columns that say where a row is; a place holds as long as the statement runs."""
    place = (sa.Column(name, sa.types.NullType, system=True) for name in ("ctid", "tableoid"))
    columns = (sa.Column(column.name, column.type) for column in table.columns)
    return sa.Table(table.name, sa.MetaData(), *columns, *place, schema=table.schema)


def _difference(contents: Contents, aside: sa.Table, within: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """One row: a row that is there and should not be (its place and its key), or one that should and is not, or both.

    Both where two rows of the same hash meet whose contents differ.
    """
    table = contents.table
    wanted = _identified(contents, aside).where(aside.c.year_month == _MONTH).subquery("wanted")
    present = _identified(contents, table, table.c.ctid, table.c.tableoid).where(within).subquery("present")
    same = sa.and_(wanted.c.content_hash == present.c.content_hash, wanted.c.ordinal == present.c.ordinal)
    differs = _record(contents, wanted).op("*<>", is_comparison=True)(_record(contents, present))
    return (
        sa.select(
            wanted.c.year_month,
            *(wanted.c[name] for name in contents.columns),
            *(present.c[name].label(f"old_{name}") for name in contents.key),
            present.c.ctid,
            present.c.tableoid,
            wanted.c.ordinal.is_not(None).label("is_new"),
            present.c.ordinal.is_not(None).label("is_gone"),
        )
        .select_from(sa.join(wanted, present, same, full=True))
        .where(sa.or_(wanted.c.ordinal.is_(None), present.c.ordinal.is_(None), differs))
    )


def _identified(contents: Contents, table: sa.Table, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """One row: a row of a table with its hash and its ordinal among the rows of the same hash."""
    columns = [table.c[name] for name in contents.columns]
    # The hash of a number does not tell 1.5 from 1.50.
    scales = (sa.func.scale(column) for column in columns if isinstance(column.type, sa.Numeric))
    content = sa.func.hash_record_extended(sa.cast(sa.func.row(*columns, *scales), _Record), 0)
    ordinal = sa.func.row_number().over(partition_by=content)
    return sa.select(table.c.year_month, *columns, *more, content.label("content_hash"), ordinal.label("ordinal"))


class _Record(sa.types.UserDefinedType[Any]):
    """A row as one value; by ``*=`` and ``*<>`` such values are compared byte by byte, so that 1.5 is not 1.50."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Its name in SQL."""
        return "record"


def _record(contents: Contents, table: sa.FromClause) -> sa.ColumnElement[Any]:
    return sa.cast(sa.func.row(*(table.c[name] for name in contents.columns)), _Record)


def _changed_rows(contents: Contents, difference: sa.CTE) -> sa.Subquery:
    """One row: a key, with the number of rows that had it and went while as many came."""
    went = sa.select(*(difference.c[f"old_{name}"].label(name) for name in contents.key), sa.literal(1).label("went"))
    came = sa.select(*(difference.c[name] for name in contents.key), sa.literal(0))
    both = sa.union_all(went.where(difference.c.is_gone), came.where(difference.c.is_new)).subquery("both_sides")
    count = sa.func.count()
    return (
        sa.select(sa.func.least(count.filter(both.c.went == 1), count.filter(both.c.went == 0)).label("rows"))
        .group_by(*(both.c[name] for name in contents.key))
        .subquery("changed")
    )
