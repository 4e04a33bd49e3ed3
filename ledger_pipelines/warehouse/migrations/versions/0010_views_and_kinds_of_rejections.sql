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
COMMENT ON COLUMN analytics.monthly_summary.owed IS 'What these owe together, rupiah';
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
COMMENT ON COLUMN analytics.balance_trend.change_from_year_before IS 'Difference from the balance 12 months before, rupiah; null: there is none';
COMMENT ON COLUMN analytics.balance_trend.average_of_3_months IS 'Mean of the balances of this and the two months before, rupiah';
COMMENT ON COLUMN analytics.balance_trend.fell IS 'True if purchases exceeded deposits';
CREATE VIEW analytics.consumption_trend AS SELECT ledger.monthly_customer_balances.customer_id, billing.customers.name, ledger.monthly_customer_balances.year_month, ledger.monthly_customer_balances.total_volume_sm3, ledger.monthly_customer_balances.total_volume_sm3 - lag(ledger.monthly_customer_balances.total_volume_sm3, 1) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month) AS change, round((100 * (ledger.monthly_customer_balances.total_volume_sm3 - lag(ledger.monthly_customer_balances.total_volume_sm3, 1) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month))) / CAST(nullif(lag(ledger.monthly_customer_balances.total_volume_sm3, 1) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month), 0) AS NUMERIC), 2) AS change_percent, lag(ledger.monthly_customer_balances.total_volume_sm3, 12) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month) AS year_before, round((100 * (ledger.monthly_customer_balances.total_volume_sm3 - lag(ledger.monthly_customer_balances.total_volume_sm3, 12) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month))) / CAST(nullif(lag(ledger.monthly_customer_balances.total_volume_sm3, 12) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month), 0) AS NUMERIC), 2) AS change_from_year_before_percent, round(avg(ledger.monthly_customer_balances.total_volume_sm3) OVER (PARTITION BY ledger.monthly_customer_balances.customer_id ORDER BY ledger.monthly_customer_balances.year_month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), 4) AS average_of_3_months, ledger.monthly_customer_balances.total_purchases, round(ledger.monthly_customer_balances.total_purchases / CAST(nullif(ledger.monthly_customer_balances.total_volume_sm3, 0) AS NUMERIC), 2) AS average_price 
FROM ledger.monthly_customer_balances LEFT OUTER JOIN billing.customers ON billing.customers.customer_id = ledger.monthly_customer_balances.customer_id;
COMMENT ON VIEW analytics.consumption_trend IS 'How much gas each customer uses: one row a customer and month';
COMMENT ON COLUMN analytics.consumption_trend.customer_id IS 'The customer: users.id of the billing application';
COMMENT ON COLUMN analytics.consumption_trend.name IS 'Name of the customer';
COMMENT ON COLUMN analytics.consumption_trend.year_month IS 'The month; the current one is under way';
COMMENT ON COLUMN analytics.consumption_trend.total_volume_sm3 IS 'Volume, Sm³';
COMMENT ON COLUMN analytics.consumption_trend.change IS 'Difference from the month before, Sm³; null: there is none';
COMMENT ON COLUMN analytics.consumption_trend.change_percent IS 'The same in per cent; null: there is none, or it was 0';
COMMENT ON COLUMN analytics.consumption_trend.year_before IS 'Volume 12 months before, Sm³; null: there is none';
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
COMMENT ON COLUMN analytics.price_history.valid_from IS 'First moment of the span; null: since ever';
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
COMMENT ON COLUMN analytics.stock_value.unit_price IS 'receipt_unit_price of the part''s last purchase receipt in that unit; null: there is none';
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
COMMENT ON COLUMN analytics.open_warehouse_orders.planned_on IS 'Date on which delivery of the order is planned; null: it is not said';
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
COMMENT ON COLUMN analytics.open_receipts.inv_doc_no IS 'Invoice document number; null: there is none, or it is blank';
COMMENT ON COLUMN analytics.open_receipts.inv_doc_date IS 'Date of the invoice document';
COMMENT ON COLUMN analytics.open_receipts.inv_due_date IS 'Date on which the invoice is due';
COMMENT ON COLUMN analytics.open_receipts.amount IS 'Amount invoiced, else the amount of the receipt; in the currency';
COMMENT ON COLUMN analytics.open_receipts.is_overdue IS 'True if the invoice was due before today';
COMMENT ON COLUMN analytics.open_receipts.days_since_receipt IS 'Days since the receipt';
