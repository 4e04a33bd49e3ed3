"""Columns that the ERP computes from the clock: they are named, and can be excluded from the comparison."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.loading.erp import load
from ledger_pipelines.loading.erp.load import load_erp_table
from ledger_pipelines.sources.erp.catalogue import VIEW_PROD_HEADER, ErpTable
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import erp_tables
from ledger_pipelines_tests.support.erp.erp_copy import HORIZON, ErpCopy, Row
from ledger_pipelines_tests.support.tables import rows_of

ORDERS = VIEW_PROD_HEADER.name
AGE = "qty_os + (SELECT days FROM clock)"
UNCOMPARED = replace(
    VIEW_PROD_HEADER,
    columns=tuple(replace(column, compared=column.name != "qty_os") for column in VIEW_PROD_HEADER.columns),
)


@pytest.fixture(autouse=True)
def _reset(erp_copy: ErpCopy) -> None:
    erp_copy.reset()


def order(number: int, day: date, **values: Any) -> Row:
    return {"prod_index": number, "planning_date": day, "status": "open", "qty_os": Decimal(number), **values}


def orders(days: int = 150, per_day: int = 1, **values: Any) -> list[Row]:
    """Return orders of consecutive days, from the first of January on."""
    numbers = range(days * per_day)
    return [order(number, date(2025, 1, 1) + timedelta(days=number // per_day), **values) for number in numbers]


@contextmanager
def view_of(erp_copy: ErpCopy, rows: list[Row], **computed: str) -> Iterator[None]:
    """Replace the ERP's table by a view of some rows, with computed columns that may read the table `clock`."""
    erp_copy.fill(ORDERS, rows)
    columns = ", ".join(f"{computed.get(name, name)} AS {name}" for name in VIEW_PROD_HEADER.names)
    write(
        erp_copy,
        "CREATE TABLE clock (days int)",
        "INSERT INTO clock VALUES (0)",
        f"ALTER TABLE {ORDERS} RENAME TO orders",
        f"CREATE VIEW {ORDERS} AS SELECT {columns} FROM orders",
    )
    try:
        yield
    finally:
        write(erp_copy, f"DROP VIEW {ORDERS}", f"ALTER TABLE orders RENAME TO {ORDERS}", "DROP TABLE clock")


def write(erp_copy: ErpCopy, *statements: str) -> None:
    with erp_copy.source.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def sync(erp_copy: ErpCopy, table: ErpTable = VIEW_PROD_HEADER, **options: Any) -> TableReport:
    erp_copy.warnings.clear()
    return load_erp_table(erp_copy.table_sync(ORDERS, **options), table)


def sync_a_day_later(erp_copy: ErpCopy, table: ErpTable = VIEW_PROD_HEADER, **options: Any) -> TableReport:
    write(erp_copy, "UPDATE clock SET days = days + 1")
    return sync(erp_copy, table, **options)


def copied(erp_copy: ErpCopy) -> list[sa.RowMapping]:
    return rows_of(erp_copy.warehouse, erp_tables[ORDERS], "prod_index")


@pytest.mark.parametrize(
    ("column", "expression"),
    [("qty_os", AGE), ("status", "CASE WHEN (SELECT days FROM clock) = 0 THEN 'new' ELSE 'old' END")],
)
@pytest.mark.parametrize("of_rows", [{}, {"prod_index": None}], ids=["key", "equal keys"])
def test_column_that_changes_every_row_is_named(
    erp_copy: ErpCopy, column: str, expression: str, of_rows: dict[str, Any]
) -> None:
    with view_of(erp_copy, orders(**of_rows), **{column: expression}):
        sync(erp_copy)
        assert erp_copy.warnings == []
        assert sync_a_day_later(erp_copy).total == Counts(updated=150)
        (warning,) = erp_copy.warnings
        assert warning == (
            f"view_prod_header: every row of 2025-01, 2025-02, 2025-03, 2025-04 changed, those of 2025-02 in {column} "
            f"alone. {column} is probably computed from the clock, so that syncs read and rewrite the whole table. "
            "Exclude it from the comparison: give it compared=False in sources/erp/catalogue.py."
        )
        sync(erp_copy)
        assert erp_copy.warnings == []


@pytest.mark.parametrize(
    ("rows", "computed"),
    [
        pytest.param(orders(), {"qty_os": AGE, "qty_order": AGE}, id="two columns"),
        pytest.param(
            orders(per_day=2),
            {"qty_os": "qty_os + CASE WHEN MOD(prod_index, 2) = 0 THEN (SELECT days FROM clock) ELSE 0 END"},
            id="every second row",
        ),
        pytest.param(orders(19), {"qty_os": AGE}, id="19 rows"),
        pytest.param(orders(), {"prod_index": "prod_index + (SELECT days FROM clock)"}, id="the key"),
    ],
)
def test_other_changes_are_not_blamed_on_the_clock(
    erp_copy: ErpCopy, rows: list[Row], computed: dict[str, str]
) -> None:
    with view_of(erp_copy, rows, **computed):
        sync(erp_copy)
        assert sync_a_day_later(erp_copy).counts["2025-01"].changed > 0
        assert erp_copy.warnings == []


def test_requested_months_are_not_examined(erp_copy: ErpCopy) -> None:
    with view_of(erp_copy, orders(), qty_os=AGE):
        sync(erp_copy)
        assert sync_a_day_later(erp_copy, months=HORIZON.months).total == Counts(updated=150)
        assert erp_copy.warnings == []


def test_month_with_unchanged_days_is_not_examined(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "sole_difference", lambda *_: pytest.fail("examined"))
    erp_copy.fill(ORDERS, orders())
    sync(erp_copy)
    write(erp_copy, f"UPDATE {ORDERS} SET qty_os = 1000 WHERE prod_index BETWEEN 5 AND 30")
    assert sync(erp_copy).counts["2025-01"] == Counts(updated=26, unchanged=5)
    assert sync(erp_copy, full=True).total == Counts(unchanged=150)


def test_uncompared_column_causes_neither_reads_nor_writes(erp_copy: ErpCopy) -> None:
    with view_of(erp_copy, orders(), qty_os=AGE):
        assert sync(erp_copy, UNCOMPARED).total == Counts(inserted=150)
        before = copied(erp_copy)
        assert sync_a_day_later(erp_copy, UNCOMPARED).counts == {}
        assert sync(erp_copy, UNCOMPARED, full=True).total == Counts(unchanged=150)
        assert copied(erp_copy) == before
        assert erp_copy.warnings == []


def test_uncompared_column_is_copied_when_its_row_changes(erp_copy: ErpCopy) -> None:
    with view_of(erp_copy, orders(per_day=2), qty_os=AGE):
        sync(erp_copy, UNCOMPARED)
        write(erp_copy, "UPDATE orders SET status = 'done' WHERE prod_index = 4")
        assert sync_a_day_later(erp_copy, UNCOMPARED).counts["2025-01"] == Counts(updated=1, unchanged=1)
        ages = {row["prod_index"]: row["qty_os"] - row["prod_index"] for row in copied(erp_copy)}
        assert {number for number, days in ages.items() if days == 1} == {4}


def test_excluding_a_column_writes_no_row(erp_copy: ErpCopy) -> None:
    with view_of(erp_copy, orders(), qty_os=AGE):
        sync(erp_copy)
        assert sync_a_day_later(erp_copy, UNCOMPARED).total == Counts(unchanged=150)
        assert sync(erp_copy, UNCOMPARED).counts == {}


@pytest.mark.parametrize("name", ["planning_date", "prod_index"])
def test_month_and_key_columns_cannot_be_excluded(name: str) -> None:
    columns = tuple(replace(column, compared=column.name != name) for column in VIEW_PROD_HEADER.columns)
    with pytest.raises(ValueError, match=f"view_prod_header: month and key columns must be compared: {name}"):
        replace(VIEW_PROD_HEADER, columns=columns)
