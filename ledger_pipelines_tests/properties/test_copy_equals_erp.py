"""For any history of the ERP, the copy equals the ERP after an hourly sync, including the number of equal rows.

Each example is a history of a table: its rows at consecutive syncs. Rows are added, changed, moved to another day or
month or out of the partitions, duplicated and deleted, without notice to the product.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines.demo.erp.schema import erp_source_tables
from ledger_pipelines.horizon import Horizon, shift_month
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, STOCKBYWH, ErpColumn, ErpTable, Kind, erp_table
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.support.erp.erp_copy import HORIZON, ErpCopy, Row, day_of, expected_copy, stored_row

DATED = [table for table in ERP_TABLES if not table.is_snapshot]
RECENT = [date(2025, 5, 1), date(2025, 5, 31), date(2025, 6, 1), date(2025, 6, 30)]
DAYS = [date(2025, 1, 1), date(2025, 2, 28), date(2025, 3, 1), date(2025, 3, 2), *RECENT]
OUTSIDE = [date(2024, 12, 31), date(2025, 7, 1), date(1999, 1, 1), None]
VALUES = {
    Kind.TEXT: st.sampled_from([None, "", " a", "a", "A", "a ", "é", "e\u0301", "🎉", "\\N", "x\ty\r\nz\\", "ꦗꦮ"]),
    Kind.INTEGER: st.sampled_from([None, 0, 1, -(2**31)]),
    Kind.DATE: st.sampled_from([*DAYS, *OUTSIDE]),
    Kind.BOOLEAN: st.sampled_from([None, "Yes", "n", "TRUE", "0"]),
}


def values_of(table: ErpTable, column: ErpColumn) -> st.SearchStrategy[Any]:
    """Draw values of a column; decimals have the scale of the ERP's column."""
    if column.kind is not Kind.DECIMAL:
        return VALUES[column.kind]
    scale = erp_source_tables[table.name].c[column.name].type.scale  # type: ignore[attr-defined]  # of a Numeric
    smallest = Decimal(1).scaleb(-scale)
    return st.sampled_from([None, Decimal(0), smallest, -smallest, Decimal(12) + smallest])


def row_of(table: ErpTable) -> st.SearchStrategy[Row]:
    """Draw a row with some columns filled; most rows have a day within the partitions."""
    few = {*table.key, *table.names_of(Kind.DECIMAL, Kind.BOOLEAN)[:2], table.names_of(Kind.TEXT)[-1]}
    columns = {column.name: values_of(table, column) for column in table.columns if column.name in few}
    dates = dict.fromkeys(table.month_columns, VALUES[Kind.DATE])
    if dates:
        dates[table.month_columns[0]] = st.sampled_from([*DAYS, *DAYS, *OUTSIDE])
    return st.fixed_dictionaries({**columns, **dates})


@st.composite
def histories(draw: st.DrawFn, table: ErpTable) -> list[list[Row]]:
    """Draw two to four states of a table; most rows of a state come from the previous state."""
    fresh = st.lists(row_of(table), max_size=6)
    states = [draw(st.lists(row_of(table), min_size=1, max_size=12))]
    for _ in range(draw(st.integers(1, 3))):
        last = states[-1]
        kept = draw(st.lists(st.sampled_from(last), max_size=len(last) + 3)) if last else []
        changed = [{**row, **draw(row_of(table))} for row in kept[:2]] if draw(st.booleans()) else []
        states.append([*kept[len(changed) :], *changed, *draw(fresh)])
    return states


@settings(max_examples=2 * HISTORIES)
@given(table=st.sampled_from(DATED), data=st.data())
def test_hourly_sync_makes_the_copy_equal(erp_copy: ErpCopy, table: ErpTable, data: st.DataObject) -> None:
    erp_copy.reset()
    for rows in data.draw(histories(table)):
        erp_copy.fill(table.name, rows)
        report = erp_copy.sync(table.name)[table.name]
        copied = erp_copy.copied_rows(table.name)
        assert copied == expected_copy(table, rows, HORIZON)
        outside = [row for row in rows if not _inside(table, row)]
        assert len(erp_copy.rejected(table.name)) == len(outside) == len(rows) - copied.total()
        assert report.read <= len(rows)
    assert erp_copy.sync(table.name)[table.name].read == 0


def _inside(table: ErpTable, row: Row) -> bool:
    day = day_of(table, row)
    return day is not None and HORIZON.first <= f"{day:%Y-%m}" <= HORIZON.current


@settings(max_examples=HISTORIES)
@given(states=st.lists(st.lists(row_of(STOCKBYWH), min_size=1, max_size=6), min_size=2, max_size=3))
def test_snapshot_replaces_only_the_current_month(erp_copy: ErpCopy, states: list[list[Row]]) -> None:
    erp_copy.reset()
    past: dict[str, Counter[tuple[Any, ...]]] = {}
    name = STOCKBYWH.name
    for position, rows in enumerate(states):
        erp_copy.fill(name, rows)
        erp_copy.sync(name)
        current = erp_copy.horizon.current
        past[current] = Counter((current, *stored_row(STOCKBYWH, row)) for row in rows)
        assert erp_copy.copied_rows(name) == sum(past.values(), Counter())
        if position % 2 == 0:
            erp_copy.horizon = Horizon(HORIZON.first, shift_month(current, 1), HORIZON.zone)


@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_early_rows_are_copied_when_their_month_begins(erp_copy: ErpCopy, data: st.DataObject) -> None:
    erp_copy.reset()
    table = erp_table("view_prod_header")
    rows: Sequence[Row] = data.draw(st.lists(row_of(table), min_size=1, max_size=10))
    later = [{**row, "planning_date": date(2025, 7, 15)} for row in rows[:3]]
    erp_copy.fill(table.name, [*rows, *later])
    erp_copy.sync(table.name)
    erp_copy.horizon = Horizon(HORIZON.first, "2025-07", HORIZON.zone)
    erp_copy.sync(table.name)
    assert erp_copy.copied_rows(table.name) == expected_copy(table, [*rows, *later], erp_copy.horizon)
    assert len(erp_copy.rejected(table.name)) == len(rows) + len(later) - erp_copy.copied_rows(table.name).total()
