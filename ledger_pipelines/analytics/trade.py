"""Views of the ERP's invoices: of shipments to customers and of receipts from suppliers."""

from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.padding import unpadded
from ledger_pipelines.warehouse.tables import erp_tables
from ledger_pipelines.warehouse.views import View

_sale, _receipt = erp_tables["so_invoice_line"].c, erp_tables["data_receipt_purchase"].c
_TODAY = sa.func.current_date()
_SHIPMENT_COLUMNS = {
    "year_month": "Month of the delivery",
    "bp_code": "Business partner, code",
    "bp_name": "Business partner",
    "sales_order": "Sales order number",
    "so_line": "Line of the sales order",
    "so_sequence": "Sequence within the line",
    "shipment": "Shipment number",
    "shipment_line": "Line of the shipment",
    "delivery_date": "Date of delivery",
    "part_no": "Part number",
    "product_type": "Product type",
    "unit": "Unit of the quantities",
}
_RECEIPT_COLUMNS = {
    "year_month": "Month of the receipt",
    "bp_id": "Supplier, code",
    "bp_name": "Supplier",
    "po_no": "Purchase order number",
    "po_line": "Line of the purchase order",
    "receipt_no": "Receipt number",
    "receipt_line": "Line of the receipt",
    "actual_receipt_date": "Date of receipt",
    "part_no": "Part number",
    "item_desc": "Item",
    "approve_qty": "Quantity approved",
    "unit": "Unit of the quantities",
    "currency": "Currency of the amounts: add up each currency separately",
}


def _delivered_and_invoiced() -> sa.Select[Any]:
    """One row: a shipment line with its delivered and invoiced quantity.

    The ERP repeats the delivered quantity in each invoice of the line. A row without an invoice_date is not an
    invoice, regardless of its quantity and amount.
    """
    is_invoice = _sale.invoice_date.is_not(None)
    delivered = sa.func.max(_sale.delivered_qty)
    invoiced, amount = (
        sa.func.coalesce(sa.func.sum(column).filter(is_invoice), 0) for column in (_sale.invoice_qty, _sale.amount_hc)
    )
    invoices, with_quantity = sa.func.count(_sale.invoice_date), sa.func.count(_sale.invoice_qty).filter(is_invoice)
    state = sa.case(
        (invoices == 0, "not invoiced"),
        (sa.or_(delivered.is_(None), with_quantity < invoices), "quantity unknown"),
        (invoiced < delivered, "partly invoiced"),
        (invoiced > delivered, "invoiced too much"),
        else_="invoiced",
    )
    shipment = [_sale[name] for name in _SHIPMENT_COLUMNS]
    return (
        sa.select(
            *shipment,
            delivered.label("delivered_qty"),
            invoiced.label("invoiced_qty"),
            (delivered - invoiced).label("open_qty"),
            amount.label("invoiced_hc"),
            sa.type_coerce(invoices, sa.BigInteger).label("invoice_lines"),
            sa.type_coerce(state, sa.Text).label("state"),
        )
        .where(unpadded(_sale.shipment).is_not(None))
        .group_by(*shipment)
    )


def _open_receipts() -> sa.Select[Any]:
    """One row: a receipt line that is not invoiced or not paid. A blank document number means no document."""
    document, payment = unpadded(_receipt.inv_doc_no), unpadded(_receipt.payment_doc)
    is_invoiced = document.is_not(None)
    invoiced = sa.case((is_invoiced, _receipt.inv_amount))
    is_overdue = sa.func.coalesce(_receipt.inv_due_date < _TODAY, sa.false())
    state = sa.case((is_invoiced, "not paid"), else_="not invoiced")
    return sa.select(
        *(_receipt[name] for name in _RECEIPT_COLUMNS),
        sa.type_coerce(state, sa.Text).label("state"),
        document.label("inv_doc_no"),
        _receipt.inv_doc_date,
        _receipt.inv_due_date,
        sa.func.coalesce(invoiced, _receipt.receipt_amount).label("amount"),
        is_overdue.label("is_overdue"),
        sa.type_coerce(_TODAY - _receipt.actual_receipt_date, sa.Integer).label("days_since_receipt"),
    ).where(payment.is_(None))


VIEWS = (
    View(
        "delivered_and_invoiced",
        "Delivered and invoiced quantities: one row per shipment line. The ERP's table has one row per invoice",
        _delivered_and_invoiced(),
        _SHIPMENT_COLUMNS
        | {
            "delivered_qty": "Quantity delivered",
            "invoiced_qty": "Quantity invoiced; credit notes are negative",
            "open_qty": "Quantity delivered and not invoiced; negative: invoiced too much",
            "invoiced_hc": "Amount invoiced, in the home currency",
            "invoice_lines": "Number of invoice lines: lines with an invoice date",
            "state": "not invoiced, partly invoiced, invoiced, invoiced too much, or quantity unknown (of the "
            "delivery or of an invoice)",
        },
    ),
    View(
        "open_receipts",
        "Purchase receipts that are not invoiced yet, or invoiced and not paid: one row per receipt line",
        _open_receipts(),
        _RECEIPT_COLUMNS
        | {
            "state": "not invoiced or not paid",
            "inv_doc_no": "Invoice document number; null: missing or blank",
            "inv_doc_date": "Date of the invoice document",
            "inv_due_date": "Date on which the invoice is due",
            "amount": "Amount invoiced, otherwise the amount of the receipt; in the currency",
            "is_overdue": "True if the invoice was due before today",
            "days_since_receipt": "Days since the receipt",
        },
    ),
)
