"""How soon is a change in the balances? Change a price, a deposit and a reading of the demo, and look at the clock.

    python examples/stopwatch.py

While `ledger up` runs. The changes are made by plain SQL in the demo's billing application, as the application makes
them; Dagster's UI shows the run `realtime` that takes them up, with the same times in its metadata.
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
from ledger_pipelines.warehouse import servers

CUSTOMER = 11  # whose price is the default one
PATIENCE_SECONDS = 120
PRICE = "UPDATE users SET harga_per_meter_kubik = harga_per_meter_kubik + 1, updated_at = :now WHERE id = :customer"
DEPOSITS = "SELECT deposit_history FROM users WHERE id = :customer"
DEPOSIT = "UPDATE users SET deposit_history = :changed, updated_at = :now WHERE id = :customer"
READING = "SELECT id, data_input FROM data_pencatatan WHERE customer_id = :customer ORDER BY id DESC LIMIT 1"
NEW_READING = "UPDATE data_pencatatan SET data_input = :changed, updated_at = :now WHERE id = :reading"
BALANCES = "SELECT year_month, closing_balance FROM ledger.monthly_customer_balances WHERE customer_id = :customer"


class Stopwatch:
    """One customer, in the application and in the ledger."""

    def __init__(self) -> None:
        settings = load_settings()
        self.zone = settings.zone
        self.application = sa.create_engine(servers.billing(settings))
        self.warehouse = sa.create_engine(servers.warehouse(settings), isolation_level="AUTOCOMMIT")

    def balances(self) -> set[sa.Row[Any]]:
        """The customer's balances, month by month."""
        with self.warehouse.connect() as connection:
            return set(connection.execute(sa.text(BALANCES), {"customer": CUSTOMER}))

    def ask(self, query: str) -> sa.Row[Any]:
        """A row of the application."""
        with self.application.connect() as connection:
            return connection.execute(sa.text(query), {"customer": CUSTOMER}).one()

    def change(self, what: str, statement: str, values: Mapping[str, Any]) -> None:
        """Change something in the application, wait for the balances, and print how long that took."""
        before = self.balances()
        now = datetime.now(self.zone).replace(tzinfo=None)
        with self.application.begin() as connection:
            connection.execute(sa.text(statement), {"now": now, "customer": CUSTOMER, **values})
        began = time.monotonic()
        while (after := self.balances()) == before:
            if time.monotonic() - began > PATIENCE_SECONDS:
                sys.exit(f"{what}: not in the balances after {PATIENCE_SECONDS} s. Is `ledger up` running?")
            time.sleep(0.02)
        took = time.monotonic() - began
        print(f"{what}: in the balances of {len(after - before)} months after {took:.2f} s", flush=True)


def main() -> None:
    """Change one of each kind."""
    watch = Stopwatch()
    watch.change("a price", PRICE, {})
    deposits = json.loads(watch.ask(DEPOSITS).deposit_history or "[]")
    deposits.append({"date": f"{datetime.now(watch.zone):%Y-%m-%d %H:%M:%S}", "amount": 1_000_000})
    watch.change("a deposit", DEPOSIT, {"changed": json.dumps(deposits)})
    reading = watch.ask(READING)
    body = reading.data_input if isinstance(reading.data_input, dict) else json.loads(reading.data_input)
    volume = "volume_flow_meter" if "volume_flow_meter" in body else "volume_sm3"
    body[volume] = str(Decimal(str(body[volume])) + 100)
    watch.change("a reading", NEW_READING, {"changed": json.dumps(body), "reading": reading.id})


if __name__ == "__main__":
    main()
