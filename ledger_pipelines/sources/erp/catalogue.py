"""Catalogue of the ERP's tables: columns and their kinds, month columns, keys and comments.

Everything else derives from it: the reader's SELECT, the pandera schema, the warehouse's tables, the assets, the demo
and the data dictionary. A further table needs one more declaration and a migration.

The module uses no library, so that the warehouse can derive its tables from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Kind of a column's values."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class ErpColumn:
    """Column of an ERP table.

    Attributes:
        name: Name at the ERP.
        kind: Kind of the values.
        comment: Meaning of the values.
        compared: Whether a different value makes a row different. False for a value that the ERP computes from the
            clock: it is copied when another column of its row changes, and is as of then.
    """

    name: str
    kind: Kind
    comment: str
    compared: bool = True


@dataclass(frozen=True)
class ErpTable:
    """Table or view of the ERP.

    Attributes:
        name: Name at the ERP; the warehouse and Dagster use the same.
        comment: Meaning of one row.
        columns: Columns in the order in which they are read and stored.
        month_columns: A row belongs to the month of the first of these that is not null. Empty for a snapshot without
            a date, which belongs to the month in which it is read.
        key: Columns that usually identify a row. They are indexed, and distinguish a changed row from a deleted and an
            inserted one. Rows with equal keys are all kept. If empty, as many deleted as inserted rows of a month count
            as changed.
        schema: Schema at the ERP, from the settings; None: the server resolves the name for the login.
    """

    name: str
    comment: str
    columns: tuple[ErpColumn, ...]
    month_columns: tuple[str, ...]
    key: tuple[str, ...]
    schema: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if a column that identifies or dates a row is not compared."""
        if excluded := {*self.month_columns, *self.key} & set(self.uncompared):
            raise ValueError(f"{self.name}: month and key columns must be compared: {', '.join(sorted(excluded))}")

    @property
    def full_name(self) -> str:
        """Name at the ERP for a message, with the schema if it is set."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"

    @property
    def is_snapshot(self) -> bool:
        """Whether the table shows the current state only, without a date."""
        return not self.month_columns

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def compared(self) -> tuple[str, ...]:
        """Names of the columns that are compared, in order."""
        return tuple(column.name for column in self.columns if column.compared)

    @property
    def uncompared(self) -> tuple[str, ...]:
        """Names of the columns that are copied but not compared, in order."""
        return tuple(column.name for column in self.columns if not column.compared)

    @property
    def amounts(self) -> tuple[str, ...]:
        """Names of the decimal columns whose sums are compared, in order."""
        return tuple(name for name in self.names_of(Kind.DECIMAL) if name in self.compared)

    def names_of(self, *kinds: Kind) -> tuple[str, ...]:
        """Return the names of the columns of these kinds, in order."""
        return tuple(column.name for column in self.columns if column.kind in kinds)


def _columns(kind: Kind, comments: dict[str, str]) -> Iterable[ErpColumn]:
    return (ErpColumn(name, kind, comment) for name, comment in comments.items())


def _text(**comments: str) -> Iterable[ErpColumn]:
    return _columns(Kind.TEXT, comments)


def _integer(**comments: str) -> Iterable[ErpColumn]:
    return _columns(Kind.INTEGER, comments)


def _decimal(**comments: str) -> Iterable[ErpColumn]:
    return _columns(Kind.DECIMAL, comments)


def _date(**comments: str) -> Iterable[ErpColumn]:
    return _columns(Kind.DATE, comments)


def _boolean(**comments: str) -> Iterable[ErpColumn]:
    return _columns(Kind.BOOLEAN, comments)


_ROUTE = {
    "ship_from_type": "Type of place shipped from",
    "ship_from": "Place shipped from, code",
    "ship_from_desc": "Place shipped from",
    "ship_to_type": "Type of place shipped to",
    "ship_to": "Place shipped to, code",
    "ship_to_desc": "Place shipped to",
}

STOCKBYWH = ErpTable(
    name="stockbywh",
    comment="Stock per warehouse and part: the current month as last read, earlier months in their last state",
    columns=(
        *_text(
            warehouse="Warehouse code",
            partno="Part number",
            desc="Description of the part",
            partname="Name of the part",
            oldpartno="Former part number",
            group="Item group",
            groupkey="Key of the item group",
            product_type="Product type",
            model="Model that the part is for",
            customer="Customer that the part is for",
        ),
        *_decimal(
            onhand="Quantity on hand, in units",
            allocated="Quantity allocated to orders, in units",
            onorder="Quantity on order, in units",
            economicstock="On hand - allocated + on order, in units",
            safety_stock="Safety stock, in units",
            min_stock="Minimum stock, in units",
            max_stock="Maximum stock, in units",
        ),
        *_text(unit="Unit of the quantities", location="Location within the warehouse"),
    ),
    month_columns=(),
    key=("warehouse", "partno"),
)

VIEW_WAREHOUSE_ORDER = ErpTable(
    name="view_warehouse_order",
    comment="Warehouse orders: one row per order",
    columns=(
        *_text(
            order_origin_code="Origin and number of the order, code",
            order_origin="Origin of the order",
            trx_type="Type of transaction",
        ),
        *_date(order_date="Date of the order", plan_delivery_date="Date on which delivery is planned"),
        *_text(**_ROUTE),
    ),
    month_columns=("order_date", "plan_delivery_date"),
    key=("order_origin_code",),
)

VIEW_WAREHOUSE_ORDER_LINE = ErpTable(
    name="view_warehouse_order_line",
    comment="Lines of warehouse orders: one row per line",
    columns=(
        *_text(
            order_origin_code="Origin and number of the order, code",
            order_origin="Origin of the order",
            trx_type="Type of transaction",
        ),
        *_date(
            order_date="Date of the order",
            delivery_date="Date of delivery",
            receipt_date="Date of receipt",
        ),
        *_text(order_no="Order number"),
        *_integer(line_no="Line of the order"),
        *_text(**_ROUTE),
        *_text(item_code="Item code", item_desc="Item", item_desc2="Item, further description"),
        *_decimal(order_qty="Quantity ordered, in units", ship_qty="Quantity shipped, in units"),
        *_text(
            unit="Unit of the quantities",
            line_status_code="Status of the line, code",
            line_status="Status of the line",
        ),
    ),
    month_columns=("order_date", "delivery_date"),
    key=("order_origin_code", "line_no"),
)

SO_INVOICE_LINE = ErpTable(
    name="so_invoice_line",
    comment="Shipments of sales order lines and their invoices; one order line has many of both",
    columns=(
        *_text(bp_code="Business partner, code", bp_name="Business partner", sales_order="Sales order number"),
        *_date(so_date="Date of the sales order"),
        *_integer(so_line="Line of the sales order", so_sequence="Sequence within the line"),
        *_text(customer_po="The customer's purchase order", shipment="Shipment number"),
        *_integer(shipment_line="Line of the shipment"),
        *_date(delivery_date="Date of delivery"),
        *_text(receipt="Receipt number", receipt_line="Line of the receipt"),
        *_date(receipt_date="Date of receipt"),
        *_text(
            part_no="Part number",
            old_partno="Former part number",
            product_type="Product type",
            cust_partno="The customer's part number",
            cust_partname="The customer's name for the part",
            item_group="Item group",
        ),
        *_decimal(delivered_qty="Quantity delivered, in units"),
        *_text(
            unit="Unit of the quantities",
            shipment_reference="Reference of the shipment",
            status="Status of the line, code",
            shipment_status="Status of the shipment",
            invoice_no="Invoice number",
        ),
        *_integer(inv_line="Line of the invoice"),
        *_date(invoice_date="Date of the invoice"),
        *_decimal(invoice_qty="Quantity invoiced, in units"),
        *_text(currency="Currency of price and amount"),
        *_decimal(
            price="Price of one unit, in the currency",
            amount="Amount invoiced, in the currency",
            price_hc="Price of one unit, in the home currency",
            amount_hc="Amount invoiced, in the home currency",
        ),
        *_text(inv_stat="Status of the invoice, code", invoice_status="Status of the invoice"),
        *_date(dlv_log_date="Date on which the delivery was logged"),
    ),
    month_columns=("delivery_date", "invoice_date", "so_date"),
    key=("sales_order", "so_line", "so_sequence", "shipment", "shipment_line", "invoice_no", "inv_line"),
)

VIEW_PROD_HEADER = ErpTable(
    name="view_prod_header",
    comment="Production orders: one row per order",
    columns=(
        *_integer(prod_index="Row number in the ERP"),
        *_text(prod_no="Production order number"),
        *_date(planning_date="Date planned"),
        *_text(
            item="Item produced, code",
            old_partno="Former part number",
            description="Item produced",
            mat_desc="Material",
            customer="Customer that it is produced for",
            model="Model",
            unique_no="Unique number of the part",
            sanoh_code="The company's own code of the part",
            snp="Standard number of parts in a package",
            sts="Status, code",
            status="Status",
        ),
        *_decimal(
            qty_order="Quantity ordered, in units",
            qty_delivery="Quantity delivered, in units",
            qty_os="Quantity outstanding, in units",
        ),
        *_text(warehouse="Warehouse", divisi="Division"),
    ),
    month_columns=("planning_date",),
    key=("prod_index",),
)

DATA_RECEIPT_PURCHASE = ErpTable(
    name="data_receipt_purchase",
    comment="Purchase receipts with their invoices and payments: one row per receipt line",
    columns=(
        *_text(
            po_no="Purchase order number",
            bp_id="Supplier, code",
            bp_name="Supplier",
            currency="Currency of the amounts",
            po_type="Type of purchase order",
            po_reference="Reference of the purchase order",
            po_line="Line of the purchase order",
            po_sequence="Sequence within the line",
            po_receipt_sequence="Sequence of the receipt",
        ),
        *_date(actual_receipt_date="Date of receipt"),
        *_text(
            actual_receipt_year="Financial year of the receipt",
            actual_receipt_period="Financial period of the receipt",
            receipt_no="Receipt number",
            receipt_line="Line of the receipt",
            gr_no="Goods receipt number",
            packing_slip="Packing slip",
            item_no="Item number",
            ics_code="ICS code",
            ics_part="ICS part",
            part_no="Part number",
            item_desc="Item",
            item_group="Item group",
            item_type="Type of item, code",
            item_type_desc="Type of item",
        ),
        *_decimal(
            request_qty="Quantity requested, in units",
            actual_receipt_qty="Quantity received, in units",
            approve_qty="Quantity approved, in units",
        ),
        *_text(unit="Unit of the quantities"),
        *_decimal(
            receipt_amount="Amount of the receipt, in the currency",
            receipt_unit_price="Price of one unit, in the currency",
        ),
        *_boolean(
            is_final_receipt="Whether it is the last receipt of the line", is_confirmed="Whether it is confirmed"
        ),
        *_text(inv_doc_no="Invoice document number"),
        *_date(inv_doc_date="Date of the invoice document"),
        *_decimal(inv_qty="Quantity invoiced, in units", inv_amount="Amount invoiced, in the currency"),
        *_text(inv_supplier_no="The supplier's invoice number"),
        *_date(inv_due_date="Date on which the invoice is due"),
        *_text(payment_doc="Payment document number"),
        *_date(payment_doc_date="Date of the payment document"),
    ),
    month_columns=("actual_receipt_date", "inv_doc_date"),
    key=("receipt_no", "receipt_line"),
)

ERP_TABLES: tuple[ErpTable, ...] = (
    STOCKBYWH,
    VIEW_WAREHOUSE_ORDER,
    VIEW_WAREHOUSE_ORDER_LINE,
    SO_INVOICE_LINE,
    VIEW_PROD_HEADER,
    DATA_RECEIPT_PURCHASE,
)


def erp_table(name: str) -> ErpTable:
    """Return the table with a name.

    Raises:
        KeyError: no table has this name.
    """
    return {table.name: table for table in ERP_TABLES}[name]
