"""Measure the time from a change in the billing application to the balances: a price, a deposit and a reading.

    python examples/stopwatch.py

Run it while `ledger up` is running. It changes the demo's billing application with plain SQL, as the application does.
Dagster's web UI shows the run `realtime` that applies the changes, with the same times in its metadata.
"""

import json
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse import database_urls

CUSTOMER = 11  # a customer billed with its default price
TIMEOUT_SECONDS = 120
PRICE = "UPDATE users SET harga_per_meter_kubik = harga_per_meter_kubik + 1, updated_at = :now WHERE id = :customer"
DEPOSITS = "SELECT deposit_history FROM users WHERE id = :customer"
DEPOSIT = "UPDATE users SET deposit_history = :changed, updated_at = :now WHERE id = :customer"
READING = "SELECT id, data_input FROM data_pencatatan WHERE customer_id = :customer ORDER BY id DESC LIMIT 1"
NEW_READING = "UPDATE data_pencatatan SET data_input = :changed, updated_at = :now WHERE id = :reading"
BALANCES = "SELECT year_month, closing_balance FROM ledger.monthly_customer_balances WHERE customer_id = :customer"


class Stopwatch:
    """Connections to the application and the warehouse, for one customer."""

    def __init__(self) -> None:
        settings = load_settings()
        self.zone = settings.zone
        self.application = sa.create_engine(database_urls.billing_url(settings))
        self.warehouse = sa.create_engine(database_urls.warehouse_url(settings), isolation_level="AUTOCOMMIT")

    def balances(self) -> set[sa.Row[Any]]:
        """Return the customer's balances by month."""
        with self.warehouse.connect() as connection:
            return set(connection.execute(sa.text(BALANCES), {"customer": CUSTOMER}))

    def fetch_row(self, query: str) -> sa.Row[Any]:
        """Return a row of the application."""
        with self.application.connect() as connection:
            return connection.execute(sa.text(query), {"customer": CUSTOMER}).one()

    def change(self, what: str, statement: str, values: Mapping[str, Any]) -> None:
        """Change the application, wait until the balances change, and print the time."""
        before = self.balances()
        now = datetime.now(self.zone).replace(tzinfo=None)
        with self.application.begin() as connection:
            connection.execute(sa.text(statement), {"now": now, "customer": CUSTOMER, **values})
        began = time.monotonic()
        while (after := self.balances()) == before:
            if time.monotonic() - began > TIMEOUT_SECONDS:
                sys.exit(f"{what}: the balances have not changed after {TIMEOUT_SECONDS} s. Is `ledger up` running?")
            time.sleep(0.02)
        took = time.monotonic() - began
        print(f"{what}: in the balances after {took:.2f} s (months changed: {len(after - before)})", flush=True)


def main() -> None:
    """Change a price, a deposit and a reading."""
    stopwatch = Stopwatch()
    stopwatch.change("a price", PRICE, {})
    deposits = json.loads(stopwatch.fetch_row(DEPOSITS).deposit_history or "[]")
    deposits.append({"date": f"{datetime.now(stopwatch.zone):%Y-%m-%d %H:%M:%S}", "amount": 1_000_000})
    stopwatch.change("a deposit", DEPOSIT, {"changed": json.dumps(deposits)})
    reading = stopwatch.fetch_row(READING)
    body = reading.data_input if isinstance(reading.data_input, dict) else json.loads(reading.data_input)
    volume = "volume_flow_meter" if "volume_flow_meter" in body else "volume_sm3"
    body[volume] = str(Decimal(str(body[volume])) + 100)
    stopwatch.change("a reading", NEW_READING, {"changed": json.dumps(body), "reading": reading.id})


if __name__ == "__main__":
    main()
