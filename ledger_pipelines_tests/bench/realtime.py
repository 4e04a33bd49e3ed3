"""What it costs to take up one change, by how many customers there are beside the one that changed."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.catch_up import CatchUp, TakenUp
from ledger_pipelines.realtime.compare import Kind
from ledger_pipelines.realtime.watch import Watch
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.warehouse import schema
from ledger_pipelines.warehouse.engine import source_engine, warehouse_engine
from ledger_pipelines_tests.bench.soak_data import Application, fill
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.servers import fresh_database, running_embedded_server

HORIZON = Horizon("2024-11", "2026-10", WIB)


@dataclass(frozen=True)
class _Place:
    source: sa.Engine
    warehouse: sa.Engine


def one_change(sizes: tuple[int, ...] = (1_000, 10_000, 100_000), rounds: int = 50) -> None:
    """One change at a time, noticed and taken up, in ledgers of several sizes over 24 months, beside each other."""
    for customers in sizes:
        with _filled(customers) as place:
            noticed, taken_up = _measure(place, rounds)
        print(
            f"{customers:>7,} customers x {len(HORIZON.months)} months, {rounds} changes: "
            f"noticed in {1000 * statistics.median(noticed):.0f} ms, "
            f"taken up in {1000 * statistics.median(taken_up):.0f} ms (longest {1000 * max(taken_up):.0f} ms)"
        )


@contextmanager
def _filled(customers: int) -> Iterator[_Place]:
    """A billing application and its ledger on a durable embedded server."""
    with (
        running_embedded_server(fast_and_unsafe=False) as server,
        fresh_database(server.url("postgres")) as source_url,
        fresh_database(server.url("postgres")) as warehouse_url,
    ):
        place = _Place(source_engine(source_url), warehouse_engine(warehouse_url, WIB))
        schema.upgrade(place.warehouse)
        fill(place.source, place.warehouse, HORIZON, customers)
        yield place
        place.source.dispose()
        place.warehouse.dispose()


def _measure(place: _Place, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds to notice each change, and seconds to take it up; the first of each is not counted."""
    app = BillingApp(place.source, HORIZON)
    application = Application(place.source, HORIZON, seed=1)
    catch_up = CatchUp(lambda: app, place.warehouse, DeletionGuard(), "bench")
    watches = [Watch(kind, place.warehouse) for kind in Kind]
    noticed, taken_up = [], []
    for _ in range(rounds + 1):
        application.change(1)
        began = time.perf_counter()
        news = sum(watch.look(app, application.now()) for watch in watches)
        looked = time.perf_counter()
        results = list(catch_up.take_up())
        ended = time.perf_counter()
        if news != len(results) or not all(isinstance(result, TakenUp) for result in results):
            raise RuntimeError(f"{news} changes were noticed, and these taken up: {results}")
        noticed.append(looked - began)
        taken_up.append(ended - looked)
    return noticed[1:], taken_up[1:]
