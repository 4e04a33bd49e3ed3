"""Months of tables without a key: made equal to what stands aside, row for row, duplicates included."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ledger_pipelines.sources.erp_tables import VIEW_PROD_HEADER as TABLE
from ledger_pipelines.warehouse.bulk import ColumnCopy
from ledger_pipelines.warehouse.contents import Contents, Sums, day_sums, make_equal
from ledger_pipelines.warehouse.months import Counts
from ledger_pipelines.warehouse.partitions import adopt, drop_aside, has_partition, make_aside
from ledger_pipelines.warehouse.tables import erp_tables

MONTH = "2025-03"
COPY = erp_tables[TABLE.name]
CONTENTS = Contents(COPY, TABLE.names, TABLE.month_columns, TABLE.key, ("qty_order", "qty_os"))
Row = dict[str, Any]

texts = st.sampled_from([None, "", " ", "a", "A", "a ", "é", "e\u0301", "🎉", "\\N", "x\ty\r\nz\\", "ꦗꦮ", "\u200b"])
numbers = st.sampled_from([None, *map(Decimal, ("0", "1.5", "1.50", "-0.0001", "1E+3", "9" * 28 + ".1234567890"))])
days = st.sampled_from([date(2025, 3, 1), date(2025, 3, 2), date(2025, 3, 31)])
rows = st.fixed_dictionaries(
    {"prod_index": st.sampled_from([None, 1, 2, 2**63 - 1]), "planning_date": days, "status": texts, "qty_os": numbers}
)


def exactly(row: Row) -> tuple[Any, ...]:
    """A row with its decimals as they are written, for 1.5 equals 1.50."""
    values = (row.get(name) for name in TABLE.names)
    return tuple(f"{value:f}" if isinstance(value, Decimal) else value for value in values)


def write(connection: sa.Connection, wanted: Sequence[Row], only: Sequence[date] | None = None) -> Counts:
    aside = make_aside(connection, COPY, [MONTH])
    columns = {name: [row.get(name) for row in wanted] for name in TABLE.names}
    with ColumnCopy(connection, aside) as copy:
        copy.write({"year_month": [MONTH] * len(wanted), **columns})
    if has_partition(connection, COPY, MONTH):
        counts = make_equal(connection, CONTENTS, aside, MONTH, only)
    else:
        adopt(connection, COPY, MONTH)
        counts = Counts(inserted=len(wanted))
    drop_aside(connection, COPY)
    return counts


def found(connection: sa.Connection) -> list[sa.RowMapping]:
    return list(connection.execute(sa.select(COPY, sa.literal_column("xmin::text").label("version"))).mappings())


@given(old=st.lists(rows, max_size=8), new=st.lists(rows, max_size=8), kept=st.integers(0, 8))
def test_a_month_becomes_what_stands_aside(
    empty_warehouse: sa.Engine, old: list[Row], new: list[Row], kept: int
) -> None:
    wanted = [*old[:kept], *new]
    with empty_warehouse.connect() as connection:
        connection.exec_driver_sql("SET enable_nestloop = off")
        write(connection, old)
        before = Counter(exactly(dict(row)) for row in found(connection))
        assert before == Counter(map(exactly, old))
        stays = Counter(map(exactly, old)) & Counter(map(exactly, wanted))
        counts = write(connection, wanted)
        assert Counter(exactly(dict(row)) for row in found(connection)) == Counter(map(exactly, wanted))
        assert counts.unchanged == stays.total()
        assert counts.inserted + counts.updated == len(wanted) - stays.total()
        assert counts.deleted + counts.updated == len(old) - stays.total()
        assert write(connection, wanted) == Counts(unchanged=len(wanted))
        connection.rollback()


def test_only_some_days_are_spoken_for(empty_warehouse: sa.Engine) -> None:
    first, second = date(2025, 3, 1), date(2025, 3, 2)
    old = [{"prod_index": n, "planning_date": day} for n in (1, 2) for day in (first, second)]
    new = [{"prod_index": 1, "planning_date": first, "status": "done"}]
    with empty_warehouse.connect() as connection:
        write(connection, old)
        assert write(connection, new, [first]) == Counts(updated=1, deleted=1)
        kept = {(row["prod_index"], row["planning_date"], row["status"]) for row in found(connection)}
        assert kept == {(1, first, "done"), (1, second, None), (2, second, None)}
        connection.rollback()


def test_a_row_that_stays_is_not_touched(empty_warehouse: sa.Engine) -> None:
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


def test_what_each_day_holds(empty_warehouse: sa.Engine) -> None:
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
        held = day_sums(connection, CONTENTS)[MONTH]
        assert held[day] == Sums(2, {"qty_order": Decimal(3), "qty_os": Decimal("1.75")})
        assert held[date(2025, 3, 2)] == Sums(1, {"qty_order": Decimal(0), "qty_os": Decimal(0)})
        connection.rollback()
