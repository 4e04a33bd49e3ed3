"""Merges of months of keyless tables, row for row, duplicates included."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ledger_pipelines.sources.erp.catalogue import VIEW_PROD_HEADER as TABLE
from ledger_pipelines.warehouse.bulk_copy import ColumnCopy
from ledger_pipelines.warehouse.keyless_merge import DaySums, KeylessTable, apply_diff, day_sums, sole_difference
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines.warehouse.partitions import (
    attach_staging_partition,
    create_staging_table,
    drop_staging_table,
    has_partition,
)
from ledger_pipelines.warehouse.tables import erp_tables

MONTH = "2025-03"
COPY = erp_tables[TABLE.name]
CONTENTS = KeylessTable(COPY, TABLE.names, TABLE.month_columns, TABLE.key, ("qty_order", "qty_os"))
Row = dict[str, Any]

texts = st.sampled_from([None, "", " ", "a", "A", "a ", "é", "e\u0301", "🎉", "\\N", "x\ty\r\nz\\", "ꦗꦮ", "\u200b"])
numbers = st.sampled_from(
    [None, *map(Decimal, ("0", "1.5", "1.50", "-1.5", "-0.0001", "1E+3", "9" * 28 + ".1234567890"))]
)
days = st.sampled_from([date(2025, 3, 1), date(2025, 3, 2), date(2025, 3, 31)])
rows = st.fixed_dictionaries(
    {"prod_index": st.sampled_from([None, 1, 2, 2**63 - 1]), "planning_date": days, "status": texts, "qty_os": numbers}
)


def exactly(row: Row) -> tuple[Any, ...]:
    """Return a row with its decimals as text, because 1.5 equals 1.50 as a Decimal."""
    values = (row.get(name) for name in TABLE.names)
    return tuple(f"{value:f}" if isinstance(value, Decimal) else value for value in values)


def stage(connection: sa.Connection, wanted: Sequence[Row]) -> sa.Table:
    staged = create_staging_table(connection, COPY, [MONTH])
    columns = {name: [row.get(name) for row in wanted] for name in TABLE.names}
    with ColumnCopy(connection, staged) as copy:
        copy.write({"year_month": [MONTH] * len(wanted), **columns})
    return staged


def write(
    connection: sa.Connection,
    wanted: Sequence[Row],
    only: Sequence[date] | None = None,
    contents: KeylessTable = CONTENTS,
) -> Counts:
    staged = stage(connection, wanted)
    if has_partition(connection, COPY, MONTH):
        counts = apply_diff(connection, contents, staged, MONTH, only)
    else:
        attach_staging_partition(connection, COPY, MONTH)
        counts = Counts(inserted=len(wanted))
    drop_staging_table(connection, COPY)
    return counts


def stored_rows(connection: sa.Connection) -> list[sa.RowMapping]:
    return list(connection.execute(sa.select(COPY, sa.literal_column("xmin::text").label("version"))).mappings())


@given(old=st.lists(rows, max_size=8), new=st.lists(rows, max_size=8), kept=st.integers(0, 8))
def test_apply_diff_makes_a_month_equal_to_the_staged_rows(
    empty_warehouse: sa.Engine, old: list[Row], new: list[Row], kept: int
) -> None:
    wanted = [*old[:kept], *new]
    with empty_warehouse.connect() as connection:
        connection.exec_driver_sql("SET enable_nestloop = off")
        write(connection, old)
        before = Counter(exactly(dict(row)) for row in stored_rows(connection))
        assert before == Counter(map(exactly, old))
        stays = Counter(map(exactly, old)) & Counter(map(exactly, wanted))
        counts = write(connection, wanted)
        assert Counter(exactly(dict(row)) for row in stored_rows(connection)) == Counter(map(exactly, wanted))
        assert counts.unchanged == stays.total()
        assert counts.inserted + counts.updated == len(wanted) - stays.total()
        assert counts.deleted + counts.updated == len(old) - stays.total()
        assert write(connection, wanted) == Counts(unchanged=len(wanted))
        connection.rollback()


def test_apply_diff_of_some_days_leaves_the_other_days_unchanged(empty_warehouse: sa.Engine) -> None:
    first, second = date(2025, 3, 1), date(2025, 3, 2)
    old = [{"prod_index": n, "planning_date": day} for n in (1, 2) for day in (first, second)]
    new = [{"prod_index": 1, "planning_date": first, "status": "done"}]
    with empty_warehouse.connect() as connection:
        write(connection, old)
        assert write(connection, new, [first]) == Counts(updated=1, deleted=1)
        kept = {(row["prod_index"], row["planning_date"], row["status"]) for row in stored_rows(connection)}
        assert kept == {(1, first, "done"), (1, second, None), (2, second, None)}
        connection.rollback()


def test_apply_diff_does_not_rewrite_unchanged_rows(empty_warehouse: sa.Engine) -> None:
    twice = {"prod_index": 1, "planning_date": date(2025, 3, 1), "status": "twice"}
    changed = {"prod_index": 2, "planning_date": date(2025, 3, 1), "qty_os": Decimal("1.5")}
    with empty_warehouse.connect() as connection:
        write(connection, [twice, twice, changed])
        places = sa.select(sa.literal_column("ctid::text", sa.Text)).where(COPY.c.prod_index == 1)
        before = connection.scalars(places).all()
        assert write(connection, [twice, twice, changed | {"qty_os": Decimal("1.50")}]) == Counts(
            updated=1, unchanged=2
        )
        assert connection.scalars(places).all() == before
        assert connection.scalar(sa.select(sa.cast(COPY.c.qty_os, sa.Text)).where(COPY.c.prod_index == 2)) == "1.50"
        connection.rollback()


def test_rows_that_differ_only_in_a_sign_are_not_rewritten(empty_warehouse: sa.Engine) -> None:
    """PostgreSQL's hash of a number ignores its sign."""
    row = {"prod_index": 1, "planning_date": date(2025, 3, 1)}
    pair = [row | {"qty_os": Decimal(f"{sign}{amount}")} for amount in ("256.5", "9" * 300) for sign in ("", "-")]
    with empty_warehouse.connect() as connection:
        write(connection, pair)
        for order in (pair, pair[::-1]):
            assert write(connection, order) == Counts(unchanged=4)
        connection.rollback()


def test_rows_that_differ_in_half_an_integer_are_not_rewritten(empty_warehouse: sa.Engine) -> None:
    """PostgreSQL's hash of a bigint is that of its halves combined."""
    ids = (1, 2**32, 2**31, 2**63 - 1, -1, 2**32 - 1)
    rows = [{"prod_index": number, "planning_date": date(2025, 3, 1)} for number in ids]
    with empty_warehouse.connect() as connection:
        write(connection, rows)
        for order in (rows, rows[::-1]):
            assert write(connection, order) == Counts(unchanged=6)
        connection.rollback()


def test_rows_that_differ_only_in_an_uncompared_column_are_kept(empty_warehouse: sa.Engine) -> None:
    contents = replace(CONTENTS, uncompared=("qty_os",))
    twin: Row = {"prod_index": 1, "planning_date": date(2025, 3, 1)}
    other = twin | {"prod_index": 2}
    with empty_warehouse.connect() as connection:
        write(connection, [row | {"qty_os": Decimal(1)} for row in (twin, twin, other)])
        before = stored_rows(connection)
        newer = [row | {"qty_os": Decimal(2)} for row in (twin, twin, other)]
        assert write(connection, newer, contents=contents) == Counts(unchanged=3)
        assert stored_rows(connection) == before
        changed = [*newer[:2], newer[0], newer[2] | {"status": "done"}]
        assert write(connection, changed, contents=contents) == Counts(inserted=1, updated=1, unchanged=2)
        found = sorted((row["prod_index"], row["status"] or "", row["qty_os"]) for row in stored_rows(connection))
        assert found == [(1, "", 1), (1, "", 1), (1, "", 2), (2, "done", 2)]
        assert write(connection, changed[1:], contents=contents) == Counts(deleted=1, unchanged=3)
        connection.rollback()


@pytest.mark.parametrize(
    ("new", "column"),
    [
        ((("a", "x", 2), ("b", "y", 3)), "qty_os"),
        ((("a", "x", "1.0"), ("b", "y", "-2")), "qty_os"),
        ((("a", "x", 2), ("b", "y", 1)), None),
        ((("b", "x", 2), ("a", "y", 3)), None),
        ((("a", "x", 2), ("a", "y", 3)), None),
        ((("a", "x", 1), ("b", "y", 2)), None),
        ((("a", "x", 2),), None),
    ],
    ids=["values", "digits", "swapped", "another one swapped", "two columns", "nothing", "rows"],
)
def test_sole_difference_needs_equal_other_columns(
    empty_warehouse: sa.Engine, new: Sequence[tuple[str, str, int | str]], column: str | None
) -> None:
    def rows_with(values: Sequence[tuple[str, str, int | str]]) -> list[Row]:
        return [
            {"planning_date": date(2025, 3, 1), "item": item, "status": status, "qty_os": Decimal(qty)}
            for item, status, qty in values
        ]

    with empty_warehouse.connect() as connection:
        write(connection, rows_with([("a", "x", 1), ("b", "y", 2)]))
        staged = stage(connection, rows_with(new))
        assert sole_difference(connection, CONTENTS, staged, MONTH) == column
        assert sole_difference(connection, replace(CONTENTS, key=("qty_os",)), staged, MONTH) is None
        connection.rollback()


def test_day_sums(empty_warehouse: sa.Engine) -> None:
    day = date(2025, 3, 1)
    with empty_warehouse.connect() as connection:
        write(
            connection,
            [
                {"planning_date": day, "qty_os": Decimal("1.5")},
                {"planning_date": day, "qty_os": Decimal("0.25"), "qty_order": Decimal(3)},
                {"planning_date": date(2025, 3, 2)},
            ],
        )
        sums = day_sums(connection, CONTENTS)[MONTH]
        assert sums[day] == DaySums(2, {"qty_order": Decimal(3), "qty_os": Decimal("1.75")})
        assert sums[date(2025, 3, 2)] == DaySums(1, {"qty_order": Decimal(0), "qty_os": Decimal(0)})
        assert day_sums(connection, CONTENTS, {MONTH: None}) == {MONTH: sums}
        assert day_sums(connection, CONTENTS, {MONTH: [day], "2025-04": None}) == {MONTH: {day: sums[day]}}
        assert day_sums(connection, CONTENTS, {"2025-04": [day]}) == day_sums(connection, CONTENTS, {}) == {}
        connection.rollback()
