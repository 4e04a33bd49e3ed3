"""Large `billing.*` tables generated inside PostgreSQL, so that a benchmark measures only the ledger."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, month_start
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import UNPARTITIONED, TargetTable, write_months
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.transaction_setup import create_temporary_tables, staging_table

_CUSTOMERS = """
INSERT INTO billing.customers (customer_id, name, role, harga_per_meter_kubik, tekanan_keluar, suhu, koreksi_meter,
                               use_realtime_calculation)
SELECT n, 'PT Pelanggan ' || n, CASE WHEN n % 4 = 0 THEN 'fob' ELSE 'customer' END,
       10000 + n % 5000, 0.5 + n % 9, 25 + n % 6, CASE WHEN n % 3 = 0 THEN 1.5 + (n % 1000) / 7777.0 END, true
FROM generate_series(1, :customers) AS n
"""
_PRICES = """
INSERT INTO billing.prices (customer_id, position, rule, valid_from, valid_to, harga_per_meter_kubik, tekanan_keluar,
                            suhu, koreksi_meter, entry)
SELECT n, row_number() OVER (PARTITION BY n ORDER BY month.start) - 1,
       CASE WHEN n % 5 = 0 THEN 'custom_period' ELSE 'monthly' END,
       month.start + CASE WHEN n % 5 = 0 THEN interval '9 days' ELSE interval '0' END,
       month.start + CASE WHEN n % 5 = 0 THEN interval '20 days' ELSE interval '1 month' END,
       12000 + n % 4000, 2, 27, CASE WHEN n % 2 = 0 THEN 1.75 END, jsonb_build_object('bench', n)
FROM generate_series(1, :customers) AS n, unnest(CAST(:starts AS timestamptz[])) AS month(start)
WHERE n % 2 = 0
"""
_DEPOSITS = """
INSERT INTO staged_deposits (customer_id, year_month, deposited_at, ordinal, amount, amount_given, keterangan)
SELECT n, :month, CAST(:start AS timestamptz) + interval '1 day', 0, 5000000, 5000000, 'penambahan'
FROM generate_series(1, :customers) AS n
"""
_READINGS = """
INSERT INTO staged_meter_readings (reading_id, customer_id, year_month, kind, reading_at, volume, harga_final)
SELECT :offset + (n - 1) * :readings + r, n, :month, CASE WHEN n % 4 = 0 THEN 'fob' ELSE 'metered' END,
       CAST(:start AS timestamptz) + r * interval '22 hours' + n % 3600 * interval '1 second',
       (100 + (n * 7919 + r * 104729) % 100000)::numeric / 99 , 0
FROM generate_series(1, :customers) AS n, generate_series(1, :readings) AS r
"""


def _select_all(staged: sa.Table, _: Sequence[str]) -> sa.Select[Any]:
    return sa.select(staged)


def fill_billing(warehouse: sa.Engine, horizon: Horizon, *, customers: int, readings_per_month: int) -> None:
    """Fill customers, prices, deposits and meter_readings for every month of the horizon."""
    starts = [month_start(month, horizon.zone) for month in horizon.months]
    with warehouse.begin() as connection:
        connection.execute(sa.text(_CUSTOMERS), {"customers": customers})
        connection.execute(sa.text(_PRICES), {"customers": customers, "starts": starts})
        mark_loaded(connection, tables.customers, [UNPARTITIONED], "bench")
        mark_loaded(connection, tables.prices, [UNPARTITIONED], "bench")
    offset = 0
    for month, start in zip(horizon.months, starts, strict=True):
        for table, statement in ((tables.deposits, _DEPOSITS), (tables.meter_readings, _READINGS)):
            staged = staging_table(table)
            with warehouse.begin() as connection:
                create_temporary_tables(connection, staged)
                values = {"month": month, "start": start, "customers": customers}
                if table is tables.meter_readings:
                    values |= {"offset": offset, "readings": readings_per_month}
                connection.execute(sa.text(statement), values)
                write_months(connection, TargetTable(table), partial(_select_all, staged), Scope((month,)))
                mark_loaded(connection, table, [month], "bench")
        offset += customers * readings_per_month
    with warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE billing.customers, billing.prices"))
