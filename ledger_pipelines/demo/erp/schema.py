"""Declaration of the ERP's tables at the source, made from the catalogue (`sources/erp/catalogue.py`).

In production they are tables and views on SQL Server; the demo and the tests create them as tables. The catalogue has
the kinds of the columns; this module decides their types at the source, as varied as in a real ERP: decimals of
different scales up to 38 digits, dates with and without a time of day, descriptions as NVARCHAR and codes as VARCHAR,
booleans as text. No table has a key.

The declaration works on SQL Server, PostgreSQL, MySQL and MariaDB.
"""

from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpColumn, ErpTable, Kind

_Type = sa.types.TypeEngine[Any]

_CODE: _Type = sa.String(60)
_WORDS: _Type = sa.Unicode(255)
_FLAG: _Type = sa.String(10)
_QUANTITY: _Type = sa.Numeric(18, 4)
_STOCK: _Type = sa.Numeric(19, 6)
_PIECES: _Type = sa.Numeric(12, 0)
_PRICE: _Type = sa.Numeric(28, 10)
_AMOUNT: _Type = sa.Numeric(38, 10)

_WORDY = ("desc", "name", "customer", "location", "reference", "model", "status", "unique_no")
_DECIMALS: dict[str, _Type] = {
    **dict.fromkeys(
        ("onhand", "allocated", "onorder", "economicstock", "safety_stock", "min_stock", "max_stock"), _STOCK
    ),
    **dict.fromkeys(("qty_order", "qty_delivery", "qty_os"), _PIECES),
    **dict.fromkeys(("price", "price_hc", "receipt_unit_price"), _PRICE),
    **dict.fromkeys(("amount", "amount_hc", "receipt_amount", "inv_amount"), _AMOUNT),
}
_WITHOUT_TIME = {
    "view_warehouse_order": {"order_date", "plan_delivery_date"},
    "data_receipt_purchase": {"inv_doc_date", "inv_due_date", "payment_doc_date"},
}
"""Columns declared as dates. All other dates are timestamps, most of them at midnight."""

_INDEXED = ("view_warehouse_order", "view_warehouse_order_line", "so_invoice_line", "data_receipt_purchase")
"""Tables with an index on their first month column, as in the system below the views."""


def source_type(table: ErpTable, column: ErpColumn) -> _Type:
    """Return the type of a column at the source."""
    if column.kind is Kind.INTEGER:
        return sa.Integer()
    if column.kind is Kind.DECIMAL:
        return _DECIMALS.get(column.name, _QUANTITY)
    if column.kind is Kind.DATE:
        return sa.Date() if column.name in _WITHOUT_TIME.get(table.name, ()) else sa.DateTime()
    if column.kind is Kind.BOOLEAN:
        return _FLAG
    return _WORDS if any(word in column.name for word in _WORDY) else _CODE


def identifying_column(table: ErpTable) -> ErpColumn | None:
    """Return the first text or integer of the key, whose values the demo makes unique; None if the key has neither."""
    columns = {column.name: column for column in table.columns}
    return next((columns[name] for name in table.key if columns[name].kind in {Kind.TEXT, Kind.INTEGER}), None)


def _declared(table: ErpTable, metadata: sa.MetaData) -> sa.Table:
    """Return a table as the ERP declares it. Without this charset, MySQL and MariaDB may reject some characters."""
    declared = sa.Table(
        table.name,
        metadata,
        *(sa.Column(column.name, source_type(table, column)) for column in table.columns),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    if table.name in _INDEXED:
        first = table.month_columns[0]
        sa.Index(f"ix_{table.name}_{first}", declared.c[first])
    return declared


metadata = sa.MetaData()

erp_source_tables = {table.name: _declared(table, metadata) for table in ERP_TABLES}
"""The tables by name; tables and columns in the catalogue's order."""


def create_erp_tables(engine: sa.Engine) -> None:
    """Create the tables, empty, with their indexes, for tests that write their own rows."""
    metadata.create_all(engine, checkfirst=False)
