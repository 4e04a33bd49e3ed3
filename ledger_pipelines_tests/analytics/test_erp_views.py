"""Views of the ERP, state by state, on inserted rows; dates are relative to the current date."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines.warehouse.tables import erp_tables
from ledger_pipelines_tests.support.billing_pipeline import Pipeline

VIEW = {view.name: view.table for view in VIEWS}


@pytest.fixture
def connection(shared_pipeline: Pipeline) -> Iterator[sa.Connection]:
    """Yield a transaction in an empty warehouse with two months of each ERP table."""
    shared_pipeline.reset("2025-01", "2025-02")
    with shared_pipeline.warehouse.connect() as connection:
        for table in erp_tables.values():
            for month in ("2025-01", "2025-02"):
                ensure_partition(connection, table, month)
        yield connection
        connection.rollback()


def insert_rows(connection: sa.Connection, name: str, *rows: dict[str, Any], month: str = "2025-02") -> None:
    """Insert rows of a copied table."""
    for row in rows:
        connection.execute(sa.insert(erp_tables[name]).values({"year_month": month} | row))


def select_view(connection: sa.Connection, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return columns of a view, ordered by the first column."""
    view = VIEW[name].c
    statement = sa.select(*(view[column] for column in columns)).order_by(view[columns[0]])
    return [tuple(row) for row in connection.execute(statement)]


def today(connection: sa.Connection, days: int = 0) -> date:
    """Return the current date in the company's zone, plus a number of days."""
    now = connection.execute(sa.select(sa.func.current_date())).scalar_one()
    return now + timedelta(days=days)


def test_stock_value_uses_the_last_purchase_price(connection: sa.Connection) -> None:
    insert_rows(
        connection,
        "data_receipt_purchase",
        receipt("A", 10, date(2025, 1, 1), "IDR"),
        receipt("A", "12.345", date(2025, 2, 1), "IDR"),
        receipt("A", None, date(2025, 2, 9), "IDR"),
        receipt("A", 99, None, "IDR"),
        receipt("B", 3, date(2025, 1, 1), "USD"),
        receipt("C", 3, date(2025, 1, 1), "USD") | {"unit": "KG"},
    )
    stock = {"warehouse": "W", "unit": "PCS", "onhand": 3}
    insert_rows(connection, "stockbywh", stock | {"partno": "A", "onhand": 1000}, month="2025-01")
    insert_rows(connection, "stockbywh", *(stock | {"partno": part} for part in "ABCD"))
    assert select_view(connection, "stock_value", "partno", "unit_price", "currency", "priced_on", "value") == [
        ("A", Decimal("12.345"), "IDR", date(2025, 2, 1), Decimal("37.04")),
        ("B", Decimal(3), "USD", date(2025, 1, 1), Decimal("9.00")),
        ("C", None, None, None, None),
        ("D", None, None, None, None),
    ]


def test_stock_value_ignores_trailing_blanks(connection: sa.Connection) -> None:
    """Missing units are equal; a blank part number has no price."""
    bought = date(2025, 2, 1)
    insert_rows(
        connection,
        "data_receipt_purchase",
        receipt("A   ", 10, bought, "IDR") | {"unit": "PCS  "},
        receipt("B", 20, bought, "IDR") | {"unit": None},
        receipt("  ", 30, bought, "IDR"),
    )
    stock = {"warehouse": "W", "onhand": 1}
    units = {"A": "PCS", "B  ": " ", "": "PCS"}
    insert_rows(connection, "stockbywh", *(stock | {"partno": part, "unit": unit} for part, unit in units.items()))
    assert select_view(connection, "stock_value", "partno", "unit_price") == [("", None), ("A", 10), ("B  ", 20)]


def receipt(part: str, price: object, day: date | None, currency: str) -> dict[str, Any]:
    """Return a purchase receipt of a part, with the unit PCS."""
    amount = None if price is None else Decimal(str(price))
    named = {"part_no": part, "unit": "PCS", "receipt_no": f"R{day}"}
    return named | {"receipt_unit_price": amount, "actual_receipt_date": day, "currency": currency}


def test_stock_shortages(connection: sa.Connection) -> None:
    stock = {"warehouse": "W", "safety_stock": 10, "min_stock": 20}
    insert_rows(
        connection,
        "stockbywh",
        stock | {"partno": "A", "onhand": 19, "allocated": 0, "onorder": 1},
        stock | {"partno": "B", "onhand": 20},
        stock | {"partno": "C", "onhand": 9, "min_stock": None, "allocated": 5, "onorder": 5},
        stock | {"partno": "D", "onhand": 0, "min_stock": None, "safety_stock": None},
        stock | {"partno": "E", "onhand": None},
        stock | {"partno": "F", "onhand": -5, "onorder": 25, "allocated": None},
    )
    assert select_view(connection, "stock_shortages", "partno", "shortage", "is_covered") == [
        ("A", 1, True),
        ("C", 1, False),
        ("F", 25, True),
    ]


def test_open_and_late_orders(connection: sa.Connection) -> None:
    plans = {"A": -3, "B": 0, "C": 2, "E": -9}
    insert_rows(
        connection,
        "view_warehouse_order",
        *({"order_origin_code": code, "plan_delivery_date": today(connection, days)} for code, days in plans.items()),
        {"order_origin_code": "A", "plan_delivery_date": today(connection)},
    )
    shipped = {"delivery_date": today(connection, -1)}
    insert_rows(
        connection,
        "view_warehouse_order_line",
        {"order_origin_code": "A", "order_qty": 5},
        {"order_origin_code": "B", "order_qty": 5, "ship_qty": 2} | shipped,
        {"order_origin_code": "C", "order_qty": 5, "ship_qty": 5} | shipped,
        {"order_origin_code": "D", "order_qty": 5, "ship_qty": 0},
        {"order_origin_code": "E", "order_qty": 5, "ship_qty": 5, "receipt_date": today(connection)} | shipped,
    )
    columns = ("order_origin_code", "state", "open_qty", "is_late", "days_late")
    assert select_view(connection, "open_warehouse_orders", *columns) == [
        ("A", "not shipped", 5, True, 3),
        ("B", "partly shipped", 3, False, None),
        ("C", "on its way", 0, False, None),
        ("D", "not shipped", 5, False, None),
    ]


def test_order_lines_ignore_trailing_blanks(connection: sa.Connection) -> None:
    plan = {"plan_delivery_date": today(connection, -3)}
    insert_rows(
        connection, "view_warehouse_order", plan | {"order_origin_code": "A   "}, plan | {"order_origin_code": "  "}
    )
    insert_rows(connection, "view_warehouse_order_line", {"order_origin_code": "A"}, {"order_origin_code": ""})
    assert select_view(connection, "open_warehouse_orders", "order_origin_code", "days_late") == [("", None), ("A", 3)]


def test_invoiced_quantity_of_a_shipment(connection: sa.Connection) -> None:
    insert_rows(
        connection,
        "so_invoice_line",
        *(
            {"shipment": shipment, "delivered_qty": 10, "invoice_qty": quantity, "amount_hc": amount,
             "invoice_date": None if amount is None else date(2025, 2, 1)}
            for shipment, quantity, amount in (
                ("A", None, None), ("B", 4, 40), ("C", 4, 40), ("C", 6, 60), ("D", 10, 100), ("D", 1, 10),
                ("E", None, 50), ("E", None, 50), ("F", 10, 100), ("F", -10, -100), (None, None, None),
            )
        ),
    )  # fmt: skip
    columns = ("shipment", "state", "delivered_qty", "invoiced_qty", "open_qty", "invoiced_hc", "invoice_lines")
    assert select_view(connection, "delivered_and_invoiced", *columns) == [
        ("A", "not invoiced", 10, 0, 10, 0, 0),
        ("B", "partly invoiced", 10, 4, 6, 40, 1),
        ("C", "invoiced", 10, 10, 0, 100, 2),
        ("D", "invoiced too much", 10, 11, -1, 110, 2),
        ("E", "quantity unknown", 10, 0, 10, 100, 2),
        ("F", "partly invoiced", 10, 0, 10, 0, 2),
    ]


def test_line_without_invoice_date_is_no_invoice(connection: sa.Connection) -> None:
    """The line has a quantity and an amount; a blank shipment number is no shipment."""
    line = {"delivered_qty": 10, "invoice_qty": 4, "amount_hc": 40}
    invoice = line | {"invoice_date": date(2025, 2, 1)}
    insert_rows(
        connection,
        "so_invoice_line",
        line | {"shipment": "A"},
        line | {"shipment": "B"},
        invoice | {"shipment": "B"},
        invoice | {"shipment": "C", "delivered_qty": None},
        invoice | {"shipment": ""},
        invoice | {"shipment": "   "},
        line | {"shipment": "D", "invoice_qty": 6},
        invoice | {"shipment": "D", "invoice_qty": None},
    )
    columns = ("shipment", "state", "delivered_qty", "invoiced_qty", "open_qty", "invoiced_hc", "invoice_lines")
    assert select_view(connection, "delivered_and_invoiced", *columns) == [
        ("A", "not invoiced", 10, 0, 10, 0, 0),
        ("B", "partly invoiced", 10, 4, 6, 40, 1),
        ("C", "quantity unknown", None, 4, None, 40, 1),
        ("D", "quantity unknown", 10, 0, 10, 40, 1),
    ]


def test_open_receipts(connection: sa.Connection) -> None:
    invoice = {"inv_doc_no": "V", "inv_amount": 90, "receipt_amount": 100, "actual_receipt_date": today(connection, -5)}
    insert_rows(
        connection,
        "data_receipt_purchase",
        {"receipt_no": "A", "receipt_amount": 100},
        invoice | {"receipt_no": "B", "inv_due_date": today(connection, -1)},
        invoice | {"receipt_no": "C", "inv_due_date": today(connection)},
        invoice | {"receipt_no": "D", "inv_due_date": None},
        invoice | {"receipt_no": "E", "payment_doc": "BK1"},
    )
    columns = ("receipt_no", "state", "amount", "is_overdue", "days_since_receipt")
    assert select_view(connection, "open_receipts", *columns) == [
        ("A", "not invoiced", 100, False, None),
        ("B", "not paid", 90, True, 5),
        ("C", "not paid", 90, False, 5),
        ("D", "not paid", 90, False, 5),
    ]


def test_blank_number_is_no_document(connection: sa.Connection) -> None:
    receipt = {"receipt_amount": 100, "inv_amount": 90}
    insert_rows(
        connection,
        "data_receipt_purchase",
        receipt | {"receipt_no": "A", "inv_doc_no": "", "payment_doc": ""},
        receipt | {"receipt_no": "B", "inv_doc_no": "   ", "payment_doc": "  "},
        receipt | {"receipt_no": "C", "inv_doc_no": "V ", "payment_doc": " "},
        receipt | {"receipt_no": "D", "inv_doc_no": "V", "payment_doc": "BK1"},
        receipt | {"receipt_no": "E", "inv_doc_no": "V", "inv_amount": None},
    )
    assert select_view(connection, "open_receipts", "receipt_no", "state", "inv_doc_no", "amount") == [
        ("A", "not invoiced", None, 100),
        ("B", "not invoiced", None, 100),
        ("C", "not paid", "V", 90),
        ("E", "not paid", "V", 100),
    ]


def test_production_progress(connection: sa.Connection) -> None:
    orders = {"A": (-1, 10, 10), "B": (-1, 10, 3), "C": (0, 10, 3), "D": (1, 10, 0), "E": (1, 3, 1), "F": (-1, 0, None)}
    insert_rows(
        connection,
        "view_prod_header",
        *(
            {"prod_no": number, "planning_date": today(connection, days), "qty_order": wanted, "qty_delivery": done}
            for number, (days, wanted, done) in orders.items()
        ),
    )
    assert select_view(connection, "production_progress", "prod_no", "state", "open_qty", "done_percent") == [
        ("A", "done", 0, Decimal(100)),
        ("B", "late", 7, Decimal(30)),
        ("C", "under way", 7, Decimal(30)),
        ("D", "planned", 10, Decimal(0)),
        ("E", "under way", 2, Decimal("33.3")),
        ("F", "done", 0, None),
    ]
