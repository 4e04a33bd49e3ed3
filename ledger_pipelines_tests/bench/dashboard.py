"""Benchmark of the dashboard: response time of each page with many customers, at the first and later requests."""

import statistics
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from starlette.testclient import TestClient

from ledger_pipelines.horizon import Horizon, Scope, month_of, shift_month
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.bench.ledger import filled_warehouse
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.api import running_api
from ledger_pipelines_tests.support.serving.dashboard_client import open_dashboard_client

_ROUNDS = 5


def measure_pages(customers: int = 100_000, months: int = 24, readings: int = 1) -> None:
    """Measure every page that depends on the number of customers, rendered in this process."""
    current = month_of(datetime.now(WIB), WIB)
    horizon = Horizon(shift_month(current, 1 - months), current, WIB)
    with filled_warehouse(horizon, customers=customers, readings=readings) as warehouse:
        _compute(warehouse, horizon)
        address = warehouse.url.render_as_string(hide_password=False)
        settings = Settings(warehouse_url=address, billing_url=address, first_month=horizon.first)
        with running_api(settings) as api, open_dashboard_client(api, api.callers.viewer) as desk:
            _measure(desk.client, customers, horizon)


def _compute(warehouse: sa.Engine, horizon: Horizon) -> None:
    started = time.monotonic()
    scope = Scope(horizon.months)
    for step in (transactions.recalculate_transactions, balances.recalculate_balances):
        with warehouse.begin() as connection:
            step(connection, scope, horizon, "bench")
    with warehouse.begin() as connection:
        compare_balances(connection, "bench")
    with warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    print(f"computed and vacuumed in {time.monotonic() - started:.1f} s")


def _measure(client: TestClient, customers: int, horizon: Horizon) -> None:
    customer = customers // 2
    last_year = int(horizon.current[:4]) - 1
    _get(client, "/login")  # the first request loads the templates
    for path in (
        "/",
        f"/?year={last_year}",
        "/customers?q=pelanggan 77",
        "/customers?q=unknown",
        f"/customers/{customer}",
        f"/customers/{customer}/months/{shift_month(horizon.current, -1)}",
        "/alerts",
        "/alerts?page=4000",
        "/rejected",
        "/comparison",
        "/comparison?show=all&page=2000",
        "/syncs",
    ):
        first, *later = (_seconds(partial(_get, client, path)) for _ in range(1 + _ROUNDS))
        print(f"  {path:40} first {first * 1000:6.0f} ms, then {statistics.median(later) * 1000:6.0f} ms")


def _get(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)


def _seconds(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
