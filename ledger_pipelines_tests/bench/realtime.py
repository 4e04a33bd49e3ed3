"""Benchmark of realtime changes: time to detect and apply one change, by number of customers."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier
from ledger_pipelines.realtime.diff import ChangeKind
from ledger_pipelines.realtime.poller import Poller
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import schema
from ledger_pipelines.warehouse.engine import source_engine, warehouse_engine
from ledger_pipelines_tests.bench.soak_data import BillingWorkload, fill_application_and_ledger
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database, running_embedded_server

HORIZON = Horizon("2024-11", "2026-10", WIB)


@dataclass(frozen=True)
class _Databases:
    source: sa.Engine
    warehouse: sa.Engine


def one_change(sizes: tuple[int, ...] = (1_000, 10_000, 100_000), rounds: int = 50) -> None:
    """Measure one change at a time in ledgers of several sizes over 24 months."""
    for customers in sizes:
        with _filled(customers) as databases:
            detect_seconds, apply_seconds = _measure(databases, rounds)
        print(
            f"{customers:>7,} customers x {len(HORIZON.months)} months, {rounds} changes: "
            f"detected in {1000 * statistics.median(detect_seconds):.0f} ms, "
            f"applied in {1000 * statistics.median(apply_seconds):.0f} ms (longest {1000 * max(apply_seconds):.0f} ms)"
        )


@contextmanager
def _filled(customers: int) -> Iterator[_Databases]:
    """Create a billing application and its ledger on a durable embedded server."""
    with (
        running_embedded_server(fast_and_unsafe=False) as server,
        fresh_database(server.url("postgres")) as source_url,
        fresh_database(server.url("postgres")) as warehouse_url,
    ):
        databases = _Databases(source_engine(source_url), warehouse_engine(warehouse_url, WIB))
        schema.upgrade(databases.warehouse)
        fill_application_and_ledger(databases.source, databases.warehouse, HORIZON, customers)
        yield databases
        databases.source.dispose()
        databases.warehouse.dispose()


def _measure(databases: _Databases, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds to detect and to apply each change, without the first (warm-up) change."""
    app = BillingSource(databases.source, HORIZON)
    workload = BillingWorkload(databases.source, HORIZON, seed=1)
    catch_up = ChangeApplier(lambda: app, databases.warehouse, DeletionGuard(), "bench")
    pollers = [Poller(kind, databases.warehouse) for kind in ChangeKind]
    detect_seconds, apply_seconds = [], []
    for _ in range(rounds + 1):
        workload.change(1)
        began = time.perf_counter()
        detected = sum(poller.poll(app, workload.now()) for poller in pollers)
        polled_at = time.perf_counter()
        results = list(catch_up.apply())
        applied_at = time.perf_counter()
        if detected != len(results) or not all(isinstance(result, AppliedChanges) for result in results):
            raise RuntimeError(f"{detected} changes were detected, but these were applied: {results}")
        detect_seconds.append(polled_at - began)
        apply_seconds.append(applied_at - polled_at)
    return detect_seconds[1:], apply_seconds[1:]
