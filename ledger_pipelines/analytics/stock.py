"""Views of the ERP's stock: its value and its shortages."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from ledger_pipelines.warehouse.padding import unpadded, unpadded_or_empty
from ledger_pipelines.warehouse.tables import ExactNumber, erp_tables
from ledger_pipelines.warehouse.views import View

_stock, _receipt = erp_tables["stockbywh"], erp_tables["data_receipt_purchase"]
_STOCK_COLUMNS = {
    "year_month": "Month in which the stock was last read",
    "warehouse": "Warehouse code",
    "partno": "Part number",
    "partname": "Name of the part",
    "group": "Item group",
    "unit": "Unit of the quantities",
    "onhand": "Quantity on hand",
}


def _is_current() -> sa.ColumnElement[bool]:
    """Return the condition that selects the stock as last read; rows of earlier months keep their last state."""
    newest = sa.select(sa.func.max(_stock.c.year_month)).scalar_subquery()
    return _stock.c.year_month == newest


def _latest_prices() -> sa.Subquery:
    """One row: a part and unit, with the price of its last purchase receipt that has one."""
    receipt = _receipt.c
    part, unit = unpadded(receipt.part_no), unpadded_or_empty(receipt.unit)
    return (
        sa.select(
            part.label("part"),
            unit.label("unit"),
            receipt.receipt_unit_price,
            receipt.currency,
            receipt.actual_receipt_date,
        )
        .ext(distinct_on(part, unit))
        .where(receipt.receipt_unit_price.is_not(None))
        .order_by(
            part,
            unit,
            receipt.actual_receipt_date.desc().nulls_last(),
            receipt.receipt_no.desc().nulls_last(),
            receipt.receipt_line.desc().nulls_last(),
            receipt.receipt_unit_price,
            receipt.currency,
        )
        .subquery("latest")
    )


def _stock_value() -> sa.Select[Any]:
    """One row: a part in a warehouse, valued at the price of its last purchase receipt."""
    latest = _latest_prices()
    same = sa.and_(latest.c.part == unpadded(_stock.c.partno), latest.c.unit == unpadded_or_empty(_stock.c.unit))
    return (
        sa.select(
            *(_stock.c[name] for name in _STOCK_COLUMNS),
            latest.c.receipt_unit_price.label("unit_price"),
            latest.c.currency,
            latest.c.actual_receipt_date.label("priced_on"),
            sa.func.round(_stock.c.onhand * latest.c.receipt_unit_price, 2, type_=ExactNumber).label("value"),
        )
        .outerjoin_from(_stock, latest, same)
        .where(_is_current())
    )


def _stock_shortages() -> sa.Select[Any]:
    """One row: a part in a warehouse with less than its safety stock or minimum stock."""
    stock = _stock.c
    needed = sa.func.greatest(stock.safety_stock, stock.min_stock, type_=ExactNumber)
    return sa.select(
        *(stock[name] for name in _STOCK_COLUMNS),
        stock.safety_stock,
        stock.min_stock,
        (needed - stock.onhand).label("shortage"),
        stock.allocated,
        stock.onorder,
        (stock.onhand - sa.func.coalesce(stock.allocated, 0) + sa.func.coalesce(stock.onorder, 0) >= needed).label(
            "is_covered"
        ),
        stock.location,
    ).where(_is_current(), stock.onhand < needed)


VIEWS = (
    View(
        "stock_value",
        "Value of the stock at the price of each part's last purchase receipt: one row per warehouse and part. "
        "The ERP's stock has no price of its own",
        _stock_value(),
        _STOCK_COLUMNS
        | {
            "unit_price": "receipt_unit_price of the part's last purchase receipt in that unit; null: no such receipt",
            "currency": "Currency of price and value: add up each separately, because there are no exchange rates",
            "priced_on": "Date of that receipt",
            "value": "onhand × unit_price, rounded to 2 decimals, in the currency; null: no price is known",
        },
    ),
    View(
        "stock_shortages",
        "Parts with less stock than the safety stock or the minimum stock: one row per warehouse and part",
        _stock_shortages(),
        _STOCK_COLUMNS
        | {
            "safety_stock": "Safety stock",
            "min_stock": "Minimum stock",
            "shortage": "Quantity missing to the larger of the two",
            "allocated": "Quantity allocated to orders",
            "onorder": "Quantity on order",
            "is_covered": "True if the quantity on order, less the allocated one, covers the shortage",
            "location": "Location within the warehouse",
        },
    ),
)
