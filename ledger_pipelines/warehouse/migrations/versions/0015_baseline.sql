CREATE TABLE billing.customers (
    customer_id BIGINT NOT NULL,
    name TEXT,
    email TEXT,
    role TEXT NOT NULL,
    no_kontrak TEXT,
    alamat TEXT,
    nomor_tlpn TEXT,
    total_deposit NUMERIC,
    total_purchases NUMERIC,
    harga_per_meter_kubik NUMERIC,
    tekanan_keluar NUMERIC,
    suhu NUMERIC,
    koreksi_meter NUMERIC,
    use_realtime_calculation BOOLEAN NOT NULL,
    balance_last_updated_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_customers PRIMARY KEY (customer_id)
);
COMMENT ON TABLE billing.customers IS 'The billing application''s customers: its users with role customer or fob';
COMMENT ON COLUMN billing.customers.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN billing.customers.name IS 'Name';
COMMENT ON COLUMN billing.customers.email IS 'E-mail address';
COMMENT ON COLUMN billing.customers.role IS 'customer: metered; fob: billed free on board, in Sm³';
COMMENT ON COLUMN billing.customers.no_kontrak IS 'Contract number';
COMMENT ON COLUMN billing.customers.alamat IS 'Address';
COMMENT ON COLUMN billing.customers.nomor_tlpn IS 'Telephone number';
COMMENT ON COLUMN billing.customers.total_deposit IS 'The application''s own running total of deposits, in rupiah';
COMMENT ON COLUMN billing.customers.total_purchases IS 'The application''s own running total of purchases, in rupiah';
COMMENT ON COLUMN billing.customers.harga_per_meter_kubik IS 'Price of one Sm³ in rupiah, the customer''s default';
COMMENT ON COLUMN billing.customers.tekanan_keluar IS 'Outlet pressure in bar gauge, the customer''s default';
COMMENT ON COLUMN billing.customers.suhu IS 'Gas temperature in °C, the customer''s default';
COMMENT ON COLUMN billing.customers.koreksi_meter IS 'Correction factor from metered m³ to Sm³, the customer''s default';
COMMENT ON COLUMN billing.customers.use_realtime_calculation IS 'False: automatic recalculation leaves the customer alone';
COMMENT ON COLUMN billing.customers.balance_last_updated_at IS 'When the application last updated its balance';
COMMENT ON COLUMN billing.customers.created_at IS 'When the application created the row';
COMMENT ON COLUMN billing.customers.updated_at IS 'When the application last changed the row';

CREATE TABLE billing.deposits (
    customer_id BIGINT NOT NULL,
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    deposited_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ordinal INTEGER NOT NULL,
    amount NUMERIC(60, 2) NOT NULL,
    amount_given NUMERIC NOT NULL,
    keterangan TEXT NOT NULL,
    description TEXT,
    CONSTRAINT pk_deposits PRIMARY KEY (customer_id, deposited_at, ordinal, year_month)
)
 PARTITION BY LIST (year_month);
COMMENT ON TABLE billing.deposits IS 'Deposit entries of the customers (users.deposit_history), one row a usable entry';
COMMENT ON COLUMN billing.deposits.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN billing.deposits.year_month IS 'Month of the deposit in WIB';
COMMENT ON COLUMN billing.deposits.deposited_at IS 'The deposit''s own date';
COMMENT ON COLUMN billing.deposits.ordinal IS '0, or which of several entries of the customer at the same moment, in list order';
COMMENT ON COLUMN billing.deposits.amount IS 'Signed rupiah: what the entry adds to (or takes from) the balance';
COMMENT ON COLUMN billing.deposits.amount_given IS 'The amount as the entry gives it';
COMMENT ON COLUMN billing.deposits.keterangan IS 'penambahan: adds to the balance; pengurangan: takes from it';
COMMENT ON COLUMN billing.deposits.description IS 'Free text of the entry';

CREATE TABLE billing.meter_readings (
    reading_id BIGINT NOT NULL,
    customer_id BIGINT NOT NULL,
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    reading_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    volume NUMERIC NOT NULL,
    opening_volume NUMERIC,
    closing_volume NUMERIC,
    harga_final NUMERIC,
    status_pembayaran TEXT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_meter_readings PRIMARY KEY (reading_id, year_month)
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_meter_readings_customer_id_reading_at ON billing.meter_readings (customer_id, reading_at);
COMMENT ON TABLE billing.meter_readings IS 'Usable meter readings (data_pencatatan), one row a reading';
COMMENT ON COLUMN billing.meter_readings.reading_id IS 'data_pencatatan.id of the billing application';
COMMENT ON COLUMN billing.meter_readings.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN billing.meter_readings.year_month IS 'Month of reading_at in WIB';
COMMENT ON COLUMN billing.meter_readings.kind IS 'metered: volume in metered m³; fob: volume in Sm³';
COMMENT ON COLUMN billing.meter_readings.reading_at IS 'The reading''s moment: pembacaan_awal.waktu (metered) or waktu (fob)';
COMMENT ON COLUMN billing.meter_readings.ended_at IS 'pembacaan_akhir.waktu of a metered reading';
COMMENT ON COLUMN billing.meter_readings.volume IS 'volume_flow_meter (m³) or volume_sm3 (Sm³), every digit as given';
COMMENT ON COLUMN billing.meter_readings.opening_volume IS 'State of the meter at the start, m³';
COMMENT ON COLUMN billing.meter_readings.closing_volume IS 'State of the meter at the end, m³';
COMMENT ON COLUMN billing.meter_readings.harga_final IS 'The application''s own amount for the reading, in rupiah';
COMMENT ON COLUMN billing.meter_readings.status_pembayaran IS 'belum_lunas: unpaid; lunas: paid';
COMMENT ON COLUMN billing.meter_readings.created_at IS 'When the application created the row';
COMMENT ON COLUMN billing.meter_readings.updated_at IS 'When the application last changed the row';

CREATE TABLE billing.prices (
    customer_id BIGINT NOT NULL,
    position INTEGER NOT NULL,
    rule TEXT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE NOT NULL,
    harga_per_meter_kubik NUMERIC,
    tekanan_keluar NUMERIC,
    suhu NUMERIC,
    koreksi_meter NUMERIC,
    entry JSONB NOT NULL,
    CONSTRAINT pk_prices PRIMARY KEY (customer_id, position),
    CONSTRAINT ck_prices_rule CHECK (rule IN ('custom_period', 'monthly')),
    CONSTRAINT ck_prices_period CHECK (valid_from < valid_to)
);
COMMENT ON TABLE billing.prices IS 'Price entries of the customers (users.pricing_history), one row a usable entry';
COMMENT ON COLUMN billing.prices.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN billing.prices.position IS 'Place of the entry in the customer''s list, from 0; the first that applies wins';
COMMENT ON COLUMN billing.prices.rule IS 'custom_period or monthly';
COMMENT ON COLUMN billing.prices.valid_from IS 'First moment at which the entry applies';
COMMENT ON COLUMN billing.prices.valid_to IS 'First moment at which it no longer applies (the end in the source is inclusive)';
COMMENT ON COLUMN billing.prices.harga_per_meter_kubik IS 'Price of one Sm³ in rupiah, as the entry gives it';
COMMENT ON COLUMN billing.prices.tekanan_keluar IS 'Outlet pressure in bar gauge, as the entry gives it';
COMMENT ON COLUMN billing.prices.suhu IS 'Gas temperature in °C, as the entry gives it';
COMMENT ON COLUMN billing.prices.koreksi_meter IS 'Correction factor from metered m³ to Sm³, as the entry gives it';
COMMENT ON COLUMN billing.prices.entry IS 'The entry as it stands in the application';

CREATE TABLE erp.data_receipt_purchase (
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    po_no TEXT,
    bp_id TEXT,
    bp_name TEXT,
    currency TEXT,
    po_type TEXT,
    po_reference TEXT,
    po_line TEXT,
    po_sequence TEXT,
    po_receipt_sequence TEXT,
    actual_receipt_date DATE,
    actual_receipt_year TEXT,
    actual_receipt_period TEXT,
    receipt_no TEXT,
    receipt_line TEXT,
    gr_no TEXT,
    packing_slip TEXT,
    item_no TEXT,
    ics_code TEXT,
    ics_part TEXT,
    part_no TEXT,
    item_desc TEXT,
    item_group TEXT,
    item_type TEXT,
    item_type_desc TEXT,
    request_qty NUMERIC,
    actual_receipt_qty NUMERIC,
    approve_qty NUMERIC,
    unit TEXT,
    receipt_amount NUMERIC,
    receipt_unit_price NUMERIC,
    is_final_receipt BOOLEAN,
    is_confirmed BOOLEAN,
    inv_doc_no TEXT,
    inv_doc_date DATE,
    inv_qty NUMERIC,
    inv_amount NUMERIC,
    inv_supplier_no TEXT,
    inv_due_date DATE,
    payment_doc TEXT,
    payment_doc_date DATE,
    synced_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_data_receipt_purchase_key ON erp.data_receipt_purchase (receipt_no text_pattern_ops, receipt_line text_pattern_ops);
COMMENT ON TABLE erp.data_receipt_purchase IS 'Purchase receipts with their invoices and payments: one row a receipt line';
COMMENT ON COLUMN erp.data_receipt_purchase.year_month IS 'Month of actual_receipt_date, else inv_doc_date, in WIB';
COMMENT ON COLUMN erp.data_receipt_purchase.po_no IS 'Purchase order number';
COMMENT ON COLUMN erp.data_receipt_purchase.bp_id IS 'Supplier, code';
COMMENT ON COLUMN erp.data_receipt_purchase.bp_name IS 'Supplier';
COMMENT ON COLUMN erp.data_receipt_purchase.currency IS 'Currency of the amounts';
COMMENT ON COLUMN erp.data_receipt_purchase.po_type IS 'Kind of purchase order';
COMMENT ON COLUMN erp.data_receipt_purchase.po_reference IS 'Reference of the purchase order';
COMMENT ON COLUMN erp.data_receipt_purchase.po_line IS 'Line of the purchase order';
COMMENT ON COLUMN erp.data_receipt_purchase.po_sequence IS 'Sequence within the line';
COMMENT ON COLUMN erp.data_receipt_purchase.po_receipt_sequence IS 'Sequence of the receipt';
COMMENT ON COLUMN erp.data_receipt_purchase.actual_receipt_date IS 'Date of receipt';
COMMENT ON COLUMN erp.data_receipt_purchase.actual_receipt_year IS 'Financial year of the receipt';
COMMENT ON COLUMN erp.data_receipt_purchase.actual_receipt_period IS 'Financial period of the receipt';
COMMENT ON COLUMN erp.data_receipt_purchase.receipt_no IS 'Receipt number';
COMMENT ON COLUMN erp.data_receipt_purchase.receipt_line IS 'Line of the receipt';
COMMENT ON COLUMN erp.data_receipt_purchase.gr_no IS 'Goods receipt number';
COMMENT ON COLUMN erp.data_receipt_purchase.packing_slip IS 'Packing slip';
COMMENT ON COLUMN erp.data_receipt_purchase.item_no IS 'Item number';
COMMENT ON COLUMN erp.data_receipt_purchase.ics_code IS 'ICS code';
COMMENT ON COLUMN erp.data_receipt_purchase.ics_part IS 'ICS part';
COMMENT ON COLUMN erp.data_receipt_purchase.part_no IS 'Part number';
COMMENT ON COLUMN erp.data_receipt_purchase.item_desc IS 'Item';
COMMENT ON COLUMN erp.data_receipt_purchase.item_group IS 'Item group';
COMMENT ON COLUMN erp.data_receipt_purchase.item_type IS 'Kind of item, code';
COMMENT ON COLUMN erp.data_receipt_purchase.item_type_desc IS 'Kind of item';
COMMENT ON COLUMN erp.data_receipt_purchase.request_qty IS 'Quantity requested, in units';
COMMENT ON COLUMN erp.data_receipt_purchase.actual_receipt_qty IS 'Quantity received, in units';
COMMENT ON COLUMN erp.data_receipt_purchase.approve_qty IS 'Quantity approved, in units';
COMMENT ON COLUMN erp.data_receipt_purchase.unit IS 'Unit of the quantities';
COMMENT ON COLUMN erp.data_receipt_purchase.receipt_amount IS 'Amount of the receipt, in the currency';
COMMENT ON COLUMN erp.data_receipt_purchase.receipt_unit_price IS 'Price of one unit, in the currency';
COMMENT ON COLUMN erp.data_receipt_purchase.is_final_receipt IS 'Whether it is the last receipt of the line';
COMMENT ON COLUMN erp.data_receipt_purchase.is_confirmed IS 'Whether it is confirmed';
COMMENT ON COLUMN erp.data_receipt_purchase.inv_doc_no IS 'Invoice document number';
COMMENT ON COLUMN erp.data_receipt_purchase.inv_doc_date IS 'Date of the invoice document';
COMMENT ON COLUMN erp.data_receipt_purchase.inv_qty IS 'Quantity invoiced, in units';
COMMENT ON COLUMN erp.data_receipt_purchase.inv_amount IS 'Amount invoiced, in the currency';
COMMENT ON COLUMN erp.data_receipt_purchase.inv_supplier_no IS 'The supplier''s invoice number';
COMMENT ON COLUMN erp.data_receipt_purchase.inv_due_date IS 'Date on which the invoice is due';
COMMENT ON COLUMN erp.data_receipt_purchase.payment_doc IS 'Payment document number';
COMMENT ON COLUMN erp.data_receipt_purchase.payment_doc_date IS 'Date of the payment document';
COMMENT ON COLUMN erp.data_receipt_purchase.synced_at IS 'When this row came or last changed';

CREATE TABLE erp.so_invoice_line (
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    bp_code TEXT,
    bp_name TEXT,
    sales_order TEXT,
    so_date DATE,
    so_line BIGINT,
    so_sequence BIGINT,
    customer_po TEXT,
    shipment TEXT,
    shipment_line BIGINT,
    delivery_date DATE,
    receipt TEXT,
    receipt_line TEXT,
    receipt_date DATE,
    part_no TEXT,
    old_partno TEXT,
    product_type TEXT,
    cust_partno TEXT,
    cust_partname TEXT,
    item_group TEXT,
    delivered_qty NUMERIC,
    unit TEXT,
    shipment_reference TEXT,
    status TEXT,
    shipment_status TEXT,
    invoice_no TEXT,
    inv_line BIGINT,
    invoice_date DATE,
    invoice_qty NUMERIC,
    currency TEXT,
    price NUMERIC,
    amount NUMERIC,
    price_hc NUMERIC,
    amount_hc NUMERIC,
    inv_stat TEXT,
    invoice_status TEXT,
    dlv_log_date DATE,
    synced_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_so_invoice_line_key ON erp.so_invoice_line (sales_order text_pattern_ops, so_line);
COMMENT ON TABLE erp.so_invoice_line IS 'Shipments of sales order lines and their invoices; one order line has many of both';
COMMENT ON COLUMN erp.so_invoice_line.year_month IS 'Month of delivery_date, else invoice_date, else so_date, in WIB';
COMMENT ON COLUMN erp.so_invoice_line.bp_code IS 'Business partner, code';
COMMENT ON COLUMN erp.so_invoice_line.bp_name IS 'Business partner';
COMMENT ON COLUMN erp.so_invoice_line.sales_order IS 'Sales order number';
COMMENT ON COLUMN erp.so_invoice_line.so_date IS 'Date of the sales order';
COMMENT ON COLUMN erp.so_invoice_line.so_line IS 'Line of the sales order';
COMMENT ON COLUMN erp.so_invoice_line.so_sequence IS 'Sequence within the line';
COMMENT ON COLUMN erp.so_invoice_line.customer_po IS 'The customer''s purchase order';
COMMENT ON COLUMN erp.so_invoice_line.shipment IS 'Shipment number';
COMMENT ON COLUMN erp.so_invoice_line.shipment_line IS 'Line of the shipment';
COMMENT ON COLUMN erp.so_invoice_line.delivery_date IS 'Date of delivery';
COMMENT ON COLUMN erp.so_invoice_line.receipt IS 'Receipt number';
COMMENT ON COLUMN erp.so_invoice_line.receipt_line IS 'Line of the receipt';
COMMENT ON COLUMN erp.so_invoice_line.receipt_date IS 'Date of receipt';
COMMENT ON COLUMN erp.so_invoice_line.part_no IS 'Part number';
COMMENT ON COLUMN erp.so_invoice_line.old_partno IS 'Former part number';
COMMENT ON COLUMN erp.so_invoice_line.product_type IS 'Product type';
COMMENT ON COLUMN erp.so_invoice_line.cust_partno IS 'The customer''s part number';
COMMENT ON COLUMN erp.so_invoice_line.cust_partname IS 'The customer''s name of the part';
COMMENT ON COLUMN erp.so_invoice_line.item_group IS 'Item group';
COMMENT ON COLUMN erp.so_invoice_line.delivered_qty IS 'Quantity delivered, in units';
COMMENT ON COLUMN erp.so_invoice_line.unit IS 'Unit of the quantities';
COMMENT ON COLUMN erp.so_invoice_line.shipment_reference IS 'Reference of the shipment';
COMMENT ON COLUMN erp.so_invoice_line.status IS 'Status of the line, code';
COMMENT ON COLUMN erp.so_invoice_line.shipment_status IS 'Status of the shipment';
COMMENT ON COLUMN erp.so_invoice_line.invoice_no IS 'Invoice number';
COMMENT ON COLUMN erp.so_invoice_line.inv_line IS 'Line of the invoice';
COMMENT ON COLUMN erp.so_invoice_line.invoice_date IS 'Date of the invoice';
COMMENT ON COLUMN erp.so_invoice_line.invoice_qty IS 'Quantity invoiced, in units';
COMMENT ON COLUMN erp.so_invoice_line.currency IS 'Currency of price and amount';
COMMENT ON COLUMN erp.so_invoice_line.price IS 'Price of one unit, in the currency';
COMMENT ON COLUMN erp.so_invoice_line.amount IS 'Amount invoiced, in the currency';
COMMENT ON COLUMN erp.so_invoice_line.price_hc IS 'Price of one unit, in the home currency';
COMMENT ON COLUMN erp.so_invoice_line.amount_hc IS 'Amount invoiced, in the home currency';
COMMENT ON COLUMN erp.so_invoice_line.inv_stat IS 'Status of the invoice, code';
COMMENT ON COLUMN erp.so_invoice_line.invoice_status IS 'Status of the invoice';
COMMENT ON COLUMN erp.so_invoice_line.dlv_log_date IS 'Date on which the delivery was logged';
COMMENT ON COLUMN erp.so_invoice_line.synced_at IS 'When this row came or last changed';

CREATE TABLE erp.stockbywh (
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    warehouse TEXT,
    partno TEXT,
    "desc" TEXT,
    partname TEXT,
    oldpartno TEXT,
    "group" TEXT,
    groupkey TEXT,
    product_type TEXT,
    model TEXT,
    customer TEXT,
    onhand NUMERIC,
    allocated NUMERIC,
    onorder NUMERIC,
    economicstock NUMERIC,
    safety_stock NUMERIC,
    min_stock NUMERIC,
    max_stock NUMERIC,
    unit TEXT,
    location TEXT,
    synced_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_stockbywh_key ON erp.stockbywh (warehouse text_pattern_ops, partno text_pattern_ops);
COMMENT ON TABLE erp.stockbywh IS 'Stock per warehouse and part: the current month as last read, earlier months as they last were';
COMMENT ON COLUMN erp.stockbywh.year_month IS 'Month in which the row was read, in WIB';
COMMENT ON COLUMN erp.stockbywh.warehouse IS 'Warehouse code';
COMMENT ON COLUMN erp.stockbywh.partno IS 'Part number';
COMMENT ON COLUMN erp.stockbywh."desc" IS 'Description of the part';
COMMENT ON COLUMN erp.stockbywh.partname IS 'Name of the part';
COMMENT ON COLUMN erp.stockbywh.oldpartno IS 'Former part number';
COMMENT ON COLUMN erp.stockbywh."group" IS 'Item group';
COMMENT ON COLUMN erp.stockbywh.groupkey IS 'Key of the item group';
COMMENT ON COLUMN erp.stockbywh.product_type IS 'Product type';
COMMENT ON COLUMN erp.stockbywh.model IS 'Model that the part is for';
COMMENT ON COLUMN erp.stockbywh.customer IS 'Customer that the part is for';
COMMENT ON COLUMN erp.stockbywh.onhand IS 'Quantity on hand, in units';
COMMENT ON COLUMN erp.stockbywh.allocated IS 'Quantity allocated to orders, in units';
COMMENT ON COLUMN erp.stockbywh.onorder IS 'Quantity on order, in units';
COMMENT ON COLUMN erp.stockbywh.economicstock IS 'On hand - allocated + on order, in units';
COMMENT ON COLUMN erp.stockbywh.safety_stock IS 'Safety stock, in units';
COMMENT ON COLUMN erp.stockbywh.min_stock IS 'Lowest stock wanted, in units';
COMMENT ON COLUMN erp.stockbywh.max_stock IS 'Highest stock wanted, in units';
COMMENT ON COLUMN erp.stockbywh.unit IS 'Unit of the quantities';
COMMENT ON COLUMN erp.stockbywh.location IS 'Location within the warehouse';
COMMENT ON COLUMN erp.stockbywh.synced_at IS 'When this row came or last changed';

CREATE TABLE erp.view_prod_header (
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    prod_index BIGINT,
    prod_no TEXT,
    planning_date DATE,
    item TEXT,
    old_partno TEXT,
    description TEXT,
    mat_desc TEXT,
    customer TEXT,
    model TEXT,
    unique_no TEXT,
    sanoh_code TEXT,
    snp TEXT,
    sts TEXT,
    status TEXT,
    qty_order NUMERIC,
    qty_delivery NUMERIC,
    qty_os NUMERIC,
    warehouse TEXT,
    divisi TEXT,
    synced_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_view_prod_header_key ON erp.view_prod_header (prod_index);
COMMENT ON TABLE erp.view_prod_header IS 'Production orders: one row an order';
COMMENT ON COLUMN erp.view_prod_header.year_month IS 'Month of planning_date, in WIB';
COMMENT ON COLUMN erp.view_prod_header.prod_index IS 'Number of the row in the ERP';
COMMENT ON COLUMN erp.view_prod_header.prod_no IS 'Production order number';
COMMENT ON COLUMN erp.view_prod_header.planning_date IS 'Date planned';
COMMENT ON COLUMN erp.view_prod_header.item IS 'Item produced, code';
COMMENT ON COLUMN erp.view_prod_header.old_partno IS 'Former part number';
COMMENT ON COLUMN erp.view_prod_header.description IS 'Item produced';
COMMENT ON COLUMN erp.view_prod_header.mat_desc IS 'Material';
COMMENT ON COLUMN erp.view_prod_header.customer IS 'Customer that it is produced for';
COMMENT ON COLUMN erp.view_prod_header.model IS 'Model';
COMMENT ON COLUMN erp.view_prod_header.unique_no IS 'Unique number of the part';
COMMENT ON COLUMN erp.view_prod_header.sanoh_code IS 'The company''s own code of the part';
COMMENT ON COLUMN erp.view_prod_header.snp IS 'Standard number of parts in a package';
COMMENT ON COLUMN erp.view_prod_header.sts IS 'Status, code';
COMMENT ON COLUMN erp.view_prod_header.status IS 'Status';
COMMENT ON COLUMN erp.view_prod_header.qty_order IS 'Quantity ordered, in units';
COMMENT ON COLUMN erp.view_prod_header.qty_delivery IS 'Quantity delivered, in units';
COMMENT ON COLUMN erp.view_prod_header.qty_os IS 'Quantity outstanding, in units';
COMMENT ON COLUMN erp.view_prod_header.warehouse IS 'Warehouse';
COMMENT ON COLUMN erp.view_prod_header.divisi IS 'Division';
COMMENT ON COLUMN erp.view_prod_header.synced_at IS 'When this row came or last changed';

CREATE TABLE erp.view_warehouse_order (
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    order_origin_code TEXT,
    order_origin TEXT,
    trx_type TEXT,
    order_date DATE,
    plan_delivery_date DATE,
    ship_from_type TEXT,
    ship_from TEXT,
    ship_from_desc TEXT,
    ship_to_type TEXT,
    ship_to TEXT,
    ship_to_desc TEXT,
    synced_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_view_warehouse_order_key ON erp.view_warehouse_order (order_origin_code text_pattern_ops);
COMMENT ON TABLE erp.view_warehouse_order IS 'Warehouse orders: one row an order';
COMMENT ON COLUMN erp.view_warehouse_order.year_month IS 'Month of order_date, else plan_delivery_date, in WIB';
COMMENT ON COLUMN erp.view_warehouse_order.order_origin_code IS 'Origin and number of the order, code';
COMMENT ON COLUMN erp.view_warehouse_order.order_origin IS 'Origin of the order';
COMMENT ON COLUMN erp.view_warehouse_order.trx_type IS 'Kind of transaction';
COMMENT ON COLUMN erp.view_warehouse_order.order_date IS 'Date of the order';
COMMENT ON COLUMN erp.view_warehouse_order.plan_delivery_date IS 'Date on which delivery is planned';
COMMENT ON COLUMN erp.view_warehouse_order.ship_from_type IS 'Kind of place shipped from';
COMMENT ON COLUMN erp.view_warehouse_order.ship_from IS 'Place shipped from, code';
COMMENT ON COLUMN erp.view_warehouse_order.ship_from_desc IS 'Place shipped from';
COMMENT ON COLUMN erp.view_warehouse_order.ship_to_type IS 'Kind of place shipped to';
COMMENT ON COLUMN erp.view_warehouse_order.ship_to IS 'Place shipped to, code';
COMMENT ON COLUMN erp.view_warehouse_order.ship_to_desc IS 'Place shipped to';
COMMENT ON COLUMN erp.view_warehouse_order.synced_at IS 'When this row came or last changed';

CREATE TABLE erp.view_warehouse_order_line (
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    order_origin_code TEXT,
    order_origin TEXT,
    trx_type TEXT,
    order_date DATE,
    delivery_date DATE,
    receipt_date DATE,
    order_no TEXT,
    line_no BIGINT,
    ship_from_type TEXT,
    ship_from TEXT,
    ship_from_desc TEXT,
    ship_to_type TEXT,
    ship_to TEXT,
    ship_to_desc TEXT,
    item_code TEXT,
    item_desc TEXT,
    item_desc2 TEXT,
    order_qty NUMERIC,
    ship_qty NUMERIC,
    unit TEXT,
    line_status_code TEXT,
    line_status TEXT,
    synced_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_view_warehouse_order_line_key ON erp.view_warehouse_order_line (order_origin_code text_pattern_ops, line_no);
COMMENT ON TABLE erp.view_warehouse_order_line IS 'Lines of warehouse orders: one row a line';
COMMENT ON COLUMN erp.view_warehouse_order_line.year_month IS 'Month of order_date, else delivery_date, in WIB';
COMMENT ON COLUMN erp.view_warehouse_order_line.order_origin_code IS 'Origin and number of the order, code';
COMMENT ON COLUMN erp.view_warehouse_order_line.order_origin IS 'Origin of the order';
COMMENT ON COLUMN erp.view_warehouse_order_line.trx_type IS 'Kind of transaction';
COMMENT ON COLUMN erp.view_warehouse_order_line.order_date IS 'Date of the order';
COMMENT ON COLUMN erp.view_warehouse_order_line.delivery_date IS 'Date of delivery';
COMMENT ON COLUMN erp.view_warehouse_order_line.receipt_date IS 'Date of receipt';
COMMENT ON COLUMN erp.view_warehouse_order_line.order_no IS 'Order number';
COMMENT ON COLUMN erp.view_warehouse_order_line.line_no IS 'Line of the order';
COMMENT ON COLUMN erp.view_warehouse_order_line.ship_from_type IS 'Kind of place shipped from';
COMMENT ON COLUMN erp.view_warehouse_order_line.ship_from IS 'Place shipped from, code';
COMMENT ON COLUMN erp.view_warehouse_order_line.ship_from_desc IS 'Place shipped from';
COMMENT ON COLUMN erp.view_warehouse_order_line.ship_to_type IS 'Kind of place shipped to';
COMMENT ON COLUMN erp.view_warehouse_order_line.ship_to IS 'Place shipped to, code';
COMMENT ON COLUMN erp.view_warehouse_order_line.ship_to_desc IS 'Place shipped to';
COMMENT ON COLUMN erp.view_warehouse_order_line.item_code IS 'Item code';
COMMENT ON COLUMN erp.view_warehouse_order_line.item_desc IS 'Item';
COMMENT ON COLUMN erp.view_warehouse_order_line.item_desc2 IS 'Item, further description';
COMMENT ON COLUMN erp.view_warehouse_order_line.order_qty IS 'Quantity ordered, in units';
COMMENT ON COLUMN erp.view_warehouse_order_line.ship_qty IS 'Quantity shipped, in units';
COMMENT ON COLUMN erp.view_warehouse_order_line.unit IS 'Unit of the quantities';
COMMENT ON COLUMN erp.view_warehouse_order_line.line_status_code IS 'Status of the line, code';
COMMENT ON COLUMN erp.view_warehouse_order_line.line_status IS 'Status of the line';
COMMENT ON COLUMN erp.view_warehouse_order_line.synced_at IS 'When this row came or last changed';

CREATE TABLE ledger.balance_alerts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id UUID DEFAULT gen_random_uuid() NOT NULL,
    customer_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    raised_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    balance NUMERIC(60, 2) NOT NULL,
    threshold NUMERIC(60, 2) NOT NULL,
    days_left NUMERIC,
    days INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    cleared_at TIMESTAMP WITH TIME ZONE,
    delivered_at TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    CONSTRAINT pk_balance_alerts PRIMARY KEY (id),
    CONSTRAINT ck_balance_alerts_kind CHECK (kind IN ('threshold', 'days_left'))
);
CREATE INDEX ix_balance_alerts_undelivered ON ledger.balance_alerts (raised_at) WHERE delivered_at IS NULL;
CREATE UNIQUE INDEX uq_balance_alerts_open ON ledger.balance_alerts (customer_id, kind) WHERE cleared_at IS NULL;
COMMENT ON TABLE ledger.balance_alerts IS 'Low balances: one row for each time that a customer''s current balance became low';
COMMENT ON COLUMN ledger.balance_alerts.id IS 'Number of the alert';
COMMENT ON COLUMN ledger.balance_alerts.event_id IS 'Names the alert to whom it is posted, however often';
COMMENT ON COLUMN ledger.balance_alerts.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN ledger.balance_alerts.kind IS 'threshold: the balance fell below the threshold; days_left: it lasts too few days';
COMMENT ON COLUMN ledger.balance_alerts.raised_at IS 'When the balance that is low was written';
COMMENT ON COLUMN ledger.balance_alerts.balance IS 'Closing balance of the current month, then';
COMMENT ON COLUMN ledger.balance_alerts.threshold IS 'The customer''s threshold in rupiah, then';
COMMENT ON COLUMN ledger.balance_alerts.days_left IS 'Days the balance lasted at the use of the 30 days before, cut to one decimal; null: no use';
COMMENT ON COLUMN ledger.balance_alerts.days IS 'How many days it should last, then; 0: not looked at';
COMMENT ON COLUMN ledger.balance_alerts.run_id IS 'The run that wrote the balance';
COMMENT ON COLUMN ledger.balance_alerts.cleared_at IS 'When the balance was written that is not low any more; null: low';
COMMENT ON COLUMN ledger.balance_alerts.delivered_at IS 'When the webhook accepted it; null: not yet, or no webhook is set';
COMMENT ON COLUMN ledger.balance_alerts.attempts IS 'How often it was posted';
COMMENT ON COLUMN ledger.balance_alerts.next_attempt_at IS 'Not to be posted again before; null: not posted yet';
COMMENT ON COLUMN ledger.balance_alerts.last_error IS 'Why the last attempt failed; null: it did not';

CREATE TABLE ledger.balance_comparison (
    customer_id BIGINT NOT NULL,
    last_month VARCHAR(7) COLLATE "C",
    ledger_balance NUMERIC(60, 2) NOT NULL,
    application_balance NUMERIC NOT NULL,
    difference NUMERIC NOT NULL,
    matches BOOLEAN NOT NULL,
    reasons TEXT[] NOT NULL,
    rounding NUMERIC NOT NULL,
    readings_without_price NUMERIC NOT NULL,
    rejected_readings NUMERIC NOT NULL,
    duplicate_readings NUMERIC NOT NULL,
    billed_otherwise NUMERIC NOT NULL,
    rejected_deposits NUMERIC NOT NULL,
    deposits_outside_list NUMERIC NOT NULL,
    application_total_stale NUMERIC NOT NULL,
    unexplained NUMERIC NOT NULL,
    reason_rows JSONB NOT NULL,
    compared_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_balance_comparison PRIMARY KEY (customer_id),
    CONSTRAINT ck_balance_comparison_reasons CHECK (difference = rounding + readings_without_price + rejected_readings + duplicate_readings + billed_otherwise + rejected_deposits + deposits_outside_list + application_total_stale + unexplained)
);
CREATE INDEX ix_balance_comparison_mismatches ON ledger.balance_comparison (customer_id) WHERE NOT matches;
COMMENT ON TABLE ledger.balance_comparison IS 'The latest balance of each customer against the billing application''s own totals: one row a customer';
COMMENT ON COLUMN ledger.balance_comparison.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN ledger.balance_comparison.last_month IS 'The month of the latest balance; null: the customer has none';
COMMENT ON COLUMN ledger.balance_comparison.ledger_balance IS 'Closing balance of that month; 0 if the customer has none';
COMMENT ON COLUMN ledger.balance_comparison.application_balance IS 'total_deposit - total_purchases of the application; 0 for what is null';
COMMENT ON COLUMN ledger.balance_comparison.difference IS 'ledger_balance - application_balance: the sum of the reasons'' amounts';
COMMENT ON COLUMN ledger.balance_comparison.matches IS 'True if the difference is below 0.01 rupiah either way';
COMMENT ON COLUMN ledger.balance_comparison.reasons IS 'The reasons with an amount, if the balances do not match';
COMMENT ON COLUMN ledger.balance_comparison.rounding IS 'Rupiah of the difference: cents of rounding in the application''s bills and totals';
COMMENT ON COLUMN ledger.balance_comparison.readings_without_price IS 'Rupiah of the difference: bills of readings that have no price or factor by any rule';
COMMENT ON COLUMN ledger.balance_comparison.rejected_readings IS 'Rupiah of the difference: bills of readings that cannot be used (ops.rejected_rows)';
COMMENT ON COLUMN ledger.balance_comparison.duplicate_readings IS 'Rupiah of the difference: readings with the same start, of which the application counts one';
COMMENT ON COLUMN ledger.balance_comparison.billed_otherwise IS 'Rupiah of the difference: other readings whose bill (harga_final) is not what the rules give';
COMMENT ON COLUMN ledger.balance_comparison.rejected_deposits IS 'Rupiah of the difference: entries of deposit_history that cannot be used (ops.rejected_rows)';
COMMENT ON COLUMN ledger.balance_comparison.deposits_outside_list IS 'Rupiah of the difference: the list of deposits does not add up to total_deposit';
COMMENT ON COLUMN ledger.balance_comparison.application_total_stale IS 'Rupiah of the difference: total_purchases is out of date: the bills add up to the ledger''s amount';
COMMENT ON COLUMN ledger.balance_comparison.unexplained IS 'Rupiah of the difference: none of these';
COMMENT ON COLUMN ledger.balance_comparison.reason_rows IS 'How many rows stand for each reason that comes from rows';
COMMENT ON COLUMN ledger.balance_comparison.compared_at IS 'When this row last changed';

CREATE TABLE ledger.balance_thresholds (
    customer_id BIGINT NOT NULL,
    threshold NUMERIC(60, 2),
    days INTEGER,
    set_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_balance_thresholds PRIMARY KEY (customer_id),
    CONSTRAINT ck_balance_thresholds_days CHECK (days >= 0),
    CONSTRAINT ck_balance_thresholds_says_something CHECK (threshold IS NOT NULL OR days IS NOT NULL)
);
COMMENT ON TABLE ledger.balance_thresholds IS 'When the balance of a customer is low, where it is not as for all others';
COMMENT ON COLUMN ledger.balance_thresholds.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN ledger.balance_thresholds.threshold IS 'Low is a balance below this, in rupiah; null: as for all others';
COMMENT ON COLUMN ledger.balance_thresholds.days IS 'Low is what lasts fewer days than this; 0: never; null: as for all others';
COMMENT ON COLUMN ledger.balance_thresholds.set_at IS 'When it was last set';

CREATE TABLE ledger.customer_business_partners (
    customer_id BIGINT NOT NULL,
    bp_code TEXT NOT NULL,
    origin TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_customer_business_partners PRIMARY KEY (customer_id, bp_code),
    CONSTRAINT ck_customer_business_partners_origin CHECK (origin IN ('default', 'set', 'excluded'))
);
CREATE INDEX ix_customer_business_partners_bp_code ON ledger.customer_business_partners (bp_code);
COMMENT ON TABLE ledger.customer_business_partners IS 'Which business partners of the ERP a customer is invoiced as: one row a customer and partner';
COMMENT ON COLUMN ledger.customer_business_partners.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN ledger.customer_business_partners.bp_code IS 'The business partner: so_invoice_line.bp_code of the ERP';
COMMENT ON COLUMN ledger.customer_business_partners.origin IS 'default: the contract number is the code; set: by a person; excluded: by a person';
COMMENT ON COLUMN ledger.customer_business_partners.since IS 'Since when it is so';

CREATE TABLE ledger.invoice_reconciliation (
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    account TEXT NOT NULL,
    customer_id BIGINT,
    customers BIGINT[] NOT NULL,
    bp_codes TEXT[] NOT NULL,
    partner_name TEXT,
    purchases NUMERIC(60, 2) NOT NULL,
    invoiced NUMERIC NOT NULL,
    invoice_lines BIGINT NOT NULL,
    difference NUMERIC NOT NULL,
    status TEXT NOT NULL,
    compared_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_invoice_reconciliation PRIMARY KEY (year_month, account),
    CONSTRAINT ck_invoice_reconciliation_difference CHECK (difference = purchases - invoiced),
    CONSTRAINT ck_invoice_reconciliation_status CHECK (status IN ('matched', 'differs', 'not_invoiced', 'customer_without_partner', 'partner_without_customer'))
);
CREATE INDEX ix_invoice_reconciliation_customer_id ON ledger.invoice_reconciliation (customer_id);
COMMENT ON TABLE ledger.invoice_reconciliation IS 'Purchases of the ledger against the ERP''s invoices: one row a month and account';
COMMENT ON COLUMN ledger.invoice_reconciliation.year_month IS 'The month of the readings, and of the deliveries that the invoices are about';
COMMENT ON COLUMN ledger.invoice_reconciliation.account IS 'customer:N, the first of the customers; or partner:C for a partner without one';
COMMENT ON COLUMN ledger.invoice_reconciliation.customer_id IS 'The first of the customers; null: the account has no customer';
COMMENT ON COLUMN ledger.invoice_reconciliation.customers IS 'The customers: several if they are invoiced as one partner';
COMMENT ON COLUMN ledger.invoice_reconciliation.bp_codes IS 'The business partners: several if one customer is invoiced as them';
COMMENT ON COLUMN ledger.invoice_reconciliation.partner_name IS 'Name of a business partner, as an invoice has it';
COMMENT ON COLUMN ledger.invoice_reconciliation.purchases IS 'Purchases of the customers in the month, rupiah';
COMMENT ON COLUMN ledger.invoice_reconciliation.invoiced IS 'Sum of amount_hc of the partners'' invoiced lines of the month';
COMMENT ON COLUMN ledger.invoice_reconciliation.invoice_lines IS 'How many invoiced lines that are';
COMMENT ON COLUMN ledger.invoice_reconciliation.difference IS 'purchases - invoiced';
COMMENT ON COLUMN ledger.invoice_reconciliation.status IS 'Result of the reconciliation: docs/rules.md, Invoice reconciliation';
COMMENT ON COLUMN ledger.invoice_reconciliation.compared_at IS 'When this row last changed';

CREATE TABLE ledger.monthly_customer_balances (
    customer_id BIGINT NOT NULL,
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    opening_balance NUMERIC(60, 2) NOT NULL,
    total_deposits NUMERIC(60, 2) NOT NULL,
    total_purchases NUMERIC(60, 2) NOT NULL,
    closing_balance NUMERIC(60, 2) NOT NULL,
    total_volume_sm3 NUMERIC(60, 4) NOT NULL,
    calculation_details JSONB NOT NULL,
    last_calculated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_monthly_customer_balances PRIMARY KEY (customer_id, year_month)
);
CREATE INDEX ix_monthly_customer_balances_year_month ON ledger.monthly_customer_balances (year_month);
COMMENT ON TABLE ledger.monthly_customer_balances IS 'The balance of each customer month by month, without a gap from the first activity on';
COMMENT ON COLUMN ledger.monthly_customer_balances.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN ledger.monthly_customer_balances.year_month IS 'The month';
COMMENT ON COLUMN ledger.monthly_customer_balances.opening_balance IS 'closing_balance of the month before; 0 before the first';
COMMENT ON COLUMN ledger.monthly_customer_balances.total_deposits IS 'Signed deposits dated in the month';
COMMENT ON COLUMN ledger.monthly_customer_balances.total_purchases IS 'Sum of total_harga of the month''s transactions';
COMMENT ON COLUMN ledger.monthly_customer_balances.closing_balance IS 'opening_balance + total_deposits - total_purchases; negative: the customer owes';
COMMENT ON COLUMN ledger.monthly_customer_balances.total_volume_sm3 IS 'Sum of volume_sm3 of the month''s transactions';
COMMENT ON COLUMN ledger.monthly_customer_balances.calculation_details IS 'How many transactions and deposit entries the month''s figures stand for';
COMMENT ON COLUMN ledger.monthly_customer_balances.last_calculated_at IS 'When this row last changed';

CREATE TABLE ledger.stale_months (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    table_name TEXT NOT NULL,
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    customer_id BIGINT,
    noted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_stale_months PRIMARY KEY (id),
    CONSTRAINT uq_stale_months_table_name_year_month_customer_id UNIQUE NULLS NOT DISTINCT (table_name, year_month, customer_id)
);
COMMENT ON TABLE ledger.stale_months IS 'Months of a ledger table whose inputs changed: to be recalculated. Empty when all is current';
COMMENT ON COLUMN ledger.stale_months.id IS 'Number of the note';
COMMENT ON COLUMN ledger.stale_months.table_name IS 'The table to recalculate';
COMMENT ON COLUMN ledger.stale_months.year_month IS 'The month to recalculate';
COMMENT ON COLUMN ledger.stale_months.customer_id IS 'The customer to recalculate; null: every customer';
COMMENT ON COLUMN ledger.stale_months.noted_at IS 'When the change was noted';

CREATE TABLE ledger.transaction_calculations (
    customer_id BIGINT NOT NULL,
    data_pencatatan_id BIGINT NOT NULL,
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    transaction_date TIMESTAMP WITH TIME ZONE NOT NULL,
    volume_flow_meter NUMERIC NOT NULL,
    koreksi_meter NUMERIC NOT NULL,
    volume_sm3 NUMERIC(60, 4) NOT NULL,
    harga_per_m3 NUMERIC NOT NULL,
    total_harga NUMERIC(60, 2) NOT NULL,
    pricing_used JSONB NOT NULL,
    tekanan_keluar NUMERIC,
    suhu NUMERIC,
    calculated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    is_recalculated BOOLEAN NOT NULL,
    CONSTRAINT pk_transaction_calculations PRIMARY KEY (data_pencatatan_id, year_month)
)
 PARTITION BY LIST (year_month);
CREATE INDEX ix_transaction_calculations_customer_id_transaction_date ON ledger.transaction_calculations (customer_id, transaction_date);
COMMENT ON TABLE ledger.transaction_calculations IS 'What each usable reading cost: one row a reading';
COMMENT ON COLUMN ledger.transaction_calculations.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN ledger.transaction_calculations.data_pencatatan_id IS 'The reading: data_pencatatan.id; unique over all months';
COMMENT ON COLUMN ledger.transaction_calculations.year_month IS 'Month of the reading in WIB';
COMMENT ON COLUMN ledger.transaction_calculations.transaction_date IS 'The reading''s moment';
COMMENT ON COLUMN ledger.transaction_calculations.volume_flow_meter IS 'Volume as given: metered m³, or Sm³ for fob';
COMMENT ON COLUMN ledger.transaction_calculations.koreksi_meter IS 'Correction factor applied; 1 for fob';
COMMENT ON COLUMN ledger.transaction_calculations.volume_sm3 IS 'volume_flow_meter × koreksi_meter, rounded to 4 decimals';
COMMENT ON COLUMN ledger.transaction_calculations.harga_per_m3 IS 'Price of one Sm³ in rupiah in force at the reading''s moment';
COMMENT ON COLUMN ledger.transaction_calculations.total_harga IS 'volume_flow_meter × koreksi_meter × harga_per_m3, rounded once to 2 decimals';
COMMENT ON COLUMN ledger.transaction_calculations.pricing_used IS 'Which rule gave the price, the entry as used, its dates, where the factor is from';
COMMENT ON COLUMN ledger.transaction_calculations.tekanan_keluar IS 'Outlet pressure in force, bar gauge';
COMMENT ON COLUMN ledger.transaction_calculations.suhu IS 'Gas temperature in force, °C';
COMMENT ON COLUMN ledger.transaction_calculations.calculated_at IS 'When this row last changed';
COMMENT ON COLUMN ledger.transaction_calculations.is_recalculated IS 'True if the row replaced or corrected an earlier one';

CREATE TABLE ops.api_tokens (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    prefix TEXT NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_tokens PRIMARY KEY (id),
    CONSTRAINT uq_api_tokens_prefix UNIQUE (prefix),
    CONSTRAINT ck_api_tokens_role CHECK (role IN ('viewer', 'admin'))
);
CREATE UNIQUE INDEX uq_api_tokens_name ON ops.api_tokens (name) WHERE revoked_at IS NULL;
COMMENT ON TABLE ops.api_tokens IS 'Tokens of the API and the dashboard: one row for each token ever issued; the token itself is not stored';
COMMENT ON COLUMN ops.api_tokens.id IS 'Number of the token';
COMMENT ON COLUMN ops.api_tokens.name IS 'Name of the token''s user or application';
COMMENT ON COLUMN ops.api_tokens.role IS 'viewer: may read; admin: may also start and change things';
COMMENT ON COLUMN ops.api_tokens.prefix IS 'The token''s public part, used to look it up';
COMMENT ON COLUMN ops.api_tokens.digest IS 'SHA-256 of the token''s secret part';
COMMENT ON COLUMN ops.api_tokens.created_at IS 'When it was created';
COMMENT ON COLUMN ops.api_tokens.expires_at IS 'When it expires; null: never';
COMMENT ON COLUMN ops.api_tokens.revoked_at IS 'When it was revoked; null: it was not';
COMMENT ON COLUMN ops.api_tokens.last_used_at IS 'When it was last used, to the minute; null: never';

CREATE TABLE ops.deletion_confirmations (
    customer_id BIGINT NOT NULL,
    table_name TEXT NOT NULL,
    rows BIGINT NOT NULL,
    confirmed_by TEXT NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_deletion_confirmations PRIMARY KEY (customer_id, table_name),
    CONSTRAINT ck_deletion_confirmations_rows CHECK (rows > 0)
);
COMMENT ON TABLE ops.deletion_confirmations IS 'Deletions that the guard refused and a person confirmed: one row a customer and table';
COMMENT ON COLUMN ops.deletion_confirmations.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN ops.deletion_confirmations.table_name IS 'The table that may lose the rows, with its schema';
COMMENT ON COLUMN ops.deletion_confirmations.rows IS 'How many rows of the customer may go; more are refused again';
COMMENT ON COLUMN ops.deletion_confirmations.confirmed_by IS 'Who confirmed it';
COMMENT ON COLUMN ops.deletion_confirmations.confirmed_at IS 'When it was confirmed';
COMMENT ON COLUMN ops.deletion_confirmations.expires_at IS 'From this moment on it allows nothing';

CREATE TABLE ops.incidents (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id UUID DEFAULT gen_random_uuid() NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    customers BIGINT[] DEFAULT '{}' NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    occurrences BIGINT DEFAULT 1 NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    what_to_do TEXT NOT NULL,
    details JSONB DEFAULT '{}' NOT NULL,
    run_id TEXT,
    delivered_at TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    CONSTRAINT pk_incidents PRIMARY KEY (id),
    CONSTRAINT ck_incidents_state CHECK (state IN ('open', 'closed')),
    CONSTRAINT ck_incidents_closed_at CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);
CREATE INDEX ix_incidents_undelivered ON ops.incidents (opened_at) WHERE delivered_at IS NULL;
CREATE UNIQUE INDEX uq_incidents_open ON ops.incidents (kind, subject) WHERE state = 'open';
COMMENT ON TABLE ops.incidents IS 'What is wrong and waits for a person: one row from the moment it is found; closed when its cause is gone';
COMMENT ON COLUMN ops.incidents.id IS 'Number of the incident';
COMMENT ON COLUMN ops.incidents.event_id IS 'Names the incident to the webhook, however often it is posted';
COMMENT ON COLUMN ops.incidents.kind IS 'What kind of incident, such as deletion_refused';
COMMENT ON COLUMN ops.incidents.subject IS 'What it is about: a customer, a table, a sensor, a job';
COMMENT ON COLUMN ops.incidents.customers IS 'The customers whose figures may be wrong because of it; empty: none in particular';
COMMENT ON COLUMN ops.incidents.opened_at IS 'When it was first seen';
COMMENT ON COLUMN ops.incidents.last_seen_at IS 'When it was last seen';
COMMENT ON COLUMN ops.incidents.occurrences IS 'How often it was seen';
COMMENT ON COLUMN ops.incidents.state IS 'open, or closed: its cause is gone';
COMMENT ON COLUMN ops.incidents.closed_at IS 'When its cause was found gone; null while it is open';
COMMENT ON COLUMN ops.incidents.owner IS 'The team that takes care of it, as the owners of the assets are called';
COMMENT ON COLUMN ops.incidents.reason IS 'What is wrong';
COMMENT ON COLUMN ops.incidents.what_to_do IS 'What a person does about it';
COMMENT ON COLUMN ops.incidents.details IS 'What the kind keeps besides, such as rows by table';
COMMENT ON COLUMN ops.incidents.run_id IS 'The Dagster run that last saw it; null: no run';
COMMENT ON COLUMN ops.incidents.delivered_at IS 'When the webhook accepted it; null: not yet, or no webhook is set';
COMMENT ON COLUMN ops.incidents.attempts IS 'How often it was posted';
COMMENT ON COLUMN ops.incidents.next_attempt_at IS 'Not to be posted again before; null: not posted yet';
COMMENT ON COLUMN ops.incidents.last_error IS 'Why the last attempt to post it failed; null: it did not';

CREATE TABLE ops.leases (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    renewed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (name)
);
COMMENT ON TABLE ops.leases IS 'Leases: rights that one process at a time holds and renews; a lease that is not renewed expires';
COMMENT ON COLUMN ops.leases.name IS 'The right';
COMMENT ON COLUMN ops.leases.holder IS 'The holder: a run, or what it was requested for';
COMMENT ON COLUMN ops.leases.renewed_at IS 'When the holder last renewed it';

CREATE TABLE ops.loaded_months (
    table_name TEXT NOT NULL,
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    run_id TEXT NOT NULL,
    loaded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_loaded_months PRIMARY KEY (table_name, year_month)
);
COMMENT ON TABLE ops.loaded_months IS 'Months of a table that have been written for every customer at least once';
COMMENT ON COLUMN ops.loaded_months.table_name IS 'The table';
COMMENT ON COLUMN ops.loaded_months.year_month IS 'The month; empty for a table that has none';
COMMENT ON COLUMN ops.loaded_months.run_id IS 'The run that last wrote the whole month';
COMMENT ON COLUMN ops.loaded_months.loaded_at IS 'When it was last written';

CREATE TABLE ops.pending_changes (
    source_table TEXT NOT NULL,
    source_id NUMERIC NOT NULL,
    customer_id BIGINT NOT NULL,
    first_month VARCHAR(7) COLLATE "C" NOT NULL,
    digest TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    changed_at TIMESTAMP WITH TIME ZONE,
    noticed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    held BOOLEAN DEFAULT false NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    retry_at TIMESTAMP WITH TIME ZONE,
    error TEXT,
    CONSTRAINT pk_pending_changes PRIMARY KEY (source_table, source_id, customer_id)
);
CREATE INDEX ix_pending_changes_customer_id ON ops.pending_changes (customer_id);
COMMENT ON TABLE ops.pending_changes IS 'Queue of changes found in the billing application and not yet applied: one row a source row and customer';
COMMENT ON COLUMN ops.pending_changes.source_table IS 'The table of the billing application';
COMMENT ON COLUMN ops.pending_changes.source_id IS 'The row''s id there';
COMMENT ON COLUMN ops.pending_changes.customer_id IS 'The customer: users.id; 0 stands for ids that BIGINT does not hold';
COMMENT ON COLUMN ops.pending_changes.first_month IS 'The earliest month that the change can affect';
COMMENT ON COLUMN ops.pending_changes.digest IS 'Digest of the row when the change was found; empty: the row was deleted';
COMMENT ON COLUMN ops.pending_changes.number IS 'Grows with every queued change';
COMMENT ON COLUMN ops.pending_changes.changed_at IS 'updated_at of the row; null: unknown';
COMMENT ON COLUMN ops.pending_changes.noticed_at IS 'When the oldest waiting change was found';
COMMENT ON COLUMN ops.pending_changes.held IS 'True while use_realtime_calculation is off';
COMMENT ON COLUMN ops.pending_changes.attempts IS 'Failed attempts to apply it';
COMMENT ON COLUMN ops.pending_changes.retry_at IS 'When it is retried at the earliest';
COMMENT ON COLUMN ops.pending_changes.error IS 'Error of the last failed attempt';

CREATE TABLE ops.realtime_batches (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    run_id TEXT NOT NULL,
    committed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    customers INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    first_month VARCHAR(7) COLLATE "C" NOT NULL,
    since_change_ms BIGINT[] NOT NULL,
    since_notice_ms BIGINT[] NOT NULL,
    CONSTRAINT pk_realtime_batches PRIMARY KEY (id)
);
CREATE INDEX ix_realtime_batches_committed_at ON ops.realtime_batches (committed_at);
COMMENT ON TABLE ops.realtime_batches IS 'Batches of changes applied in one transaction, with their latencies; kept 30 days';
COMMENT ON COLUMN ops.realtime_batches.id IS 'Number of the batch';
COMMENT ON COLUMN ops.realtime_batches.run_id IS 'The Dagster run';
COMMENT ON COLUMN ops.realtime_batches.committed_at IS 'When the batch was committed';
COMMENT ON COLUMN ops.realtime_batches.customers IS 'Number of recalculated customers';
COMMENT ON COLUMN ops.realtime_batches.changes IS 'Number of applied changes';
COMMENT ON COLUMN ops.realtime_batches.first_month IS 'The earliest month that was recalculated';
COMMENT ON COLUMN ops.realtime_batches.since_change_ms IS 'Milliseconds from each change''s updated_at to the commit';
COMMENT ON COLUMN ops.realtime_batches.since_notice_ms IS 'Milliseconds from the detection of each change to the commit';

CREATE TABLE ops.rejected_rows (
    asset TEXT NOT NULL,
    source_table TEXT NOT NULL,
    source_id TEXT NOT NULL,
    customer_id BIGINT,
    year_month VARCHAR(7) COLLATE "C",
    reason_code TEXT NOT NULL,
    reason_params JSONB NOT NULL,
    reason TEXT NOT NULL,
    reason_kind TEXT NOT NULL,
    raw_row TEXT NOT NULL,
    run_id TEXT NOT NULL,
    first_seen TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_rejected_rows PRIMARY KEY (asset, source_table, source_id)
);
CREATE INDEX ix_rejected_rows_asset_reason_kind ON ops.rejected_rows (asset, reason_kind);
CREATE INDEX ix_rejected_rows_customer_id ON ops.rejected_rows (customer_id);
COMMENT ON TABLE ops.rejected_rows IS 'Source rows that cannot be used, each with its reason, until the source is corrected';
COMMENT ON COLUMN ops.rejected_rows.asset IS 'The asset that could not use the row';
COMMENT ON COLUMN ops.rejected_rows.source_table IS 'The table of the source';
COMMENT ON COLUMN ops.rejected_rows.source_id IS 'The row: its id, or id/column/position for an element of a list';
COMMENT ON COLUMN ops.rejected_rows.customer_id IS 'The customer the row names, where BIGINT holds the id';
COMMENT ON COLUMN ops.rejected_rows.year_month IS 'The month of the row, where it is known';
COMMENT ON COLUMN ops.rejected_rows.reason_code IS 'The reason, as a code';
COMMENT ON COLUMN ops.rejected_rows.reason_params IS 'The values that the reason names: a JSON object of texts';
COMMENT ON COLUMN ops.rejected_rows.reason IS 'What is wrong with the row: the reason as a text';
COMMENT ON COLUMN ops.rejected_rows.reason_kind IS 'The reason without the values that differ from row to row';
COMMENT ON COLUMN ops.rejected_rows.raw_row IS 'The row as the source holds it';
COMMENT ON COLUMN ops.rejected_rows.run_id IS 'The run that last rejected it';
COMMENT ON COLUMN ops.rejected_rows.first_seen IS 'When it was first rejected';
COMMENT ON COLUMN ops.rejected_rows.last_seen IS 'When it was last rejected';

CREATE TABLE ops.source_fingerprints (
    table_name TEXT NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    year_month VARCHAR(7) COLLATE "C" NOT NULL,
    row_count BIGINT NOT NULL,
    digest TEXT NOT NULL,
    run_id TEXT NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_source_fingerprints PRIMARY KEY (table_name, day)
);
COMMENT ON TABLE ops.source_fingerprints IS 'What each day of an ERP table looked like when it was last read; a day that differs is read again';
COMMENT ON COLUMN ops.source_fingerprints.table_name IS 'The ERP''s table';
COMMENT ON COLUMN ops.source_fingerprints.day IS 'The day, as 2025-03-31; empty: rows without any date';
COMMENT ON COLUMN ops.source_fingerprints.year_month IS 'Month in which its rows were stored; empty: outside the partitions, so rejected';
COMMENT ON COLUMN ops.source_fingerprints.row_count IS 'How many rows the source had';
COMMENT ON COLUMN ops.source_fingerprints.digest IS 'Sums and a hash of all its rows, as the source''s server computes them';
COMMENT ON COLUMN ops.source_fingerprints.run_id IS 'The run that read them';
COMMENT ON COLUMN ops.source_fingerprints.taken_at IS 'When they were read';

CREATE TABLE ops.sync_logs (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    sync_type TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    total_records BIGINT DEFAULT 0 NOT NULL,
    success_records BIGINT DEFAULT 0 NOT NULL,
    failed_records BIGINT DEFAULT 0 NOT NULL,
    error_message TEXT,
    duration NUMERIC(14, 3) GENERATED ALWAYS AS (EXTRACT(epoch FROM completed_at - started_at)) STORED,
    success_rate NUMERIC(5, 2) GENERATED ALWAYS AS (round(100.0 * success_records / nullif(total_records, 0), 2)) STORED,
    run_id TEXT,
    CONSTRAINT pk_sync_logs PRIMARY KEY (id),
    CONSTRAINT ck_sync_logs_sync_type CHECK (sync_type IN ('manual', 'scheduled')),
    CONSTRAINT ck_sync_logs_status CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    CONSTRAINT ck_sync_logs_completed_at CHECK ((status = 'running') = (completed_at IS NULL)),
    CONSTRAINT ck_sync_logs_total_records CHECK (total_records = success_records + failed_records)
);
CREATE INDEX ix_sync_logs_run_id ON ops.sync_logs (run_id);
CREATE UNIQUE INDEX uq_sync_logs_running ON ops.sync_logs (status) WHERE status = 'running';
COMMENT ON TABLE ops.sync_logs IS 'Syncs of the ERP: one row a sync; at most one is running';
COMMENT ON COLUMN ops.sync_logs.id IS 'Number of the sync';
COMMENT ON COLUMN ops.sync_logs.sync_type IS 'manual: started by a person or program; scheduled: by the hourly schedule';
COMMENT ON COLUMN ops.sync_logs.status IS 'running, completed, failed or cancelled';
COMMENT ON COLUMN ops.sync_logs.started_at IS 'When it started';
COMMENT ON COLUMN ops.sync_logs.completed_at IS 'When it ended; null while it runs';
COMMENT ON COLUMN ops.sync_logs.total_records IS 'Rows read: success_records + failed_records';
COMMENT ON COLUMN ops.sync_logs.success_records IS 'Rows that the copy has as the source has';
COMMENT ON COLUMN ops.sync_logs.failed_records IS 'Rows that were rejected';
COMMENT ON COLUMN ops.sync_logs.error_message IS 'Why it failed';
COMMENT ON COLUMN ops.sync_logs.duration IS 'Seconds from start to end';
COMMENT ON COLUMN ops.sync_logs.success_rate IS 'Per cent of the rows read that are not rejected; null if none was read';
COMMENT ON COLUMN ops.sync_logs.run_id IS 'The Dagster run; null until it is launched';

CREATE TABLE ops.watermarks (
    name TEXT NOT NULL,
    position TEXT NOT NULL,
    moved_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_watermarks PRIMARY KEY (name)
);
COMMENT ON TABLE ops.watermarks IS 'Watermarks: how far a source has been read, and how far the ledger has been computed';
COMMENT ON COLUMN ops.watermarks.name IS 'Reader and what it reads';
COMMENT ON COLUMN ops.watermarks.position IS 'Position that has been reached';
COMMENT ON COLUMN ops.watermarks.moved_at IS 'When the position was last set';

CREATE TABLE ops.write_locks (
    table_name TEXT NOT NULL,
    CONSTRAINT pk_write_locks PRIMARY KEY (table_name)
);
COMMENT ON TABLE ops.write_locks IS 'Write locks: a transaction that writes a table holds a lock on the table''s row until it ends';
COMMENT ON COLUMN ops.write_locks.table_name IS 'The table, with its schema';

CREATE TABLE ops.audit_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    actor TEXT,
    token_id BIGINT,
    address TEXT,
    action TEXT NOT NULL,
    target TEXT,
    outcome TEXT,
    message TEXT,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_audit_log PRIMARY KEY (id),
    CONSTRAINT ck_audit_log_outcome CHECK (outcome IN ('done', 'refused', 'failed')),
    CONSTRAINT ck_audit_log_ended_at CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    FOREIGN KEY(token_id) REFERENCES ops.api_tokens (id)
);
CREATE INDEX ix_audit_log_started_at ON ops.audit_log (started_at);
COMMENT ON TABLE ops.audit_log IS 'Commands of users and applications: one row for each, written before it starts, also if it is refused';
COMMENT ON COLUMN ops.audit_log.id IS 'Number of the command';
COMMENT ON COLUMN ops.audit_log.started_at IS 'When the command started';
COMMENT ON COLUMN ops.audit_log.actor IS 'The token''s name, or the user of the command line; null: unknown';
COMMENT ON COLUMN ops.audit_log.token_id IS 'The token, where one was used; null: none';
COMMENT ON COLUMN ops.audit_log.address IS 'Address of the request; null: from the machine itself';
COMMENT ON COLUMN ops.audit_log.action IS 'The command';
COMMENT ON COLUMN ops.audit_log.target IS 'What the command applies to; null: nothing in particular';
COMMENT ON COLUMN ops.audit_log.outcome IS 'done, refused or failed; null: still running, or the process died';
COMMENT ON COLUMN ops.audit_log.message IS 'The answer';
COMMENT ON COLUMN ops.audit_log.ended_at IS 'When it ended';

CREATE TABLE ops.sessions (
    digest BYTEA NOT NULL,
    token_id BIGINT NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_sessions PRIMARY KEY (digest),
    FOREIGN KEY(token_id) REFERENCES ops.api_tokens (id) ON DELETE CASCADE
);
CREATE INDEX ix_sessions_expires_at ON ops.sessions (expires_at);
COMMENT ON TABLE ops.sessions IS 'Sessions of the dashboard: one row for each; a session ends with its token';
COMMENT ON COLUMN ops.sessions.digest IS 'SHA-256 of the secret that the browser keeps';
COMMENT ON COLUMN ops.sessions.token_id IS 'The token that opened it';
COMMENT ON COLUMN ops.sessions.opened_at IS 'When the user logged in';
COMMENT ON COLUMN ops.sessions.expires_at IS 'When the session expires';

CREATE TABLE ops.sync_log_tables (
    sync_log_id BIGINT NOT NULL,
    table_name TEXT NOT NULL,
    status TEXT NOT NULL,
    months VARCHAR(7)[] COLLATE "C" DEFAULT '{}' NOT NULL,
    rows_read BIGINT DEFAULT 0 NOT NULL,
    rows_loaded BIGINT DEFAULT 0 NOT NULL,
    rows_rejected BIGINT DEFAULT 0 NOT NULL,
    rows_inserted BIGINT DEFAULT 0 NOT NULL,
    rows_updated BIGINT DEFAULT 0 NOT NULL,
    rows_deleted BIGINT DEFAULT 0 NOT NULL,
    rows_unchanged BIGINT DEFAULT 0 NOT NULL,
    seconds NUMERIC(14, 3),
    error_message TEXT,
    CONSTRAINT pk_sync_log_tables PRIMARY KEY (sync_log_id, table_name),
    CONSTRAINT ck_sync_log_tables_status CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    FOREIGN KEY(sync_log_id) REFERENCES ops.sync_logs (id)
);
COMMENT ON TABLE ops.sync_log_tables IS 'What a sync did to each table: one row a sync and table';
COMMENT ON COLUMN ops.sync_log_tables.sync_log_id IS 'The sync';
COMMENT ON COLUMN ops.sync_log_tables.table_name IS 'The ERP''s table';
COMMENT ON COLUMN ops.sync_log_tables.status IS 'running, completed, failed or cancelled';
COMMENT ON COLUMN ops.sync_log_tables.months IS 'Months of which rows were read';
COMMENT ON COLUMN ops.sync_log_tables.rows_read IS 'Rows read: rows_loaded + rows_rejected';
COMMENT ON COLUMN ops.sync_log_tables.rows_loaded IS 'Rows that the copy has as the source has';
COMMENT ON COLUMN ops.sync_log_tables.rows_rejected IS 'Rows that cannot be used; see ops.rejected_rows';
COMMENT ON COLUMN ops.sync_log_tables.rows_inserted IS 'Rows that came';
COMMENT ON COLUMN ops.sync_log_tables.rows_updated IS 'Rows that changed';
COMMENT ON COLUMN ops.sync_log_tables.rows_deleted IS 'Rows that went';
COMMENT ON COLUMN ops.sync_log_tables.rows_unchanged IS 'Rows that were as they should be';
COMMENT ON COLUMN ops.sync_log_tables.seconds IS 'How long it took';
COMMENT ON COLUMN ops.sync_log_tables.error_message IS 'Why it failed';

CREATE VIEW analytics.current_balances AS SELECT billing.customers.customer_id, billing.customers.name, billing.customers.role, billing.customers.no_kontrak, latest.year_month, latest.opening_balance, latest.total_deposits, latest.total_purchases, latest.closing_balance, latest.closing_balance < 0 AS owes, latest.total_volume_sm3, latest.last_calculated_at
FROM billing.customers JOIN (SELECT DISTINCT ON (ledger.monthly_customer_balances.customer_id) ledger.monthly_customer_balances.customer_id AS customer_id, ledger.monthly_customer_balances.year_month AS year_month, ledger.monthly_customer_balances.opening_balance AS opening_balance, ledger.monthly_customer_balances.total_deposits AS total_deposits, ledger.monthly_customer_balances.total_purchases AS total_purchases, ledger.monthly_customer_balances.closing_balance AS closing_balance, ledger.monthly_customer_balances.total_volume_sm3 AS total_volume_sm3, ledger.monthly_customer_balances.calculation_details AS calculation_details, ledger.monthly_customer_balances.last_calculated_at AS last_calculated_at
FROM ledger.monthly_customer_balances ORDER BY ledger.monthly_customer_balances.customer_id, ledger.monthly_customer_balances.year_month DESC) AS latest ON latest.customer_id = billing.customers.customer_id;
COMMENT ON VIEW analytics.current_balances IS 'The balance of each customer now: one row a customer who has one, with the last month''s';
COMMENT ON COLUMN analytics.current_balances.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN analytics.current_balances.name IS 'Name of the customer';
COMMENT ON COLUMN analytics.current_balances.role IS 'customer: metered; fob: billed free on board';
COMMENT ON COLUMN analytics.current_balances.no_kontrak IS 'Contract number';
COMMENT ON COLUMN analytics.current_balances.year_month IS 'The last month that has a balance: the current one, unless nothing has run this month';
COMMENT ON COLUMN analytics.current_balances.opening_balance IS 'Balance at the start of that month, rupiah';
COMMENT ON COLUMN analytics.current_balances.total_deposits IS 'Deposits of that month, rupiah';
COMMENT ON COLUMN analytics.current_balances.total_purchases IS 'Purchases of that month, rupiah';
COMMENT ON COLUMN analytics.current_balances.closing_balance IS 'The balance now, rupiah; negative: the customer owes';
COMMENT ON COLUMN analytics.current_balances.owes IS 'True if the balance is negative';
COMMENT ON COLUMN analytics.current_balances.total_volume_sm3 IS 'Volume of that month, Sm³';
COMMENT ON COLUMN analytics.current_balances.last_calculated_at IS 'When that month''s balance last changed';
CREATE VIEW analytics.monthly_summary AS SELECT ledger.monthly_customer_balances.year_month, count(*) AS customers, count(*) FILTER (WHERE ledger.monthly_customer_balances.total_volume_sm3 != 0) AS customers_with_use, count(*) FILTER (WHERE ledger.monthly_customer_balances.closing_balance < 0) AS customers_owing, coalesce(-(sum(ledger.monthly_customer_balances.closing_balance) FILTER (WHERE ledger.monthly_customer_balances.closing_balance < 0)), 0) AS owed, sum(ledger.monthly_customer_balances.opening_balance) AS opening_balance, sum(ledger.monthly_customer_balances.total_deposits) AS total_deposits, sum(ledger.monthly_customer_balances.total_purchases) AS total_purchases, sum(ledger.monthly_customer_balances.closing_balance) AS closing_balance, sum(ledger.monthly_customer_balances.total_volume_sm3) AS total_volume_sm3
FROM ledger.monthly_customer_balances GROUP BY ledger.monthly_customer_balances.year_month;
COMMENT ON VIEW analytics.monthly_summary IS 'All customers together, month by month: one row a month';
COMMENT ON COLUMN analytics.monthly_summary.year_month IS 'The month; the current one is under way';
COMMENT ON COLUMN analytics.monthly_summary.customers IS 'Customers with a balance';
COMMENT ON COLUMN analytics.monthly_summary.customers_with_use IS 'Those of them who used gas';
COMMENT ON COLUMN analytics.monthly_summary.customers_owing IS 'Those of them whose balance is negative at the end';
COMMENT ON COLUMN analytics.monthly_summary.owed IS 'Total amount that these customers owe, rupiah';
COMMENT ON COLUMN analytics.monthly_summary.opening_balance IS 'Sum of the balances at the start, rupiah';
COMMENT ON COLUMN analytics.monthly_summary.total_deposits IS 'Sum of the deposits, rupiah';
COMMENT ON COLUMN analytics.monthly_summary.total_purchases IS 'Sum of the purchases, rupiah';
COMMENT ON COLUMN analytics.monthly_summary.closing_balance IS 'Sum of the balances at the end, rupiah';
COMMENT ON COLUMN analytics.monthly_summary.total_volume_sm3 IS 'Sum of the volumes, Sm³';
CREATE VIEW analytics.balance_trend AS SELECT ledger.monthly_customer_balances.customer_id, billing.customers.name, ledger.monthly_customer_balances.year_month, ledger.monthly_customer_balances.closing_balance, ledger.monthly_customer_balances.closing_balance - ledger.monthly_customer_balances.opening_balance AS change, ledger.monthly_customer_balances.closing_balance - lag(ledger.monthly_customer_balances.closing_balance, 12) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month) AS change_from_year_before, round(avg(ledger.monthly_customer_balances.closing_balance) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), 2) AS average_of_3_months, ledger.monthly_customer_balances.total_deposits - ledger.monthly_customer_balances.total_purchases < 0 AS fell
FROM ledger.monthly_customer_balances LEFT OUTER JOIN billing.customers ON billing.customers.customer_id = ledger.monthly_customer_balances.customer_id;
COMMENT ON VIEW analytics.balance_trend IS 'How the balance of each customer changes: one row a customer and month';
COMMENT ON COLUMN analytics.balance_trend.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN analytics.balance_trend.name IS 'Name of the customer';
COMMENT ON COLUMN analytics.balance_trend.year_month IS 'The month; the current one is under way';
COMMENT ON COLUMN analytics.balance_trend.closing_balance IS 'Balance at its end, rupiah';
COMMENT ON COLUMN analytics.balance_trend.change IS 'By how much it changed in the month, rupiah';
COMMENT ON COLUMN analytics.balance_trend.change_from_year_before IS 'Difference from the balance 12 months before, rupiah; null: no such balance';
COMMENT ON COLUMN analytics.balance_trend.average_of_3_months IS 'Mean of the balances of this and the two months before, rupiah';
COMMENT ON COLUMN analytics.balance_trend.fell IS 'True if purchases exceeded deposits';
CREATE VIEW analytics.consumption_trend AS SELECT ledger.monthly_customer_balances.customer_id, billing.customers.name, ledger.monthly_customer_balances.year_month, ledger.monthly_customer_balances.total_volume_sm3, ledger.monthly_customer_balances.total_volume_sm3 - lag(ledger.monthly_customer_balances.total_volume_sm3, 1) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month) AS change, round((100 * (ledger.monthly_customer_balances.total_volume_sm3 - lag(ledger.monthly_customer_balances.total_volume_sm3, 1) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month))) / CAST(nullif(lag(ledger.monthly_customer_balances.total_volume_sm3, 1) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month), 0) AS NUMERIC), 2) AS change_percent, lag(ledger.monthly_customer_balances.total_volume_sm3, 12) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month) AS year_before, round((100 * (ledger.monthly_customer_balances.total_volume_sm3 - lag(ledger.monthly_customer_balances.total_volume_sm3, 12) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month))) / CAST(nullif(lag(ledger.monthly_customer_balances.total_volume_sm3, 12) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month), 0) AS NUMERIC), 2) AS change_from_year_before_percent, round(avg(ledger.monthly_customer_balances.total_volume_sm3) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), 4) AS average_of_3_months, ledger.monthly_customer_balances.total_purchases, round(ledger.monthly_customer_balances.total_purchases / CAST(nullif(ledger.monthly_customer_balances.total_volume_sm3, 0) AS NUMERIC), 2) AS average_price
FROM ledger.monthly_customer_balances LEFT OUTER JOIN billing.customers ON billing.customers.customer_id = ledger.monthly_customer_balances.customer_id;
COMMENT ON VIEW analytics.consumption_trend IS 'How much gas each customer uses: one row a customer and month';
COMMENT ON COLUMN analytics.consumption_trend.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN analytics.consumption_trend.name IS 'Name of the customer';
COMMENT ON COLUMN analytics.consumption_trend.year_month IS 'The month; the current one is under way';
COMMENT ON COLUMN analytics.consumption_trend.total_volume_sm3 IS 'Volume, Sm³';
COMMENT ON COLUMN analytics.consumption_trend.change IS 'Difference from the month before, Sm³; null: no month before';
COMMENT ON COLUMN analytics.consumption_trend.change_percent IS 'The same in per cent; null: no month before, or its volume was 0';
COMMENT ON COLUMN analytics.consumption_trend.year_before IS 'Volume 12 months before, Sm³; null: no such month';
COMMENT ON COLUMN analytics.consumption_trend.change_from_year_before_percent IS 'Difference from 12 months before, per cent';
COMMENT ON COLUMN analytics.consumption_trend.average_of_3_months IS 'Mean of this and the two months before, Sm³';
COMMENT ON COLUMN analytics.consumption_trend.total_purchases IS 'Purchases, rupiah';
COMMENT ON COLUMN analytics.consumption_trend.average_price IS 'Purchases divided by volume, rupiah for one Sm³; null without volume';
CREATE VIEW analytics.customer_monthly_balances AS SELECT billing.customers.customer_id, billing.customers.name, by_month.monthly_balances
FROM billing.customers JOIN (SELECT ledger.monthly_customer_balances.customer_id AS customer_id, jsonb_object_agg(ledger.monthly_customer_balances.year_month, ledger.monthly_customer_balances.closing_balance) AS monthly_balances
FROM ledger.monthly_customer_balances GROUP BY ledger.monthly_customer_balances.customer_id) AS by_month ON by_month.customer_id = billing.customers.customer_id;
COMMENT ON VIEW analytics.customer_monthly_balances IS 'All balances of a customer in one JSON object, as users.monthly_balances of the application had them: one row a customer';
COMMENT ON COLUMN analytics.customer_monthly_balances.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN analytics.customer_monthly_balances.name IS 'Name of the customer';
COMMENT ON COLUMN analytics.customer_monthly_balances.monthly_balances IS 'Closing balance by month, rupiah: {"2025-03": -1234.5, …}';
CREATE VIEW analytics.price_history AS SELECT spans.customer_id, billing.customers.name, spans.span_from AS valid_from, spans.span_to AS valid_to, coalesce(chosen.rule, 'default') AS rule, chosen.position, coalesce(chosen.harga_per_meter_kubik, billing.customers.harga_per_meter_kubik) AS price, coalesce(coalesce(chosen.koreksi_meter, billing.customers.koreksi_meter), CASE WHEN (coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar) > -1.01325 AND coalesce(chosen.suhu, billing.customers.suhu) > -273 AND (coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar) + 1.01325) * 300 * (1 + 0.002 * coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar)) < 1.01325 * (coalesce(chosen.suhu, billing.customers.suhu) + 273) * 1000000000000000) THEN div(2 * (coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar) + 1.01325) * 300 * (1 + 0.002 * coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar)) * 100000000000000::numeric + 1.01325 * (coalesce(chosen.suhu, billing.customers.suhu) + 273), 2 * 1.01325 * (coalesce(chosen.suhu, billing.customers.suhu) + 273)) * 0.00000000000001 END) AS factor, CASE WHEN (coalesce(chosen.koreksi_meter, billing.customers.koreksi_meter) IS NOT NULL) THEN 'given' WHEN (CASE WHEN (coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar) > -1.01325 AND coalesce(chosen.suhu, billing.customers.suhu) > -273 AND (coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar) + 1.01325) * 300 * (1 + 0.002 * coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar)) < 1.01325 * (coalesce(chosen.suhu, billing.customers.suhu) + 273) * 1000000000000000) THEN div(2 * (coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar) + 1.01325) * 300 * (1 + 0.002 * coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar)) * 100000000000000::numeric + 1.01325 * (coalesce(chosen.suhu, billing.customers.suhu) + 273), 2 * 1.01325 * (coalesce(chosen.suhu, billing.customers.suhu) + 273)) * 0.00000000000001 END IS NOT NULL) THEN 'computed' END AS factor_from, coalesce(chosen.tekanan_keluar, billing.customers.tekanan_keluar) AS tekanan_keluar, coalesce(chosen.suhu, billing.customers.suhu) AS suhu
FROM (SELECT cuts.customer_id AS customer_id, cuts.cut AS span_from, lead(cuts.cut) OVER (PARTITION BY cuts.customer_id ORDER BY cuts.cut ASC NULLS FIRST) AS span_to
FROM (SELECT billing.customers.customer_id AS customer_id, CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS cut
FROM billing.customers UNION SELECT billing.prices.customer_id AS customer_id, billing.prices.valid_from AS valid_from
FROM billing.prices UNION SELECT billing.prices.customer_id AS customer_id, billing.prices.valid_to AS valid_to
FROM billing.prices) AS cuts) AS spans JOIN billing.customers ON billing.customers.customer_id = spans.customer_id LEFT OUTER JOIN (SELECT DISTINCT ON (billing.prices.customer_id, spans.span_from) spans.span_from AS span_from, billing.prices.customer_id AS customer_id, billing.prices.position AS position, billing.prices.rule AS rule, billing.prices.valid_from AS valid_from, billing.prices.valid_to AS valid_to, billing.prices.harga_per_meter_kubik AS harga_per_meter_kubik, billing.prices.tekanan_keluar AS tekanan_keluar, billing.prices.suhu AS suhu, billing.prices.koreksi_meter AS koreksi_meter, billing.prices.entry AS entry
FROM (SELECT cuts.customer_id AS customer_id, cuts.cut AS span_from, lead(cuts.cut) OVER (PARTITION BY cuts.customer_id ORDER BY cuts.cut ASC NULLS FIRST) AS span_to
FROM (SELECT billing.customers.customer_id AS customer_id, CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS cut
FROM billing.customers UNION SELECT billing.prices.customer_id AS customer_id, billing.prices.valid_from AS valid_from
FROM billing.prices UNION SELECT billing.prices.customer_id AS customer_id, billing.prices.valid_to AS valid_to
FROM billing.prices) AS cuts) AS spans JOIN billing.prices ON billing.prices.customer_id = spans.customer_id AND billing.prices.valid_from <= spans.span_from AND billing.prices.valid_to > spans.span_from ORDER BY billing.prices.customer_id, spans.span_from, CASE WHEN (billing.prices.rule = 'custom_period') THEN 0 ELSE 1 END, billing.prices.position) AS chosen ON chosen.customer_id = spans.customer_id AND chosen.span_from = spans.span_from;
COMMENT ON VIEW analytics.price_history IS 'The price in force for each customer at any time: one row a customer and span; spans do not overlap';
COMMENT ON COLUMN analytics.price_history.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN analytics.price_history.name IS 'Name of the customer';
COMMENT ON COLUMN analytics.price_history.valid_from IS 'First moment of the span; null: no beginning';
COMMENT ON COLUMN analytics.price_history.valid_to IS 'First moment after it; null: it has no end';
COMMENT ON COLUMN analytics.price_history.rule IS 'custom_period or monthly: an entry of the price list; default: the customer''s own columns';
COMMENT ON COLUMN analytics.price_history.position IS 'Place of the entry in the customer''s list, from 0; null: the defaults';
COMMENT ON COLUMN analytics.price_history.price IS 'Price of one Sm³, rupiah; null: none is known, and readings are rejected';
COMMENT ON COLUMN analytics.price_history.factor IS 'Correction factor of metered readings; null: none is known. For fob readings it is always 1';
COMMENT ON COLUMN analytics.price_history.factor_from IS 'given, or computed from pressure and temperature; null: none is known';
COMMENT ON COLUMN analytics.price_history.tekanan_keluar IS 'Outlet pressure, bar gauge';
COMMENT ON COLUMN analytics.price_history.suhu IS 'Gas temperature, °C';
CREATE VIEW analytics.stock_value AS SELECT erp.stockbywh.year_month, erp.stockbywh.warehouse, erp.stockbywh.partno, erp.stockbywh.partname, erp.stockbywh."group", erp.stockbywh.unit, erp.stockbywh.onhand, latest.receipt_unit_price AS unit_price, latest.currency, latest.actual_receipt_date AS priced_on, round(erp.stockbywh.onhand * latest.receipt_unit_price, 2) AS value
FROM erp.stockbywh LEFT OUTER JOIN (SELECT DISTINCT ON (nullif(rtrim(erp.data_receipt_purchase.part_no), ''), coalesce(rtrim(erp.data_receipt_purchase.unit), '')) nullif(rtrim(erp.data_receipt_purchase.part_no), '') AS part, coalesce(rtrim(erp.data_receipt_purchase.unit), '') AS unit, erp.data_receipt_purchase.receipt_unit_price AS receipt_unit_price, erp.data_receipt_purchase.currency AS currency, erp.data_receipt_purchase.actual_receipt_date AS actual_receipt_date
FROM erp.data_receipt_purchase
WHERE erp.data_receipt_purchase.receipt_unit_price IS NOT NULL ORDER BY nullif(rtrim(erp.data_receipt_purchase.part_no), ''), coalesce(rtrim(erp.data_receipt_purchase.unit), ''), erp.data_receipt_purchase.actual_receipt_date DESC NULLS LAST, erp.data_receipt_purchase.receipt_no DESC NULLS LAST, erp.data_receipt_purchase.receipt_line DESC NULLS LAST, erp.data_receipt_purchase.receipt_unit_price, erp.data_receipt_purchase.currency) AS latest ON latest.part = nullif(rtrim(erp.stockbywh.partno), '') AND latest.unit = coalesce(rtrim(erp.stockbywh.unit), '')
WHERE erp.stockbywh.year_month = (SELECT max(erp.stockbywh.year_month) AS max_1
FROM erp.stockbywh);
COMMENT ON VIEW analytics.stock_value IS 'What the stock is worth at the price at which each part was last bought: one row a warehouse and part. The ERP''s stock has no price of its own';
COMMENT ON COLUMN analytics.stock_value.year_month IS 'Month in which the stock was last read';
COMMENT ON COLUMN analytics.stock_value.warehouse IS 'Warehouse code';
COMMENT ON COLUMN analytics.stock_value.partno IS 'Part number';
COMMENT ON COLUMN analytics.stock_value.partname IS 'Name of the part';
COMMENT ON COLUMN analytics.stock_value."group" IS 'Item group';
COMMENT ON COLUMN analytics.stock_value.unit IS 'Unit of the quantities';
COMMENT ON COLUMN analytics.stock_value.onhand IS 'Quantity on hand';
COMMENT ON COLUMN analytics.stock_value.unit_price IS 'receipt_unit_price of the part''s last purchase receipt in that unit; null: no such receipt';
COMMENT ON COLUMN analytics.stock_value.currency IS 'Currency of price and value: add up each by itself, there are no rates of exchange here';
COMMENT ON COLUMN analytics.stock_value.priced_on IS 'Date of that receipt';
COMMENT ON COLUMN analytics.stock_value.value IS 'onhand × unit_price, rounded to 2 decimals, in the currency; null: no price is known';
CREATE VIEW analytics.stock_shortages AS SELECT erp.stockbywh.year_month, erp.stockbywh.warehouse, erp.stockbywh.partno, erp.stockbywh.partname, erp.stockbywh."group", erp.stockbywh.unit, erp.stockbywh.onhand, erp.stockbywh.safety_stock, erp.stockbywh.min_stock, greatest(erp.stockbywh.safety_stock, erp.stockbywh.min_stock) - erp.stockbywh.onhand AS shortage, erp.stockbywh.allocated, erp.stockbywh.onorder, (erp.stockbywh.onhand - coalesce(erp.stockbywh.allocated, 0)) + coalesce(erp.stockbywh.onorder, 0) >= greatest(erp.stockbywh.safety_stock, erp.stockbywh.min_stock) AS is_covered, erp.stockbywh.location
FROM erp.stockbywh
WHERE erp.stockbywh.year_month = (SELECT max(erp.stockbywh.year_month) AS max_1
FROM erp.stockbywh) AND erp.stockbywh.onhand < greatest(erp.stockbywh.safety_stock, erp.stockbywh.min_stock);
COMMENT ON VIEW analytics.stock_shortages IS 'Parts of which there is less than the safety stock or the lowest stock wanted: one row a warehouse and part';
COMMENT ON COLUMN analytics.stock_shortages.year_month IS 'Month in which the stock was last read';
COMMENT ON COLUMN analytics.stock_shortages.warehouse IS 'Warehouse code';
COMMENT ON COLUMN analytics.stock_shortages.partno IS 'Part number';
COMMENT ON COLUMN analytics.stock_shortages.partname IS 'Name of the part';
COMMENT ON COLUMN analytics.stock_shortages."group" IS 'Item group';
COMMENT ON COLUMN analytics.stock_shortages.unit IS 'Unit of the quantities';
COMMENT ON COLUMN analytics.stock_shortages.onhand IS 'Quantity on hand';
COMMENT ON COLUMN analytics.stock_shortages.safety_stock IS 'Safety stock';
COMMENT ON COLUMN analytics.stock_shortages.min_stock IS 'Lowest stock wanted';
COMMENT ON COLUMN analytics.stock_shortages.shortage IS 'How much is missing to the larger of the two';
COMMENT ON COLUMN analytics.stock_shortages.allocated IS 'Quantity allocated to orders';
COMMENT ON COLUMN analytics.stock_shortages.onorder IS 'Quantity on order';
COMMENT ON COLUMN analytics.stock_shortages.is_covered IS 'True if there will be enough after what is allocated has gone and what is on order has come';
COMMENT ON COLUMN analytics.stock_shortages.location IS 'Location within the warehouse';
CREATE VIEW analytics.open_warehouse_orders AS SELECT erp.view_warehouse_order_line.year_month, erp.view_warehouse_order_line.order_origin_code, erp.view_warehouse_order_line.line_no, erp.view_warehouse_order_line.order_origin, erp.view_warehouse_order_line.trx_type, erp.view_warehouse_order_line.order_date, planned.planned_on, coalesce(planned.planned_on < CURRENT_DATE, false) AS is_late, CASE WHEN coalesce(planned.planned_on < CURRENT_DATE, false) THEN CURRENT_DATE - planned.planned_on END AS days_late, CASE WHEN (erp.view_warehouse_order_line.delivery_date IS NULL) THEN 'not shipped' WHEN (coalesce(erp.view_warehouse_order_line.ship_qty, 0) < erp.view_warehouse_order_line.order_qty) THEN 'partly shipped' ELSE 'on its way' END AS state, erp.view_warehouse_order_line.line_status, erp.view_warehouse_order_line.item_code, erp.view_warehouse_order_line.item_desc, erp.view_warehouse_order_line.order_qty, erp.view_warehouse_order_line.ship_qty, erp.view_warehouse_order_line.order_qty - coalesce(erp.view_warehouse_order_line.ship_qty, 0) AS open_qty, erp.view_warehouse_order_line.unit, erp.view_warehouse_order_line.ship_from, erp.view_warehouse_order_line.ship_to, erp.view_warehouse_order_line.ship_to_desc
FROM erp.view_warehouse_order_line LEFT OUTER JOIN (SELECT nullif(rtrim(erp.view_warehouse_order.order_origin_code), '') AS "order", min(erp.view_warehouse_order.plan_delivery_date) AS planned_on
FROM erp.view_warehouse_order GROUP BY nullif(rtrim(erp.view_warehouse_order.order_origin_code), '')) AS planned ON planned."order" = nullif(rtrim(erp.view_warehouse_order_line.order_origin_code), '')
WHERE erp.view_warehouse_order_line.receipt_date IS NULL;
COMMENT ON VIEW analytics.open_warehouse_orders IS 'Lines of warehouse orders that have not been received, and whether they are late: one row a line';
COMMENT ON COLUMN analytics.open_warehouse_orders.year_month IS 'Month of the order';
COMMENT ON COLUMN analytics.open_warehouse_orders.order_origin_code IS 'Origin and number of the order, code';
COMMENT ON COLUMN analytics.open_warehouse_orders.line_no IS 'Line of the order';
COMMENT ON COLUMN analytics.open_warehouse_orders.order_origin IS 'Origin of the order';
COMMENT ON COLUMN analytics.open_warehouse_orders.trx_type IS 'Kind of transaction';
COMMENT ON COLUMN analytics.open_warehouse_orders.order_date IS 'Date of the order';
COMMENT ON COLUMN analytics.open_warehouse_orders.planned_on IS 'Planned delivery date of the order; null: unknown';
COMMENT ON COLUMN analytics.open_warehouse_orders.is_late IS 'True if that date has passed';
COMMENT ON COLUMN analytics.open_warehouse_orders.days_late IS 'By how many days; null: it has not';
COMMENT ON COLUMN analytics.open_warehouse_orders.state IS 'not shipped, partly shipped or on its way, by dates and quantities';
COMMENT ON COLUMN analytics.open_warehouse_orders.line_status IS 'Status of the line, as the ERP has it';
COMMENT ON COLUMN analytics.open_warehouse_orders.item_code IS 'Item code';
COMMENT ON COLUMN analytics.open_warehouse_orders.item_desc IS 'Item';
COMMENT ON COLUMN analytics.open_warehouse_orders.order_qty IS 'Quantity ordered';
COMMENT ON COLUMN analytics.open_warehouse_orders.ship_qty IS 'Quantity shipped';
COMMENT ON COLUMN analytics.open_warehouse_orders.open_qty IS 'Quantity not shipped yet';
COMMENT ON COLUMN analytics.open_warehouse_orders.unit IS 'Unit of the quantities';
COMMENT ON COLUMN analytics.open_warehouse_orders.ship_from IS 'Place shipped from, code';
COMMENT ON COLUMN analytics.open_warehouse_orders.ship_to IS 'Place shipped to, code';
COMMENT ON COLUMN analytics.open_warehouse_orders.ship_to_desc IS 'Place shipped to';
CREATE VIEW analytics.production_progress AS SELECT erp.view_prod_header.year_month, erp.view_prod_header.prod_no, erp.view_prod_header.planning_date, erp.view_prod_header.item, erp.view_prod_header.description, erp.view_prod_header.customer, erp.view_prod_header.model, erp.view_prod_header.divisi, erp.view_prod_header.status, CASE WHEN (coalesce(erp.view_prod_header.qty_delivery, 0) >= erp.view_prod_header.qty_order) THEN 'done' WHEN (erp.view_prod_header.planning_date < CURRENT_DATE) THEN 'late' WHEN (coalesce(erp.view_prod_header.qty_delivery, 0) > 0) THEN 'under way' ELSE 'planned' END AS state, erp.view_prod_header.qty_order, erp.view_prod_header.qty_delivery, erp.view_prod_header.qty_order - coalesce(erp.view_prod_header.qty_delivery, 0) AS open_qty, round((100 * coalesce(erp.view_prod_header.qty_delivery, 0)) / CAST(nullif(erp.view_prod_header.qty_order, 0) AS NUMERIC), 1) AS done_percent
FROM erp.view_prod_header;
COMMENT ON VIEW analytics.production_progress IS 'How far production orders have come: one row an order';
COMMENT ON COLUMN analytics.production_progress.year_month IS 'Month planned';
COMMENT ON COLUMN analytics.production_progress.prod_no IS 'Production order number';
COMMENT ON COLUMN analytics.production_progress.planning_date IS 'Date planned';
COMMENT ON COLUMN analytics.production_progress.item IS 'Item produced, code';
COMMENT ON COLUMN analytics.production_progress.description IS 'Item produced';
COMMENT ON COLUMN analytics.production_progress.customer IS 'Customer that it is produced for';
COMMENT ON COLUMN analytics.production_progress.model IS 'Model';
COMMENT ON COLUMN analytics.production_progress.divisi IS 'Division';
COMMENT ON COLUMN analytics.production_progress.status IS 'Status, as the ERP has it';
COMMENT ON COLUMN analytics.production_progress.state IS 'done, late (planned for a day that has passed), under way or planned, by quantities and dates';
COMMENT ON COLUMN analytics.production_progress.qty_order IS 'Quantity ordered';
COMMENT ON COLUMN analytics.production_progress.qty_delivery IS 'Quantity delivered';
COMMENT ON COLUMN analytics.production_progress.open_qty IS 'Quantity not delivered yet';
COMMENT ON COLUMN analytics.production_progress.done_percent IS 'Delivered, per cent of what was ordered';
CREATE VIEW analytics.delivered_and_invoiced AS SELECT erp.so_invoice_line.year_month, erp.so_invoice_line.bp_code, erp.so_invoice_line.bp_name, erp.so_invoice_line.sales_order, erp.so_invoice_line.so_line, erp.so_invoice_line.so_sequence, erp.so_invoice_line.shipment, erp.so_invoice_line.shipment_line, erp.so_invoice_line.delivery_date, erp.so_invoice_line.part_no, erp.so_invoice_line.product_type, erp.so_invoice_line.unit, max(erp.so_invoice_line.delivered_qty) AS delivered_qty, coalesce(sum(erp.so_invoice_line.invoice_qty) FILTER (WHERE erp.so_invoice_line.invoice_date IS NOT NULL), 0) AS invoiced_qty, max(erp.so_invoice_line.delivered_qty) - coalesce(sum(erp.so_invoice_line.invoice_qty) FILTER (WHERE erp.so_invoice_line.invoice_date IS NOT NULL), 0) AS open_qty, coalesce(sum(erp.so_invoice_line.amount_hc) FILTER (WHERE erp.so_invoice_line.invoice_date IS NOT NULL), 0) AS invoiced_hc, count(erp.so_invoice_line.invoice_date) AS invoice_lines, CASE WHEN (count(erp.so_invoice_line.invoice_date) = 0) THEN 'not invoiced' WHEN (max(erp.so_invoice_line.delivered_qty) IS NULL OR count(erp.so_invoice_line.invoice_qty) FILTER (WHERE erp.so_invoice_line.invoice_date IS NOT NULL) < count(erp.so_invoice_line.invoice_date)) THEN 'quantity unknown' WHEN (coalesce(sum(erp.so_invoice_line.invoice_qty) FILTER (WHERE erp.so_invoice_line.invoice_date IS NOT NULL), 0) < max(erp.so_invoice_line.delivered_qty)) THEN 'partly invoiced' WHEN (coalesce(sum(erp.so_invoice_line.invoice_qty) FILTER (WHERE erp.so_invoice_line.invoice_date IS NOT NULL), 0) > max(erp.so_invoice_line.delivered_qty)) THEN 'invoiced too much' ELSE 'invoiced' END AS state
FROM erp.so_invoice_line
WHERE nullif(rtrim(erp.so_invoice_line.shipment), '') IS NOT NULL GROUP BY erp.so_invoice_line.year_month, erp.so_invoice_line.bp_code, erp.so_invoice_line.bp_name, erp.so_invoice_line.sales_order, erp.so_invoice_line.so_line, erp.so_invoice_line.so_sequence, erp.so_invoice_line.shipment, erp.so_invoice_line.shipment_line, erp.so_invoice_line.delivery_date, erp.so_invoice_line.part_no, erp.so_invoice_line.product_type, erp.so_invoice_line.unit;
COMMENT ON VIEW analytics.delivered_and_invoiced IS 'What was invoiced of each shipment: one row a shipment line. The ERP''s table has one row an invoice';
COMMENT ON COLUMN analytics.delivered_and_invoiced.year_month IS 'Month of the delivery';
COMMENT ON COLUMN analytics.delivered_and_invoiced.bp_code IS 'Business partner, code';
COMMENT ON COLUMN analytics.delivered_and_invoiced.bp_name IS 'Business partner';
COMMENT ON COLUMN analytics.delivered_and_invoiced.sales_order IS 'Sales order number';
COMMENT ON COLUMN analytics.delivered_and_invoiced.so_line IS 'Line of the sales order';
COMMENT ON COLUMN analytics.delivered_and_invoiced.so_sequence IS 'Sequence within the line';
COMMENT ON COLUMN analytics.delivered_and_invoiced.shipment IS 'Shipment number';
COMMENT ON COLUMN analytics.delivered_and_invoiced.shipment_line IS 'Line of the shipment';
COMMENT ON COLUMN analytics.delivered_and_invoiced.delivery_date IS 'Date of delivery';
COMMENT ON COLUMN analytics.delivered_and_invoiced.part_no IS 'Part number';
COMMENT ON COLUMN analytics.delivered_and_invoiced.product_type IS 'Product type';
COMMENT ON COLUMN analytics.delivered_and_invoiced.unit IS 'Unit of the quantities';
COMMENT ON COLUMN analytics.delivered_and_invoiced.delivered_qty IS 'Quantity delivered';
COMMENT ON COLUMN analytics.delivered_and_invoiced.invoiced_qty IS 'Quantity invoiced; credit notes are negative';
COMMENT ON COLUMN analytics.delivered_and_invoiced.open_qty IS 'Quantity delivered and not invoiced; negative: invoiced too much';
COMMENT ON COLUMN analytics.delivered_and_invoiced.invoiced_hc IS 'Amount invoiced, in the home currency';
COMMENT ON COLUMN analytics.delivered_and_invoiced.invoice_lines IS 'How many invoice lines there are: those that have a date of invoice';
COMMENT ON COLUMN analytics.delivered_and_invoiced.state IS 'not invoiced, partly invoiced, invoiced, invoiced too much, or quantity unknown: that of the delivery or of an invoice';
CREATE VIEW analytics.open_receipts AS SELECT erp.data_receipt_purchase.year_month, erp.data_receipt_purchase.bp_id, erp.data_receipt_purchase.bp_name, erp.data_receipt_purchase.po_no, erp.data_receipt_purchase.po_line, erp.data_receipt_purchase.receipt_no, erp.data_receipt_purchase.receipt_line, erp.data_receipt_purchase.actual_receipt_date, erp.data_receipt_purchase.part_no, erp.data_receipt_purchase.item_desc, erp.data_receipt_purchase.approve_qty, erp.data_receipt_purchase.unit, erp.data_receipt_purchase.currency, CASE WHEN (nullif(rtrim(erp.data_receipt_purchase.inv_doc_no), '') IS NOT NULL) THEN 'not paid' ELSE 'not invoiced' END AS state, nullif(rtrim(erp.data_receipt_purchase.inv_doc_no), '') AS inv_doc_no, erp.data_receipt_purchase.inv_doc_date, erp.data_receipt_purchase.inv_due_date, coalesce(CASE WHEN (nullif(rtrim(erp.data_receipt_purchase.inv_doc_no), '') IS NOT NULL) THEN erp.data_receipt_purchase.inv_amount END, erp.data_receipt_purchase.receipt_amount) AS amount, coalesce(erp.data_receipt_purchase.inv_due_date < CURRENT_DATE, false) AS is_overdue, CURRENT_DATE - erp.data_receipt_purchase.actual_receipt_date AS days_since_receipt
FROM erp.data_receipt_purchase
WHERE nullif(rtrim(erp.data_receipt_purchase.payment_doc), '') IS NULL;
COMMENT ON VIEW analytics.open_receipts IS 'Purchase receipts that are not invoiced yet, or invoiced and not paid: one row a receipt line';
COMMENT ON COLUMN analytics.open_receipts.year_month IS 'Month of the receipt';
COMMENT ON COLUMN analytics.open_receipts.bp_id IS 'Supplier, code';
COMMENT ON COLUMN analytics.open_receipts.bp_name IS 'Supplier';
COMMENT ON COLUMN analytics.open_receipts.po_no IS 'Purchase order number';
COMMENT ON COLUMN analytics.open_receipts.po_line IS 'Line of the purchase order';
COMMENT ON COLUMN analytics.open_receipts.receipt_no IS 'Receipt number';
COMMENT ON COLUMN analytics.open_receipts.receipt_line IS 'Line of the receipt';
COMMENT ON COLUMN analytics.open_receipts.actual_receipt_date IS 'Date of receipt';
COMMENT ON COLUMN analytics.open_receipts.part_no IS 'Part number';
COMMENT ON COLUMN analytics.open_receipts.item_desc IS 'Item';
COMMENT ON COLUMN analytics.open_receipts.approve_qty IS 'Quantity approved';
COMMENT ON COLUMN analytics.open_receipts.unit IS 'Unit of the quantities';
COMMENT ON COLUMN analytics.open_receipts.currency IS 'Currency of the amounts: add up each by itself';
COMMENT ON COLUMN analytics.open_receipts.state IS 'not invoiced or not paid';
COMMENT ON COLUMN analytics.open_receipts.inv_doc_no IS 'Invoice document number; null: missing or blank';
COMMENT ON COLUMN analytics.open_receipts.inv_doc_date IS 'Date of the invoice document';
COMMENT ON COLUMN analytics.open_receipts.inv_due_date IS 'Date on which the invoice is due';
COMMENT ON COLUMN analytics.open_receipts.amount IS 'Amount invoiced, else the amount of the receipt; in the currency';
COMMENT ON COLUMN analytics.open_receipts.is_overdue IS 'True if the invoice was due before today';
COMMENT ON COLUMN analytics.open_receipts.days_since_receipt IS 'Days since the receipt';
