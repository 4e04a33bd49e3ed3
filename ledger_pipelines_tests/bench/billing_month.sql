-- The month's transactions and balances from the raw tables, by docs/rules.md: the plain SQL that the ledger is compared
-- with. Copies of the application's tables are in the schema raw, ids as numbers and everything else as text. The
-- session's time zone is the company's, and its setting bench.month names the month. Rows and entries with unusable
-- values are left out. A line "-- stage: NAME" begins a stage of the benchmark.

-- stage: JSON of the histories
DROP SCHEMA IF EXISTS ledger CASCADE;
CREATE SCHEMA ledger;

CREATE TEMPORARY TABLE month AS
SELECT year_month, (year_month || '-01')::timestamptz AS starts,
       (year_month || '-01')::timestamptz + interval '1 month' AS ends
FROM current_setting('bench.month') AS year_month;

-- Some JSON is encoded twice.
CREATE FUNCTION pg_temp.unwrapped(given jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN CASE jsonb_typeof(given) WHEN 'string' THEN (given #>> '{}')::jsonb ELSE given END;

CREATE TEMPORARY TABLE customers AS
SELECT id AS customer_id, harga_per_meter_kubik::numeric, tekanan_keluar::numeric, suhu::numeric,
       koreksi_meter::numeric, pg_temp.unwrapped(deposit_history::jsonb) AS deposit_history,
       pg_temp.unwrapped(pricing_history::jsonb) AS pricing_history
FROM raw.users
WHERE role IN ('customer', 'fob');

CREATE TEMPORARY TABLE prices AS
SELECT customer_id, position, is_period,
       CASE WHEN is_period THEN start_date ELSE entry_month || '-01' END::timestamptz AS valid_from,
       CASE WHEN NOT is_period THEN (entry_month || '-01')::timestamptz + interval '1 month'
            WHEN length(end_date) = 10 THEN end_date::timestamptz + interval '1 day'
            ELSE end_date::timestamptz + interval '1 second' END AS valid_to,
       (entry ->> 'harga_per_meter_kubik')::numeric AS harga_per_meter_kubik,
       (entry ->> 'tekanan_keluar')::numeric AS tekanan_keluar,
       (entry ->> 'suhu')::numeric AS suhu,
       (entry ->> 'koreksi_meter')::numeric AS koreksi_meter,
       entry
FROM customers
CROSS JOIN LATERAL jsonb_array_elements(pricing_history) WITH ORDINALITY AS history (entry, position)
CROSS JOIN LATERAL (
    SELECT coalesce(entry ->> 'type' = 'custom_period', false) AS is_period, entry ->> 'start_date' AS start_date,
           entry ->> 'end_date' AS end_date, entry ->> 'year_month' AS entry_month
) AS given;

CREATE TEMPORARY TABLE deposits AS
SELECT customer_id, CASE keterangan WHEN 'pengurangan' THEN -abs(amount) ELSE amount END AS amount
FROM customers
CROSS JOIN LATERAL jsonb_array_elements(deposit_history) AS entry
CROSS JOIN LATERAL (
    SELECT round((entry ->> 'amount')::numeric, 2) AS amount, lower(trim(entry ->> 'keterangan')) AS keterangan,
           (entry ->> 'date')::timestamptz AS deposited_at
) AS given
CROSS JOIN month
WHERE deposited_at >= starts AND deposited_at < ends;

-- stage: prices
-- Each customer's month is cut where an entry begins or ends; in each span one entry wins.
ANALYZE customers, prices;
CREATE TEMPORARY TABLE spans AS
WITH cuts AS (
    SELECT customer_id, starts AS cut FROM customers CROSS JOIN month
    UNION
    SELECT customer_id, cut
    FROM prices CROSS JOIN month CROSS JOIN LATERAL (VALUES (valid_from), (valid_to)) AS ends_of (cut)
    WHERE cut > starts AND cut < ends
)
SELECT customer_id, cut AS span_from,
       coalesce(lead(cut) OVER (PARTITION BY customer_id ORDER BY cut), ends) AS span_to
FROM cuts CROSS JOIN month;

CREATE TEMPORARY TABLE span_prices AS
WITH winners AS (
    SELECT DISTINCT ON (customer_id, span_from) span_from, prices.*
    FROM spans JOIN prices USING (customer_id)
    WHERE valid_from <= span_from AND valid_to > span_from
    ORDER BY customer_id, span_from, is_period DESC, position
), chosen AS (
    SELECT customer_id, span_from, span_to, entry, valid_from, valid_to, is_period,
           coalesce(winners.harga_per_meter_kubik, customers.harga_per_meter_kubik) AS price,
           coalesce(winners.tekanan_keluar, customers.tekanan_keluar) AS pressure,
           coalesce(winners.suhu, customers.suhu) AS temperature,
           coalesce(winners.koreksi_meter, customers.koreksi_meter) AS given_factor
    FROM spans JOIN customers USING (customer_id) LEFT JOIN winners USING (customer_id, span_from)
), factored AS (
    -- The scale of the dividend is that of the quotient: enough digits to round once.
    SELECT *, CASE WHEN pressure > -1.01325 AND temperature > -273 THEN
                  round(((pressure + 1.01325) * 300 * (1 + 0.002 * pressure))::numeric(100, 50)
                        / (1.01325 * (temperature + 273)), 14) END AS computed_factor
    FROM chosen
)
SELECT customer_id, span_from, span_to, price, pressure, temperature,
       coalesce(given_factor, computed_factor) AS factor,
       jsonb_build_object(
           'rule', CASE WHEN is_period THEN 'custom_period' WHEN entry IS NOT NULL THEN 'monthly' ELSE 'default' END,
           'entry', entry,
           'valid_from', to_char(valid_from, 'YYYY-MM-DD HH24:MI:SS'),
           'valid_to', to_char(valid_to - interval '1 second', 'YYYY-MM-DD HH24:MI:SS'),
           'factor', CASE WHEN given_factor IS NOT NULL THEN 'given' ELSE 'computed' END
       ) AS pricing_used
FROM factored;

-- stage: JSON of the readings
CREATE TEMPORARY TABLE readings AS
SELECT id, customer_id, is_fob, moment::timestamptz AS reading_at, volume::numeric AS volume
FROM (
    SELECT id, customer_id, data ? 'volume_sm3' AS is_fob,
           CASE WHEN data ? 'volume_sm3' THEN data ->> 'waktu' ELSE data -> 'pembacaan_awal' ->> 'waktu' END AS moment,
           CASE WHEN data ? 'volume_sm3' THEN data ->> 'volume_sm3' ELSE data ->> 'volume_flow_meter' END AS volume
    FROM raw.data_pencatatan
    -- OFFSET 0 keeps the text from being parsed once for each use.
    CROSS JOIN LATERAL (SELECT data_input::jsonb AS given OFFSET 0) AS parsed
    CROSS JOIN LATERAL (SELECT pg_temp.unwrapped(given) AS data OFFSET 0) AS unwrapped
    OFFSET 0
) AS texts
WHERE pg_input_is_valid(moment, 'timestamptz') AND pg_input_is_valid(volume, 'numeric');

-- stage: transactions
ANALYZE readings, span_prices;
CREATE TABLE ledger.transaction_calculations AS
SELECT customer_id, id AS data_pencatatan_id, year_month, reading_at AS transaction_date, volume AS volume_flow_meter,
       used_factor AS koreksi_meter, round(volume * used_factor, 4) AS volume_sm3, price AS harga_per_m3,
       round(volume * used_factor * price, 2) AS total_harga,
       CASE WHEN is_fob THEN pricing_used || '{"factor": "fob"}' ELSE pricing_used END AS pricing_used,
       pressure AS tekanan_keluar, temperature AS suhu, now() AS calculated_at, false AS is_recalculated
FROM readings
JOIN span_prices USING (customer_id)
CROSS JOIN LATERAL (SELECT CASE WHEN is_fob THEN 1 ELSE factor END AS used_factor) AS used
CROSS JOIN month
WHERE reading_at >= span_from AND reading_at < span_to AND volume >= 0
  AND price IS NOT NULL AND used_factor IS NOT NULL;
ALTER TABLE ledger.transaction_calculations ADD PRIMARY KEY (data_pencatatan_id, year_month);
CREATE INDEX ON ledger.transaction_calculations (customer_id, transaction_date);

-- stage: balances
CREATE TABLE ledger.monthly_customer_balances AS
WITH deposited AS (
    SELECT customer_id, sum(amount) AS amount, count(*) AS entries FROM deposits GROUP BY customer_id
), purchased AS (
    SELECT customer_id, sum(total_harga) AS amount, sum(volume_sm3) AS volume, count(*) AS transactions
    FROM ledger.transaction_calculations GROUP BY customer_id
)
SELECT customer_id, year_month, 0.00 AS opening_balance,
       coalesce(deposited.amount, 0.00) AS total_deposits, coalesce(purchased.amount, 0.00) AS total_purchases,
       coalesce(deposited.amount, 0.00) - coalesce(purchased.amount, 0.00) AS closing_balance,
       coalesce(volume, 0.0000) AS total_volume_sm3,
       jsonb_build_object(
           'transactions', coalesce(transactions, 0), 'deposit_entries', coalesce(entries, 0)
       ) AS calculation_details,
       now() AS last_calculated_at
FROM deposited FULL JOIN purchased USING (customer_id) CROSS JOIN month;
ALTER TABLE ledger.monthly_customer_balances ADD PRIMARY KEY (customer_id, year_month);
CREATE INDEX ON ledger.monthly_customer_balances (year_month);
