"""The copy equals the ERP for the extreme values of each kind and type, and reading them again changes nothing.

Each example has rows that differ from a drawn row in one column only, for each extreme value of each column.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines.sources.erp.catalogue import ErpTable, Kind, erp_table
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines.warehouse.tables import erp_tables
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.support.erp.erp_copy import ErpCopy, new_erp_copy, stored_row
from ledger_pipelines_tests.support.tables import rows_of

Row = dict[str, Any]

RECEIPTS, LINES = erp_table("data_receipt_purchase"), erp_table("view_warehouse_order_line")
TEXTS = (
    None, "", " ", "a", "A", "a ", " a", "é", "e\u0301", "\u0301", "🎉", "ꦗꦮ", "\u200b", "\\N", "x\ty\r\nz\\", "NULL",
)  # fmt: skip
DAYS = (None, "0001-01-01", "9999-12-31", "2024-02-29", "2025-01-01")
MOMENTS = (None, "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2024-02-29 01:00:00", "2025-01-01 00:00:00")
DOUBLES = (
    None, 0.0, -0.0, 1.0, -1.0, 0.1, 0.30000000000000004, 1e22, 2.0**53 + 2, 1.7976931348623157e308,
    -1.7976931348623157e308, 2.2250738585072014e-308, 2.225073858507201e-308, 5e-324, -5e-324,
)  # fmt: skip
FLOATS = (None, 0.0, -0.0, 1.5, -1.5, 3.40282e38, -3.40282e38, 1.17549e-38, 1.4013e-45, -1.4013e-45)
WHOLE = (None, 0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, -(2**63 - 1))
DECIMALS_38 = (
    None, "0", "-0", "0.00", "1.5", "1.50", "-1.5", "0.0000000001", "-0.0000000001", "9" * 28 + ".9999999999",
    "-" + "9" * 28 + ".9999999999", "1" + "0" * 27,
)  # fmt: skip
DECIMALS_65 = (
    *DECIMALS_38, "0." + "0" * 29 + "1", "9" * 35 + "." + "9" * 30, "-" + "9" * 35 + "." + "9" * 30, "1" + "0" * 34
)  # fmt: skip
NUMBERS_IN_TEXT = (
    None, "", "0", "-0", "0.00", "1.5", "1.50", " -1.50", "1E+3", "1000", ".5", "9" * 100, "1e-400", "1e400",
)  # fmt: skip

#: Type at PostgreSQL, type at MariaDB, and values of each column.
EXTREMES: dict[ErpTable, dict[str, tuple[str, str, Sequence[Any]]]] = {
    RECEIPTS: {
        "currency": ("varchar(60)", "varchar(60)", TEXTS),
        "bp_name": ("text", "longtext", TEXTS),
        "request_qty": ("double precision", "double", DOUBLES),
        "actual_receipt_qty": ("real", "float", FLOATS),
        "approve_qty": ("numeric(38, 10)", "decimal(38, 10)", DECIMALS_38),
        "receipt_amount": ("numeric", "decimal(65, 30)", DECIMALS_65),
        "receipt_unit_price": ("bigint", "bigint", WHOLE),
        "inv_qty": ("varchar(200)", "varchar(200)", NUMBERS_IN_TEXT),
        "is_final_receipt": ("boolean", "boolean", (None, True, False)),
        "is_confirmed": ("varchar(9)", "varchar(9)", (None, "Yes", "yes", "n", "TRUE", "0", "1")),
        "inv_due_date": ("date", "date", DAYS),
        "payment_doc_date": ("timestamp", "datetime(6)", MOMENTS),
    },
    LINES: {
        "line_no": ("bigint", "bigint", WHOLE),
        "order_origin_code": ("varchar(60)", "varchar(60)", TEXTS),
        "receipt_date": ("date", "date", DAYS),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def extreme_copy(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[ErpCopy]:
    """An ERP whose columns have the types of `EXTREMES`, and its copy."""
    with new_erp_copy(source_server, embedded_url, lambda url: ErpSource(erp_engine(url))) as made:
        on_mysql = made.source.dialect.name == "mysql"
        with made.source.begin() as connection:
            for table, columns in EXTREMES.items():
                for name, types in columns.items():
                    connection.exec_driver_sql(f"ALTER TABLE {table.name} DROP {name}, ADD {name} {types[on_mysql]}")
        yield made


def fill(copy: ErpCopy, table: ErpTable, rows: Sequence[Row]) -> None:
    """Replace the rows of a source table, in this order, by its own types instead of those of the demo."""
    names = list(rows[0])
    values = ", ".join(["%s"] * len(names))
    with copy.source.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {table.name}")
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})",
            [tuple(row[name] for name in names) for row in rows],
        )


def exactly(table: ErpTable, row: Row) -> tuple[Any, ...]:
    """Return a row as stored, with each decimal digit by digit: 1.5 equals 1.50 as a Decimal."""
    values = zip(table.columns, stored_row(table, row), strict=True)
    return tuple(_digits(value) if column.kind is Kind.DECIMAL else value for column, value in values)


def _digits(value: Any) -> str | None:
    """Return a number as PostgreSQL writes it, whose zero has no sign."""
    if value is None or value == "":
        return None
    number = Decimal(str(value).strip())
    return f"{number.copy_abs() if number.is_zero() else number:f}"


def source_rows(copy: ErpCopy, table: ErpTable) -> Counter[tuple[Any, ...]]:
    """Count the rows of a source table as the native driver reads them."""
    with copy.source.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT {', '.join(table.names)} FROM {table.name}")
        return Counter(exactly(table, dict(row)) for row in found.mappings())


def copied_rows(copy: ErpCopy, table: ErpTable) -> Counter[tuple[Any, ...]]:
    """Count the rows of a copy."""
    return Counter(exactly(table, dict(row)) for row in rows_of(copy.warehouse, erp_tables[table.name], "year_month"))


@st.composite
def variants(draw: st.DrawFn, table: ErpTable) -> list[Row]:
    """Draw a row, and return it once for each extreme value of each column, with that value."""
    columns = {name: values for name, (_, _, values) in EXTREMES[table].items()}
    first_day = {table.month_columns[0]: draw(st.sampled_from(["2025-01-01", "2025-06-30 23:59:59"]))}
    row = {name: draw(st.sampled_from(values)) for name, values in columns.items()} | first_day
    return [row | {name: value} for name, values in columns.items() for value in values]


@pytest.mark.parametrize("table", EXTREMES, ids=lambda table: table.name)
@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_reading_extreme_values_again_changes_nothing(
    extreme_copy: ErpCopy, table: ErpTable, data: st.DataObject
) -> None:
    rows = data.draw(variants(table))
    extreme_copy.reset()
    fill(extreme_copy, table, rows)
    assert extreme_copy.sync(table.name)[table.name].total.inserted == len(rows)
    assert copied_rows(extreme_copy, table) == source_rows(extreme_copy, table)
    for order in (rows, rows[::-1]):
        fill(extreme_copy, table, order)
        report = extreme_copy.sync(table.name, full=True)[table.name]
        assert (report.read, report.total.changed, report.rejected) == (len(rows), 0, {})


@pytest.mark.parametrize("table", EXTREMES, ids=lambda table: table.name)
@settings(max_examples=5 * HISTORIES)
@given(data=st.data())
def test_a_change_between_extreme_values_is_copied_by_the_hourly_sync(
    extreme_copy: ErpCopy, table: ErpTable, data: st.DataObject
) -> None:
    """Two rows of one day swap the values of some columns, or one row changes: only the fingerprint shows it."""
    columns = {name: st.sampled_from(values) for name, (_, _, values) in EXTREMES[table].items()}
    row = st.fixed_dictionaries({**columns, table.month_columns[0]: st.just("2025-06-30 23:59:59")})
    one, other = data.draw(row), data.draw(row)
    differing = data.draw(st.sets(st.sampled_from(list(columns)), min_size=1, max_size=2))
    other = {name: value if name in differing else one[name] for name, value in other.items()}
    swapped = {name: one[name] if name == min(differing) else value for name, value in other.items()}
    rest = {name: other[name] if name == min(differing) else value for name, value in one.items()}
    extreme_copy.reset()
    for rows in ([one, other], [swapped, rest], [one, rest]):
        fill(extreme_copy, table, rows)
        extreme_copy.sync(table.name)
        assert copied_rows(extreme_copy, table) == source_rows(extreme_copy, table)
