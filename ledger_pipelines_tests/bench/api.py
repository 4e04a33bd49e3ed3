"""Benchmark of the API: mixed reads of a large ledger at a steady rate, from another process."""

import http.client
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.web.address import api_url, is_ready
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.queries.customers import customer
from ledger_pipelines_tests.bench.ledger import computed_warehouse
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import free_port
from ledger_pipelines_tests.support.serving.api import bearer

HORIZON = Horizon("2024-11", "2026-10", WIB)
ROOT = "/api/realtime-balance"
MIX = (
    (55, f"{ROOT}/customer/{{customer}}/balance?year_month={{month}}"),
    (33, f"{ROOT}/customer/{{customer}}/transactions?year_month={{month}}"),
    (3, f"{ROOT}/status"),
    (3, f"{ROOT}/dashboard?year={{year}}"),
    (2, f"{ROOT}/comparison-report?per_page=20&page={{page}}"),
    (1, f"{ROOT}/comparison-report?only=mismatches&per_page=20&page={{page}}"),
    (3, "/api/sync/logs"),
)
"""Paths of the requests with their shares in per cent."""

_CLIENT_THREADS = 64


@dataclass(frozen=True)
class ScheduledRequest:
    """A request and the time at which it is due."""

    due: float
    template: str
    path: str


@dataclass
class LoadResult:
    """Milliseconds from due time to response, by path, and the number of failures by error."""

    took: dict[str, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)


def measure_mixed_reads(customers: int = 100_000, readings: int = 2, rate: int = 200, seconds: int = 60) -> None:
    """Measure a steady load: mostly balances and transactions of random customers, and sums over all customers."""
    with computed_warehouse(HORIZON, customers=customers, readings=readings) as warehouse:
        with warehouse.begin() as connection:
            compare_balances(connection, "bench")
            connection.execute(sa.text("ANALYZE ledger.balance_comparison"))
        _print_server_times(warehouse, customers)
        with _serving(warehouse) as (address, token):
            _print_figures(_run_load(address, token, customers, 50, 5), "warm-up")
            measured = _run_load(address, token, customers, rate, seconds)
        _print_figures(
            measured, f"{customers:,} customers x {len(HORIZON.months)} months, {rate} requests/s for {seconds} s"
        )


@contextmanager
def _serving(warehouse: sa.Engine) -> Iterator[tuple[str, str]]:
    """Run the API in a separate process; yield its address and a viewer's token."""
    with warehouse.begin() as connection:
        token = tokens.create(connection, "bench", "viewer").text
    url = warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    settings = Settings(warehouse_url=url, billing_url=url, api_port=free_port())
    variables = {"LEDGER_WAREHOUSE_URL": url, "LEDGER_BILLING_URL": url, "LEDGER_API_PORT": str(settings.api_port)}
    server = subprocess.Popen([sys.executable, "-m", "ledger_pipelines.serving.app"], env=os.environ | variables)
    try:
        while not is_ready(settings):
            if server.poll() is not None:
                raise RuntimeError("the API process ended during its start")
            time.sleep(0.1)
        yield api_url(settings), token
    finally:
        server.terminate()
        server.wait()


def _run_load(address: str, token: str, customers: int, rate: int, seconds: int) -> LoadResult:
    """Send requests at a steady rate, independent of responses: there are more threads than concurrent requests."""
    measured, rng, requests = LoadResult(), random.Random(1), SimpleQueue[ScheduledRequest | None]()
    started = time.perf_counter() + 0.1
    for number in range(rate * seconds):
        template = rng.choices([path for _, path in MIX], [share for share, _ in MIX])[0]
        requests.put(ScheduledRequest(started + number / rate, template, _fill_path(template, rng, customers)))
    threads = [Thread(target=_send_requests, args=(address, token, requests, measured)) for _ in range(_CLIENT_THREADS)]
    for thread in threads:
        requests.put(None)
        thread.start()
    for thread in threads:
        thread.join()
    return measured


def _send_requests(
    address: str, token: str, requests: SimpleQueue[ScheduledRequest | None], measured: LoadResult
) -> None:
    """Send the due requests over one connection, until the queue is empty."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    while (request := requests.get()) is not None:
        time.sleep(max(0, request.due - time.perf_counter()))
        try:
            connection.request("GET", request.path, headers=bearer(token))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            measured.failures[type(error).__name__] += 1
            connection.close()
            continue
        if answer.status != 200:
            measured.failures[f"{answer.status} {request.template}"] += 1
        took = (time.perf_counter() - request.due) * 1000
        measured.took.setdefault(request.template.partition("?")[0], []).append(took)
    connection.close()


def _fill_path(template: str, rng: random.Random, customers: int) -> str:
    month = rng.choice(HORIZON.months)
    return template.format(customer=rng.randint(1, customers), month=month, year=month[:4], page=rng.randint(1, 50))


def _print_figures(measured: LoadResult, what: str) -> None:
    all_times = [ms for took in measured.took.values() for ms in took]
    print(f"{what}: {_percentiles(all_times)}, {measured.failures.total()} errors {dict(measured.failures) or ''}")
    for template, took in sorted(measured.took.items()):
        print(f"  {template}: {_percentiles(took)}")


def _percentiles(took: list[float]) -> str:
    shares = statistics.quantiles(took, n=100)
    return f"{len(took):,} requests, p50 {shares[49]:.1f} ms, p99 {shares[98]:.1f} ms, longest {max(took):.0f} ms"


def _print_server_times(warehouse: sa.Engine, customers: int) -> None:
    """Print PostgreSQL's planning and execution time for a customer's balance and transactions."""
    rng = random.Random(2)
    for name, question in (("balance", customer.BALANCE), ("transactions", customer.TRANSACTIONS)):
        took = []
        with warehouse.connect() as connection:
            for _ in range(200):
                parameters = {"customer_id": rng.randint(1, customers), "month": rng.choice(HORIZON.months)}
                text = str(question.params(parameters).compile(warehouse, compile_kwargs={"literal_binds": True}))
                explain = sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}".replace(":", "\\:"))
                plan = connection.execute(explain).scalar_one()[0]
                took.append(plan["Planning Time"] + plan["Execution Time"])
        print(f"{name} of a customer, in PostgreSQL: {_percentiles([float(ms) for ms in took])}")
