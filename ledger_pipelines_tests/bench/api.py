"""The API's benchmark: mixed reads at a steady rate, from another process, of a large ledger."""

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
from ledger_pipelines.ledger.reconciliation.comparison import compare
from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.api.address import address_of, is_ready
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.questions import customer
from ledger_pipelines_tests.bench.ledger import filled_and_computed
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.servers import free_port
from ledger_pipelines_tests.serving.api.apis import bearer

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
"""How many of a hundred requests ask for what."""

_WHO_ASK = 64


@dataclass(frozen=True)
class Request:
    """What is to be asked, and when."""

    due: float
    kind: str
    path: str


@dataclass
class Measured:
    """What became of the requests: milliseconds from when each was due, by what it asked for; and the failures."""

    took: dict[str, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)


def mixed_reads(customers: int = 100_000, readings: int = 2, rate: int = 200, seconds: int = 60) -> None:
    """Balances and transactions of random customers for the most part, and sums over all of them, at a steady rate."""
    with filled_and_computed(HORIZON, customers=customers, readings=readings) as warehouse:
        with warehouse.begin() as connection:
            compare(connection, "bench")
            connection.execute(sa.text("ANALYZE ledger.balance_comparison"))
        _explain(warehouse, customers)
        with _serving(warehouse) as (address, token):
            _tell(_load(address, token, customers, 50, 5), "to warm up")
            measured = _load(address, token, customers, rate, seconds)
        _tell(measured, f"{customers:,} customers x {len(HORIZON.months)} months, {rate} requests/s for {seconds} s")


@contextmanager
def _serving(warehouse: sa.Engine) -> Iterator[tuple[str, str]]:
    """The API in a process of its own; its address, and a viewer's token."""
    with warehouse.begin() as connection:
        token = tokens.create(connection, "bench", "viewer").text
    url = warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    settings = Settings(warehouse_url=url, billing_url=url, api_port=free_port())
    variables = {"LEDGER_WAREHOUSE_URL": url, "LEDGER_BILLING_URL": url, "LEDGER_API_PORT": str(settings.api_port)}
    server = subprocess.Popen([sys.executable, "-m", "ledger_pipelines.serving.api"], env=os.environ | variables)
    try:
        while not is_ready(settings):
            if server.poll() is not None:
                raise RuntimeError("the API does not start")
            time.sleep(0.1)
        yield address_of(settings), token
    finally:
        server.terminate()
        server.wait()


def _load(address: str, token: str, customers: int, rate: int, seconds: int) -> Measured:
    """Ask at a steady rate, whether answers come or not: there are more who ask than requests under way."""
    measured, chance, asked = Measured(), random.Random(1), SimpleQueue[Request | None]()
    started = time.perf_counter() + 0.1
    for number in range(rate * seconds):
        kind = chance.choices([path for _, path in MIX], [share for share, _ in MIX])[0]
        asked.put(Request(started + number / rate, kind, _filled(kind, chance, customers)))
    asking = [Thread(target=_ask, args=(address, token, asked, measured)) for _ in range(_WHO_ASK)]
    for thread in asking:
        asked.put(None)
        thread.start()
    for thread in asking:
        thread.join()
    return measured


def _ask(address: str, token: str, asked: SimpleQueue[Request | None], measured: Measured) -> None:
    """Ask what is due next, over a connection of one's own, until nothing is left."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    while (request := asked.get()) is not None:
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
            measured.failures[f"{answer.status} {request.kind}"] += 1
        took = (time.perf_counter() - request.due) * 1000
        measured.took.setdefault(request.kind.partition("?")[0], []).append(took)
    connection.close()


def _filled(kind: str, chance: random.Random, customers: int) -> str:
    month = chance.choice(HORIZON.months)
    return kind.format(customer=chance.randint(1, customers), month=month, year=month[:4], page=chance.randint(1, 50))


def _tell(measured: Measured, what: str) -> None:
    every = [ms for took in measured.took.values() for ms in took]
    print(f"{what}: {_spread(every)}, {measured.failures.total()} errors {dict(measured.failures) or ''}")
    for kind, took in sorted(measured.took.items()):
        print(f"  {kind}: {_spread(took)}")


def _spread(took: list[float]) -> str:
    shares = statistics.quantiles(took, n=100)
    return f"{len(took):,} requests, p50 {shares[49]:.1f} ms, p99 {shares[98]:.1f} ms, longest {max(took):.0f} ms"


def _explain(warehouse: sa.Engine, customers: int) -> None:
    """How long the server itself takes for the balance and the transactions of a customer."""
    chance = random.Random(2)
    for name, question in (("balance", customer.BALANCE), ("transactions", customer.TRANSACTIONS)):
        took = []
        with warehouse.connect() as connection:
            for _ in range(200):
                asked = {"customer_id": chance.randint(1, customers), "month": chance.choice(HORIZON.months)}
                text = str(question.params(asked).compile(warehouse, compile_kwargs={"literal_binds": True}))
                explain = sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}".replace(":", "\\:"))
                plan = connection.execute(explain).scalar_one()[0]
                took.append(plan["Planning Time"] + plan["Execution Time"])
        print(f"{name} of a customer, by the server: {_spread([float(ms) for ms in took])}")
