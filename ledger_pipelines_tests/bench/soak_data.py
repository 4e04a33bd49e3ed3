"""Large billing application and its ledger, generated inside PostgreSQL, and a workload that changes it."""

import json
import random
import time
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, month_start
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.sources.billing import schema as billing_schema
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.partitions import ensure_partition

_USERS = """
INSERT INTO users (name, email, role, password, harga_per_meter_kubik, deposit_history, created_at, updated_at)
SELECT 'PT Pelanggan ' || n, n || '@example.co.id', 'fob', 'x', 10000 + n % 5000,
       '[{"date": "' || CAST(:first AS text) || '-02 09\\:00\\:00", "amount": 5000000, "keterangan": "penambahan"}]',
       :old, :old
FROM generate_series(1, :customers) AS n
"""
_READINGS = """
INSERT INTO data_pencatatan (customer_id, nama_customer, data_input, created_at, updated_at)
SELECT n, 'PT Pelanggan ' || n,
       CAST('{"waktu": "' || CAST(:month AS text) || '-03 09\\:00\\:00", "volume_sm3": "' ||
            (100 + n % 900) || '.25"}' AS json), :old, :old
FROM generate_series(1, :customers) AS n
"""
_COPIES = {
    "customers": """
INSERT INTO billing.customers (customer_id, name, email, role, total_deposit, total_purchases, harga_per_meter_kubik,
                               use_realtime_calculation, created_at, updated_at)
SELECT n, 'PT Pelanggan ' || n, n || '@example.co.id', 'fob', 0, 0, 10000 + n % 5000, true, :old, :old
FROM generate_series(1, :customers) AS n
""",
    "deposits": """
INSERT INTO billing.deposits (customer_id, year_month, deposited_at, ordinal, amount, amount_given, keterangan)
SELECT n, CAST(:first AS text), CAST(CAST(:first AS text) || '-02 09\\:00\\:00' AS timestamptz), 0,
       5000000, 5000000, 'penambahan'
FROM generate_series(1, :customers) AS n
""",
}
_COPIED_READINGS = """
INSERT INTO billing.meter_readings (reading_id, customer_id, year_month, kind, reading_at, volume, harga_final,
                                    status_pembayaran, created_at, updated_at)
SELECT :offset + n, n, CAST(:month AS text), 'fob', CAST(CAST(:month AS text) || '-03 09\\:00\\:00' AS timestamptz),
       CAST((100 + n % 900) || '.25' AS numeric), 0, 'belum_lunas', :old, :old
FROM generate_series(1, :customers) AS n
"""
_OLD = datetime.fromisoformat("2024-01-01T00:00:00")


def fill_application_and_ledger(source: sa.Engine, warehouse: sa.Engine, horizon: Horizon, customers: int) -> None:
    """Create a billing application with one reading per customer and month, and its ledger."""
    billing_schema.metadata.create_all(source)
    values: dict[str, Any] = {"customers": customers, "first": horizon.first, "old": _OLD}
    with source.begin() as connection:
        connection.execute(sa.text(_USERS), values)
        for month in horizon.months:
            connection.execute(sa.text(_READINGS), values | {"month": month})
    _analyse(source)
    old = values["old"].replace(tzinfo=horizon.zone)
    with warehouse.begin() as connection:
        for table in (tables.deposits, tables.meter_readings):
            for month in horizon.months:
                ensure_partition(connection, table, month)
        for copy in _COPIES.values():
            connection.execute(sa.text(copy), values | {"old": old})
        for number, month in enumerate(horizon.months):
            place = {"month": month, "offset": number * customers}
            connection.execute(sa.text(_COPIED_READINGS), values | place | {"old": old})
        for table in (tables.customers, tables.prices):
            mark_loaded(connection, table, [UNPARTITIONED], "soak")
        for table in (tables.deposits, tables.meter_readings):
            mark_loaded(connection, table, horizon.months, "soak")
    _analyse(warehouse)
    for step in (transactions.recalculate_transactions, balances.recalculate_balances):
        with warehouse.begin() as connection:
            step(connection, Scope(horizon.months), horizon, "soak")
    _analyse(warehouse)


def _analyse(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


class BillingWorkload:
    """Random changes of readings, deposits and prices in the billing application.

    Args:
        source: Database of the application.
        horizon: Months of the changes.
        seed: Seed of the random numbers.
    """

    def __init__(self, source: sa.Engine, horizon: Horizon, seed: int) -> None:
        self._source, self._horizon, self._random = source, horizon, random.Random(seed)
        with source.connect() as connection:
            self._users = connection.scalar(sa.select(sa.func.max(users.c.id))) or 0
            self._readings = connection.scalar(sa.select(sa.func.max(data_pencatatan.c.id))) or 0

    def run(self, seconds: float, rate: int, burst: int, burst_every: float) -> int:
        """Make `rate` changes per second and a one-transaction burst every `burst_every` seconds; return the total."""
        began, made, bursts = time.monotonic(), 0, 1
        while (passed := time.monotonic() - began) < seconds:
            if burst and passed >= bursts * burst_every:
                bursts += 1
                self.change(burst)
                made += burst
            if made - (bursts - 1) * burst < passed * rate:
                self.change(1)
                made += 1
            else:
                time.sleep(0.02)
        return made

    def change(self, times: int) -> None:
        """Make random changes in one transaction, each stamped with the time of its statement."""
        with self._source.begin() as connection:
            for _ in range(times):
                self._random.choice((self._reading, self._new_reading, self._deposit, self._price))(connection)

    def now(self) -> datetime:
        """Return the current time in the application's time zone."""
        return datetime.now(self._horizon.zone)

    def _stamp(self) -> datetime:
        return self.now().replace(tzinfo=None)

    def _body(self) -> str:
        month = self._random.choice(self._horizon.months)
        waktu = f"{month_start(month, self._horizon.zone):%Y-%m}-{self._random.randint(1, 20):02d} 10:00:00"
        return json.dumps(
            {"waktu": waktu, "volume_sm3": f"{self._random.randint(1, 999)}.{self._random.randint(0, 99)}"}
        )

    def _reading(self, connection: sa.Connection) -> None:
        this_reading = data_pencatatan.c.id == self._random.randint(1, self._readings)
        change = sa.update(data_pencatatan).where(this_reading)
        connection.execute(change.values(data_input=self._body(), updated_at=self._stamp()))

    def _new_reading(self, connection: sa.Connection) -> None:
        owner, now = self._random.randint(1, self._users), self._stamp()
        row = {"customer_id": owner, "data_input": self._body(), "created_at": now, "updated_at": now}
        connection.execute(sa.insert(data_pencatatan), row)

    def _deposit(self, connection: sa.Connection) -> None:
        this_user = users.c.id == self._random.randint(1, self._users)
        history = json.loads(connection.scalar(sa.select(users.c.deposit_history).where(this_user)) or "[]")
        month = self._random.choice(self._horizon.months)
        history.append({"date": f"{month}-05 08:00:00", "amount": self._random.randint(1, 10**7)})
        connection.execute(
            sa.update(users).where(this_user).values(deposit_history=json.dumps(history), updated_at=self._stamp())
        )

    def _price(self, connection: sa.Connection) -> None:
        this_user = users.c.id == self._random.randint(1, self._users)
        price = self._random.randint(9_000, 16_000)
        change = sa.update(users).where(this_user)
        connection.execute(change.values(harga_per_meter_kubik=price, updated_at=self._stamp()))
