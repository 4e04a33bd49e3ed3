"""The ERP and its syncs.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The ERP and its syncs."""
    op.alter_column("rejected_rows", "year_month", schema="ops", comment="The month of the row, where it is known")
    op.create_table(
        "data_receipt_purchase",
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="Month of actual_receipt_date, else inv_doc_date, in WIB",
        ),
        sa.Column("po_no", sa.Text(), nullable=True, comment="Purchase order number"),
        sa.Column("bp_id", sa.Text(), nullable=True, comment="Supplier, code"),
        sa.Column("bp_name", sa.Text(), nullable=True, comment="Supplier"),
        sa.Column("currency", sa.Text(), nullable=True, comment="Currency of the amounts"),
        sa.Column("po_type", sa.Text(), nullable=True, comment="Kind of purchase order"),
        sa.Column("po_reference", sa.Text(), nullable=True, comment="Reference of the purchase order"),
        sa.Column("po_line", sa.Text(), nullable=True, comment="Line of the purchase order"),
        sa.Column("po_sequence", sa.Text(), nullable=True, comment="Sequence within the line"),
        sa.Column("po_receipt_sequence", sa.Text(), nullable=True, comment="Sequence of the receipt"),
        sa.Column("actual_receipt_date", sa.Date(), nullable=True, comment="Date of receipt"),
        sa.Column("actual_receipt_year", sa.Text(), nullable=True, comment="Financial year of the receipt"),
        sa.Column("actual_receipt_period", sa.Text(), nullable=True, comment="Financial period of the receipt"),
        sa.Column("receipt_no", sa.Text(), nullable=True, comment="Receipt number"),
        sa.Column("receipt_line", sa.Text(), nullable=True, comment="Line of the receipt"),
        sa.Column("gr_no", sa.Text(), nullable=True, comment="Goods receipt number"),
        sa.Column("packing_slip", sa.Text(), nullable=True, comment="Packing slip"),
        sa.Column("item_no", sa.Text(), nullable=True, comment="Item number"),
        sa.Column("ics_code", sa.Text(), nullable=True, comment="ICS code"),
        sa.Column("ics_part", sa.Text(), nullable=True, comment="ICS part"),
        sa.Column("part_no", sa.Text(), nullable=True, comment="Part number"),
        sa.Column("item_desc", sa.Text(), nullable=True, comment="Item"),
        sa.Column("item_group", sa.Text(), nullable=True, comment="Item group"),
        sa.Column("item_type", sa.Text(), nullable=True, comment="Kind of item, code"),
        sa.Column("item_type_desc", sa.Text(), nullable=True, comment="Kind of item"),
        sa.Column("request_qty", sa.Numeric(), nullable=True, comment="Quantity requested, in units"),
        sa.Column("actual_receipt_qty", sa.Numeric(), nullable=True, comment="Quantity received, in units"),
        sa.Column("approve_qty", sa.Numeric(), nullable=True, comment="Quantity approved, in units"),
        sa.Column("unit", sa.Text(), nullable=True, comment="Unit of the quantities"),
        sa.Column("receipt_amount", sa.Numeric(), nullable=True, comment="Amount of the receipt, in the currency"),
        sa.Column("receipt_unit_price", sa.Numeric(), nullable=True, comment="Price of one unit, in the currency"),
        sa.Column(
            "is_final_receipt", sa.Boolean(), nullable=True, comment="Whether it is the last receipt of the line"
        ),
        sa.Column("is_confirmed", sa.Boolean(), nullable=True, comment="Whether it is confirmed"),
        sa.Column("inv_doc_no", sa.Text(), nullable=True, comment="Invoice document number"),
        sa.Column("inv_doc_date", sa.Date(), nullable=True, comment="Date of the invoice document"),
        sa.Column("inv_qty", sa.Numeric(), nullable=True, comment="Quantity invoiced, in units"),
        sa.Column("inv_amount", sa.Numeric(), nullable=True, comment="Amount invoiced, in the currency"),
        sa.Column("inv_supplier_no", sa.Text(), nullable=True, comment="The supplier's invoice number"),
        sa.Column("inv_due_date", sa.Date(), nullable=True, comment="Date on which the invoice is due"),
        sa.Column("payment_doc", sa.Text(), nullable=True, comment="Payment document number"),
        sa.Column("payment_doc_date", sa.Date(), nullable=True, comment="Date of the payment document"),
        sa.Column(
            "synced_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row came or last changed",
        ),
        schema="erp",
        comment="Purchase receipts with their invoices and payments: one row a receipt line",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index(
        "ix_data_receipt_purchase_key",
        "data_receipt_purchase",
        ["receipt_no", "receipt_line"],
        unique=False,
        schema="erp",
        postgresql_ops={"receipt_no": "text_pattern_ops", "receipt_line": "text_pattern_ops"},
    )
    op.create_table(
        "so_invoice_line",
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="Month of delivery_date, else invoice_date, else so_date, in WIB",
        ),
        sa.Column("bp_code", sa.Text(), nullable=True, comment="Business partner, code"),
        sa.Column("bp_name", sa.Text(), nullable=True, comment="Business partner"),
        sa.Column("sales_order", sa.Text(), nullable=True, comment="Sales order number"),
        sa.Column("so_date", sa.Date(), nullable=True, comment="Date of the sales order"),
        sa.Column("so_line", sa.BigInteger(), nullable=True, comment="Line of the sales order"),
        sa.Column("so_sequence", sa.BigInteger(), nullable=True, comment="Sequence within the line"),
        sa.Column("customer_po", sa.Text(), nullable=True, comment="The customer's purchase order"),
        sa.Column("shipment", sa.Text(), nullable=True, comment="Shipment number"),
        sa.Column("shipment_line", sa.BigInteger(), nullable=True, comment="Line of the shipment"),
        sa.Column("delivery_date", sa.Date(), nullable=True, comment="Date of delivery"),
        sa.Column("receipt", sa.Text(), nullable=True, comment="Receipt number"),
        sa.Column("receipt_line", sa.Text(), nullable=True, comment="Line of the receipt"),
        sa.Column("receipt_date", sa.Date(), nullable=True, comment="Date of receipt"),
        sa.Column("part_no", sa.Text(), nullable=True, comment="Part number"),
        sa.Column("old_partno", sa.Text(), nullable=True, comment="Former part number"),
        sa.Column("product_type", sa.Text(), nullable=True, comment="Product type"),
        sa.Column("cust_partno", sa.Text(), nullable=True, comment="The customer's part number"),
        sa.Column("cust_partname", sa.Text(), nullable=True, comment="The customer's name of the part"),
        sa.Column("item_group", sa.Text(), nullable=True, comment="Item group"),
        sa.Column("delivered_qty", sa.Numeric(), nullable=True, comment="Quantity delivered, in units"),
        sa.Column("unit", sa.Text(), nullable=True, comment="Unit of the quantities"),
        sa.Column("shipment_reference", sa.Text(), nullable=True, comment="Reference of the shipment"),
        sa.Column("status", sa.Text(), nullable=True, comment="Status of the line, code"),
        sa.Column("shipment_status", sa.Text(), nullable=True, comment="Status of the shipment"),
        sa.Column("invoice_no", sa.Text(), nullable=True, comment="Invoice number"),
        sa.Column("inv_line", sa.BigInteger(), nullable=True, comment="Line of the invoice"),
        sa.Column("invoice_date", sa.Date(), nullable=True, comment="Date of the invoice"),
        sa.Column("invoice_qty", sa.Numeric(), nullable=True, comment="Quantity invoiced, in units"),
        sa.Column("currency", sa.Text(), nullable=True, comment="Currency of price and amount"),
        sa.Column("price", sa.Numeric(), nullable=True, comment="Price of one unit, in the currency"),
        sa.Column("amount", sa.Numeric(), nullable=True, comment="Amount invoiced, in the currency"),
        sa.Column("price_hc", sa.Numeric(), nullable=True, comment="Price of one unit, in the home currency"),
        sa.Column("amount_hc", sa.Numeric(), nullable=True, comment="Amount invoiced, in the home currency"),
        sa.Column("inv_stat", sa.Text(), nullable=True, comment="Status of the invoice, code"),
        sa.Column("invoice_status", sa.Text(), nullable=True, comment="Status of the invoice"),
        sa.Column("dlv_log_date", sa.Date(), nullable=True, comment="Date on which the delivery was logged"),
        sa.Column(
            "synced_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row came or last changed",
        ),
        schema="erp",
        comment="Shipments of sales order lines and their invoices; one order line has many of both",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index(
        "ix_so_invoice_line_key",
        "so_invoice_line",
        ["sales_order", "so_line"],
        unique=False,
        schema="erp",
        postgresql_ops={"sales_order": "text_pattern_ops"},
    )
    op.create_table(
        "stockbywh",
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="Month in which the row was read, in WIB",
        ),
        sa.Column("warehouse", sa.Text(), nullable=True, comment="Warehouse code"),
        sa.Column("partno", sa.Text(), nullable=True, comment="Part number"),
        sa.Column("desc", sa.Text(), nullable=True, comment="Description of the part"),
        sa.Column("partname", sa.Text(), nullable=True, comment="Name of the part"),
        sa.Column("oldpartno", sa.Text(), nullable=True, comment="Former part number"),
        sa.Column("group", sa.Text(), nullable=True, comment="Item group"),
        sa.Column("groupkey", sa.Text(), nullable=True, comment="Key of the item group"),
        sa.Column("product_type", sa.Text(), nullable=True, comment="Product type"),
        sa.Column("model", sa.Text(), nullable=True, comment="Model that the part is for"),
        sa.Column("customer", sa.Text(), nullable=True, comment="Customer that the part is for"),
        sa.Column("onhand", sa.Numeric(), nullable=True, comment="Quantity on hand, in units"),
        sa.Column("allocated", sa.Numeric(), nullable=True, comment="Quantity allocated to orders, in units"),
        sa.Column("onorder", sa.Numeric(), nullable=True, comment="Quantity on order, in units"),
        sa.Column("economicstock", sa.Numeric(), nullable=True, comment="On hand - allocated + on order, in units"),
        sa.Column("safety_stock", sa.Numeric(), nullable=True, comment="Safety stock, in units"),
        sa.Column("min_stock", sa.Numeric(), nullable=True, comment="Lowest stock wanted, in units"),
        sa.Column("max_stock", sa.Numeric(), nullable=True, comment="Highest stock wanted, in units"),
        sa.Column("unit", sa.Text(), nullable=True, comment="Unit of the quantities"),
        sa.Column("location", sa.Text(), nullable=True, comment="Location within the warehouse"),
        sa.Column(
            "synced_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row came or last changed",
        ),
        schema="erp",
        comment="Stock per warehouse and part: the current month as last read, earlier months as they last were",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index(
        "ix_stockbywh_key",
        "stockbywh",
        ["warehouse", "partno"],
        unique=False,
        schema="erp",
        postgresql_ops={"warehouse": "text_pattern_ops", "partno": "text_pattern_ops"},
    )
    op.create_table(
        "view_prod_header",
        sa.Column(
            "year_month", sa.String(length=7, collation="C"), nullable=False, comment="Month of planning_date, in WIB"
        ),
        sa.Column("prod_index", sa.BigInteger(), nullable=True, comment="Number of the row in the ERP"),
        sa.Column("prod_no", sa.Text(), nullable=True, comment="Production order number"),
        sa.Column("planning_date", sa.Date(), nullable=True, comment="Date planned"),
        sa.Column("item", sa.Text(), nullable=True, comment="Item produced, code"),
        sa.Column("old_partno", sa.Text(), nullable=True, comment="Former part number"),
        sa.Column("description", sa.Text(), nullable=True, comment="Item produced"),
        sa.Column("mat_desc", sa.Text(), nullable=True, comment="Material"),
        sa.Column("customer", sa.Text(), nullable=True, comment="Customer that it is produced for"),
        sa.Column("model", sa.Text(), nullable=True, comment="Model"),
        sa.Column("unique_no", sa.Text(), nullable=True, comment="Unique number of the part"),
        sa.Column("sanoh_code", sa.Text(), nullable=True, comment="The company's own code of the part"),
        sa.Column("snp", sa.Text(), nullable=True, comment="Standard number of parts in a package"),
        sa.Column("sts", sa.Text(), nullable=True, comment="Status, code"),
        sa.Column("status", sa.Text(), nullable=True, comment="Status"),
        sa.Column("qty_order", sa.Numeric(), nullable=True, comment="Quantity ordered, in units"),
        sa.Column("qty_delivery", sa.Numeric(), nullable=True, comment="Quantity delivered, in units"),
        sa.Column("qty_os", sa.Numeric(), nullable=True, comment="Quantity outstanding, in units"),
        sa.Column("warehouse", sa.Text(), nullable=True, comment="Warehouse"),
        sa.Column("divisi", sa.Text(), nullable=True, comment="Division"),
        sa.Column(
            "synced_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row came or last changed",
        ),
        schema="erp",
        comment="Production orders: one row an order",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index("ix_view_prod_header_key", "view_prod_header", ["prod_index"], unique=False, schema="erp")
    op.create_table(
        "view_warehouse_order",
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="Month of order_date, else plan_delivery_date, in WIB",
        ),
        sa.Column("order_origin_code", sa.Text(), nullable=True, comment="Origin and number of the order, code"),
        sa.Column("order_origin", sa.Text(), nullable=True, comment="Origin of the order"),
        sa.Column("trx_type", sa.Text(), nullable=True, comment="Kind of transaction"),
        sa.Column("order_date", sa.Date(), nullable=True, comment="Date of the order"),
        sa.Column("plan_delivery_date", sa.Date(), nullable=True, comment="Date on which delivery is planned"),
        sa.Column("ship_from_type", sa.Text(), nullable=True, comment="Kind of place shipped from"),
        sa.Column("ship_from", sa.Text(), nullable=True, comment="Place shipped from, code"),
        sa.Column("ship_from_desc", sa.Text(), nullable=True, comment="Place shipped from"),
        sa.Column("ship_to_type", sa.Text(), nullable=True, comment="Kind of place shipped to"),
        sa.Column("ship_to", sa.Text(), nullable=True, comment="Place shipped to, code"),
        sa.Column("ship_to_desc", sa.Text(), nullable=True, comment="Place shipped to"),
        sa.Column(
            "synced_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row came or last changed",
        ),
        schema="erp",
        comment="Warehouse orders: one row an order",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index(
        "ix_view_warehouse_order_key",
        "view_warehouse_order",
        ["order_origin_code"],
        unique=False,
        schema="erp",
        postgresql_ops={"order_origin_code": "text_pattern_ops"},
    )
    op.create_table(
        "view_warehouse_order_line",
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="Month of order_date, else delivery_date, in WIB",
        ),
        sa.Column("order_origin_code", sa.Text(), nullable=True, comment="Origin and number of the order, code"),
        sa.Column("order_origin", sa.Text(), nullable=True, comment="Origin of the order"),
        sa.Column("trx_type", sa.Text(), nullable=True, comment="Kind of transaction"),
        sa.Column("order_date", sa.Date(), nullable=True, comment="Date of the order"),
        sa.Column("delivery_date", sa.Date(), nullable=True, comment="Date of delivery"),
        sa.Column("receipt_date", sa.Date(), nullable=True, comment="Date of receipt"),
        sa.Column("order_no", sa.Text(), nullable=True, comment="Order number"),
        sa.Column("line_no", sa.BigInteger(), nullable=True, comment="Line of the order"),
        sa.Column("ship_from_type", sa.Text(), nullable=True, comment="Kind of place shipped from"),
        sa.Column("ship_from", sa.Text(), nullable=True, comment="Place shipped from, code"),
        sa.Column("ship_from_desc", sa.Text(), nullable=True, comment="Place shipped from"),
        sa.Column("ship_to_type", sa.Text(), nullable=True, comment="Kind of place shipped to"),
        sa.Column("ship_to", sa.Text(), nullable=True, comment="Place shipped to, code"),
        sa.Column("ship_to_desc", sa.Text(), nullable=True, comment="Place shipped to"),
        sa.Column("item_code", sa.Text(), nullable=True, comment="Item code"),
        sa.Column("item_desc", sa.Text(), nullable=True, comment="Item"),
        sa.Column("item_desc2", sa.Text(), nullable=True, comment="Item, further description"),
        sa.Column("order_qty", sa.Numeric(), nullable=True, comment="Quantity ordered, in units"),
        sa.Column("ship_qty", sa.Numeric(), nullable=True, comment="Quantity shipped, in units"),
        sa.Column("unit", sa.Text(), nullable=True, comment="Unit of the quantities"),
        sa.Column("line_status_code", sa.Text(), nullable=True, comment="Status of the line, code"),
        sa.Column("line_status", sa.Text(), nullable=True, comment="Status of the line"),
        sa.Column(
            "synced_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row came or last changed",
        ),
        schema="erp",
        comment="Lines of warehouse orders: one row a line",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index(
        "ix_view_warehouse_order_line_key",
        "view_warehouse_order_line",
        ["order_origin_code", "line_no"],
        unique=False,
        schema="erp",
        postgresql_ops={"order_origin_code": "text_pattern_ops"},
    )
    op.create_table(
        "source_fingerprints",
        sa.Column("table_name", sa.Text(), nullable=False, comment="The ERP's table"),
        sa.Column(
            "day",
            sa.Text(collation="C"),
            nullable=False,
            comment="The day, as 2025-03-31; empty: rows without any date",
        ),
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="Month in which its rows were stored; empty: outside the partitions, so rejected",
        ),
        sa.Column("row_count", sa.BigInteger(), nullable=False, comment="How many rows the source had"),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="Sums and a hash of all its rows, as the source's server computes them",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="The run that read them"),
        sa.Column(
            "taken_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When they were read",
        ),
        sa.PrimaryKeyConstraint("table_name", "day", name=op.f("pk_source_fingerprints")),
        schema="ops",
        comment="What each day of an ERP table looked like when it was last read; a day that differs is read again",
    )
    op.create_table(
        "sync_logs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the sync"),
        sa.Column(
            "sync_type",
            sa.Text(),
            nullable=False,
            comment="manual: started by a person or program; scheduled: by the hourly schedule",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="running, completed, failed or cancelled"),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it started",
        ),
        sa.Column(
            "completed_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended; null while it runs"
        ),
        sa.Column(
            "total_records",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows read: success_records + failed_records",
        ),
        sa.Column(
            "success_records",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that the copy has as the source has",
        ),
        sa.Column(
            "failed_records",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that were rejected",
        ),
        sa.Column("error_message", sa.Text(), nullable=True, comment="Why it failed"),
        sa.Column(
            "duration",
            sa.Numeric(precision=14, scale=3),
            sa.Computed("EXTRACT(epoch FROM completed_at - started_at)", persisted=True),
            nullable=True,
            comment="Seconds from start to end",
        ),
        sa.Column(
            "success_rate",
            sa.Numeric(precision=5, scale=2),
            sa.Computed("round(100.0 * success_records / nullif(total_records, 0), 2)", persisted=True),
            nullable=True,
            comment="Per cent of the rows read that are not rejected; null if none was read",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="The Dagster run; null until it is launched"),
        sa.CheckConstraint("(status = 'running') = (completed_at IS NULL)", name=op.f("ck_sync_logs_completed_at")),
        sa.CheckConstraint(
            "status IN ('running', 'completed', 'failed', 'cancelled')", name=op.f("ck_sync_logs_status")
        ),
        sa.CheckConstraint("sync_type IN ('manual', 'scheduled')", name=op.f("ck_sync_logs_sync_type")),
        sa.CheckConstraint("total_records = success_records + failed_records", name=op.f("ck_sync_logs_total_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_logs")),
        schema="ops",
        comment="Syncs of the ERP: one row a sync; at most one is running",
    )
    op.create_index(op.f("ix_sync_logs_run_id"), "sync_logs", ["run_id"], unique=False, schema="ops")
    op.create_index(
        "uq_sync_logs_running",
        "sync_logs",
        ["status"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "sync_log_tables",
        sa.Column("sync_log_id", sa.BigInteger(), nullable=False, comment="The sync"),
        sa.Column("table_name", sa.Text(), nullable=False, comment="The ERP's table"),
        sa.Column("status", sa.Text(), nullable=False, comment="running, completed, failed or cancelled"),
        sa.Column(
            "months",
            sa.ARRAY(sa.String(length=7, collation="C")),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Months of which rows were read",
        ),
        sa.Column(
            "rows_read",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows read: rows_loaded + rows_rejected",
        ),
        sa.Column(
            "rows_loaded",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that the copy has as the source has",
        ),
        sa.Column(
            "rows_rejected",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that cannot be used; see ops.rejected_rows",
        ),
        sa.Column(
            "rows_inserted", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Rows that came"
        ),
        sa.Column(
            "rows_updated", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Rows that changed"
        ),
        sa.Column(
            "rows_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Rows that went"
        ),
        sa.Column(
            "rows_unchanged",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that were as they should be",
        ),
        sa.Column("seconds", sa.Numeric(precision=14, scale=3), nullable=True, comment="How long it took"),
        sa.Column("error_message", sa.Text(), nullable=True, comment="Why it failed"),
        sa.CheckConstraint(
            "status IN ('running', 'completed', 'failed', 'cancelled')", name=op.f("ck_sync_log_tables_status")
        ),
        sa.ForeignKeyConstraint(
            ["sync_log_id"],
            ["ops.sync_logs.id"],
        ),
        sa.PrimaryKeyConstraint("sync_log_id", "table_name", name=op.f("pk_sync_log_tables")),
        schema="ops",
        comment="What a sync did to each table: one row a sync and table",
    )


def downgrade() -> None:
    """Undo it."""
    op.alter_column(
        "rejected_rows",
        "year_month",
        schema="ops",
        comment="The month of the row, where it has one within the partitions",
    )
    op.drop_table("sync_log_tables", schema="ops")
    op.drop_index(
        "uq_sync_logs_running", table_name="sync_logs", schema="ops", postgresql_where=sa.text("status = 'running'")
    )
    op.drop_index(op.f("ix_sync_logs_run_id"), table_name="sync_logs", schema="ops")
    op.drop_table("sync_logs", schema="ops")
    op.drop_table("source_fingerprints", schema="ops")
    op.drop_index(
        "ix_view_warehouse_order_line_key",
        table_name="view_warehouse_order_line",
        schema="erp",
        postgresql_ops={"order_origin_code": "text_pattern_ops"},
    )
    op.drop_table("view_warehouse_order_line", schema="erp")
    op.drop_index(
        "ix_view_warehouse_order_key",
        table_name="view_warehouse_order",
        schema="erp",
        postgresql_ops={"order_origin_code": "text_pattern_ops"},
    )
    op.drop_table("view_warehouse_order", schema="erp")
    op.drop_index("ix_view_prod_header_key", table_name="view_prod_header", schema="erp")
    op.drop_table("view_prod_header", schema="erp")
    op.drop_index(
        "ix_stockbywh_key",
        table_name="stockbywh",
        schema="erp",
        postgresql_ops={"warehouse": "text_pattern_ops", "partno": "text_pattern_ops"},
    )
    op.drop_table("stockbywh", schema="erp")
    op.drop_index(
        "ix_so_invoice_line_key",
        table_name="so_invoice_line",
        schema="erp",
        postgresql_ops={"sales_order": "text_pattern_ops"},
    )
    op.drop_table("so_invoice_line", schema="erp")
    op.drop_index(
        "ix_data_receipt_purchase_key",
        table_name="data_receipt_purchase",
        schema="erp",
        postgresql_ops={"receipt_no": "text_pattern_ops", "receipt_line": "text_pattern_ops"},
    )
    op.drop_table("data_receipt_purchase", schema="erp")
