"""Rows of the ERP as frames: conversion of each kind of column, and rejection reasons."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ledger_pipelines.sources.erp.catalogue import DATA_RECEIPT_PURCHASE, SO_INVOICE_LINE, STOCKBYWH, ErpTable
from ledger_pipelines.sources.erp.frames import LONGEST_TEXT, frame, name_of, raw_row

MANY_DIGITS = Decimal("12345678901234567890123456.1234567890")


def row(table: ErpTable, **values: Any) -> tuple[Any, ...]:
    assert values.keys() <= set(table.names)
    return tuple(values.get(name) for name in table.names)


@pytest.mark.parametrize(
    ("column", "given", "expected"),
    [
        ("po_no", "  ꦗꦮ 🎉 é ", "  ꦗꦮ 🎉 é "),
        ("po_no", "", ""),
        ("po_no", 12, "12"),
        ("po_no", datetime(2025, 3, 1, 4, 5, 6), "2025-03-01 04:05:06"),  # noqa: DTZ001 - as drivers return it
        ("inv_qty", Decimal("1.50"), Decimal("1.50")),
        ("inv_qty", MANY_DIGITS, MANY_DIGITS),
        ("inv_qty", 7, Decimal(7)),
        ("inv_qty", 0.1, Decimal("0.1")),
        ("inv_qty", " -12.3400 ", Decimal("-12.3400")),
        ("inv_qty", 12345678901234567890123456789012345678, Decimal("12345678901234567890123456789012345678")),
        ("inv_qty", "1e20", Decimal("1E+20")),
        ("inv_qty", 1e16, Decimal("1E+16")),
        ("inv_qty", "", None),
        ("inv_due_date", datetime(2025, 3, 31, 23, 59, 59, 997000), date(2025, 3, 31)),  # noqa: DTZ001 - as above
        ("inv_due_date", "2024-02-29", date(2024, 2, 29)),
        ("inv_due_date", "20240229", date(2024, 2, 29)),
        ("inv_due_date", "2024-02-29 13:00:00.000", date(2024, 2, 29)),
        ("inv_due_date", " ", None),
        ("is_confirmed", "YES", True),
        ("is_confirmed", "n", False),
        ("is_confirmed", 1, True),
        ("is_confirmed", Decimal(0), False),
        ("is_confirmed", b"\x01", True),
        ("is_confirmed", b"\x00", False),
        ("is_confirmed", "", None),
    ],
)
def test_values_of_each_kind(column: str, given: object, expected: object) -> None:
    made = frame(DATA_RECEIPT_PURCHASE, [row(DATA_RECEIPT_PURCHASE, **{column: given})])
    value = made.rows[column].tolist()[0]
    assert made.failures == {}
    assert (value, type(value), str(value)) == (expected, type(expected), str(expected))


def test_an_integer_column_takes_whole_numbers() -> None:
    given = [1, "2", Decimal("3.0"), 4.0, True, None, ""]
    made = frame(SO_INVOICE_LINE, [row(SO_INVOICE_LINE, so_line=value) for value in given])
    assert (made.rows["so_line"].tolist(), made.failures) == ([1, 2, 3, 4, 1, None, None], {})


@pytest.mark.parametrize(
    ("table", "column", "given", "reason"),
    [
        (DATA_RECEIPT_PURCHASE, "po_no", "a\x00b", "po_no contains NUL"),
        (DATA_RECEIPT_PURCHASE, "po_no", "x" * (LONGEST_TEXT + 1), "po_no is longer than 100,000 characters"),
        (DATA_RECEIPT_PURCHASE, "po_no", "\ud83d", "po_no contains a lone surrogate (half a character)"),
        (DATA_RECEIPT_PURCHASE, "po_no", b"\xff", "po_no is binary, where text is expected"),
        (DATA_RECEIPT_PURCHASE, "inv_qty", "12,5", 'inv_qty is not a number: "12,5"'),
        (DATA_RECEIPT_PURCHASE, "inv_qty", "1e999999999", 'inv_qty is not a number: "1e999999999"'),
        (DATA_RECEIPT_PURCHASE, "inv_qty", "٣", "inv_qty is not a number"),
        (DATA_RECEIPT_PURCHASE, "inv_qty", Decimal("NaN"), "inv_qty is not a finite number"),
        (DATA_RECEIPT_PURCHASE, "inv_qty", Decimal("-Infinity"), "inv_qty is not a finite number"),
        (
            DATA_RECEIPT_PURCHASE,
            "inv_due_date",
            "2025-02-30",
            'inv_due_date is not a date: "',
        ),
        (
            DATA_RECEIPT_PURCHASE,
            "inv_due_date",
            "0000-00-00",
            'inv_due_date is not a date: "',
        ),
        (DATA_RECEIPT_PURCHASE, "inv_due_date", "soon", 'inv_due_date is not a date: "soon"'),
        (DATA_RECEIPT_PURCHASE, "is_confirmed", "perhaps", 'is_confirmed is neither yes nor no: "perhaps"'),
        (SO_INVOICE_LINE, "so_line", Decimal("1.5"), 'so_line is not a whole number: "1.5"'),
        (SO_INVOICE_LINE, "so_line", 2**63, "so_line is out of range (2^63 or more): 9223372036854775808"),
    ],
)
def test_unusable_values(table: ErpTable, column: str, given: object, reason: str) -> None:
    made = frame(table, [row(table), row(table, **{column: given}), row(table)])
    assert list(made.failures) == [1]
    assert str(made.failures[1]).startswith(reason)


def test_the_day_of_a_row_is_its_first_date() -> None:
    first, second, third = date(2025, 1, 1), date(2025, 2, 2), date(2025, 3, 3)
    made = frame(
        SO_INVOICE_LINE,
        [
            row(SO_INVOICE_LINE, delivery_date=first, invoice_date=second, so_date=third),
            row(SO_INVOICE_LINE, invoice_date=second, so_date=third),
            row(SO_INVOICE_LINE, so_date=third),
            row(SO_INVOICE_LINE),
            row(SO_INVOICE_LINE, so_line=1.5, delivery_date="never", so_date=third),
            row(SO_INVOICE_LINE, delivery_date=first, invoice_date="never", so_date=third),
        ],
    )
    assert made.days == [first, second, third, None, None, first]
    assert sorted(made.failures) == [4, 5]
    assert frame(STOCKBYWH, [row(STOCKBYWH, onhand=1)]).days == [None]


def test_a_rejected_row_keeps_its_values() -> None:
    given = row(
        DATA_RECEIPT_PURCHASE, receipt_no="R\x001", receipt_line="2", inv_qty=Decimal("1.50"), is_confirmed=True
    )
    assert name_of(DATA_RECEIPT_PURCHASE, given) == "receipt_no=R\ufffd1, receipt_line=2"
    raw = raw_row(DATA_RECEIPT_PURCHASE, given)
    assert '"inv_qty": "1.50"' in raw
    assert '"is_confirmed": true' in raw
    assert '"po_no": null' in raw
