"""Benchmark from the billing application's tables in MariaDB to the finished balances of a month, stage by stage.

`python -m ledger_pipelines_tests.bench.billing --readings N` runs it with another number of readings. Each contender
runs in a separate process (`billing_contenders.py`), with the same source. MariaDB runs on the same machine.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec

import sqlalchemy as sa

from ledger_pipelines.demo.customers import FIRST_CUSTOMER_ID
from ledger_pipelines.demo.faults import FAULTY_CUSTOMERS
from ledger_pipelines.demo.load import seed_billing
from ledger_pipelines.demo.plan import BillingDemoPlan
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.warehouse import schema
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.merge import TargetTable
from ledger_pipelines_tests.bench import billing_contenders
from ledger_pipelines_tests.bench.billing_contenders import MONTH_BUILD, STAGING, BillingJob
from ledger_pipelines_tests.bench.contenders import CopyFigures, checkpoint, median, run_contender
from ledger_pipelines_tests.bench.ledger import reset_calculated
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import (
    MARIADB,
    connection_error,
    fresh_database,
    running_embedded_server,
    url_with_password,
)

HORIZON = Horizon("2026-10", "2026-10", WIB)
READINGS_PER_CUSTOMER = 30
_PEERS = {"limit": ("connectorx", "pyarrow"), "dlt-sql": ("connectorx", "pyarrow", "dlt")}
"""The contenders beside the ledger, with the packages that each one needs."""
_EMPTY, _UNCHANGED = "empty warehouse", "nothing changed"
_LARGEST_DEVIATION = 0.5
"""Largest difference between the CPU time of the probe and of the load, as a share of the latter."""

Digest = list[tuple[object, ...]]


@dataclass(frozen=True)
class _Bench:
    """Server of the warehouses, the application's database, the peers to run, and the figures so far."""

    server: sa.URL
    source: sa.URL
    peers: Sequence[str]
    figures: dict[str, list[CopyFigures]] = field(default_factory=lambda: defaultdict(list))


def readings_to_balances(readings: int = 3_000_000, rounds: int = 3, *, alone: bool = False) -> None:
    """Compute a month from the application's tables, also with dlt and SQL, and by the limit; compare the results.

    Args:
        readings: About how many readings the application has.
        rounds: How often each contender runs; the figures are medians.
        alone: Whether only the ledger is measured.

    Raises:
        ValueError: if so few readings would leave no customer to compare.
    """
    if readings < 2 * FAULTY_CUSTOMERS * READINGS_PER_CUSTOMER:
        raise ValueError(f"at least {2 * FAULTY_CUSTOMERS * READINGS_PER_CUSTOMER:,} readings are needed")
    if (error := connection_error(MARIADB)) is not None:
        print(f"skipped: {error} (set LEDGER_TEST_MARIADB_URL)")
        return
    wanted = {} if alone else _PEERS
    peers = [name for name, packages in wanted.items() if all(map(find_spec, packages))]
    if missing := [name for name in wanted if name not in peers]:
        print(f"without {', '.join(missing)}. Install: pip install -c constraints.txt -e '.[bench]'")
    with running_embedded_server(fast_and_unsafe=False) as server, fresh_database(MARIADB) as source:
        _seed(source, readings)
        bench = _Bench(server.url("postgres"), source, peers)
        for number in range(rounds):
            print(f"  round {number + 1}")
            _run_round(bench)
    _print_medians(bench)


def _seed(source: sa.URL, readings: int) -> None:
    plan = BillingDemoPlan(
        current_month=HORIZON.current,
        months=1,
        customers=readings // READINGS_PER_CUSTOMER,
        readings_per_month=READINGS_PER_CUSTOMER,
    )
    engine = sa.create_engine(source)
    made = seed_billing(engine, plan)
    engine.dispose()
    print(
        f"seeded a billing application of {made.customers:,} customers with {made.readings:,} readings, "
        f"{made.deposits:,} deposits and {made.price_entries:,} price entries in {HORIZON.current}"
    )


def _run_round(bench: _Bench) -> None:
    """Run each contender in an empty warehouse, and again with nothing changed; compare the results."""
    with _new_warehouse(bench) as (warehouse, url):
        _run_twice(bench, "ledger", url)
        expected = _digest(warehouse)
        _run(bench, "probe", url)
        if "limit" in bench.peers:
            reset_calculated(warehouse, HORIZON)
            _run_twice(bench, "limit", url)
            _compare("limit", _digest(warehouse), expected)
    if "dlt-sql" in bench.peers:
        with fresh_database(bench.server) as url:
            _run_twice(bench, "dlt-sql", url)
            computed = warehouse_engine(url, WIB)
            _compare("dlt-sql", _digest(computed), expected)
            computed.dispose()


@contextmanager
def _new_warehouse(bench: _Bench) -> Iterator[tuple[sa.Engine, sa.URL]]:
    with fresh_database(bench.server) as url:
        warehouse = warehouse_engine(url, WIB)
        schema.upgrade(warehouse)
        yield warehouse, url
        warehouse.dispose()


def _run_twice(bench: _Bench, name: str, target: sa.URL) -> None:
    for state in (_EMPTY, _UNCHANGED):
        _run(bench, name, target, state)


def _run(bench: _Bench, name: str, target: sa.URL, *state: str) -> None:
    checkpoint(bench.server)
    source, into = map(url_with_password, (bench.source, target))
    job = BillingJob(source, into, HORIZON.current, HORIZON.zone.key)
    figures = run_contender(billing_contenders.__name__, name, job)
    what = ", ".join((name, *state))
    bench.figures[what].append(figures)
    print(f"  {what}: {figures}")


def _digest(warehouse: sa.Engine) -> Digest:
    """Return number, sum and hash of the rows of both calculated tables, without customers who may have faulty rows."""
    first = FIRST_CUSTOMER_ID + FAULTY_CUSTOMERS
    with warehouse.connect() as connection:
        return [
            tuple(connection.execute(sa.text(f"{_digest_query(target, amount)} WHERE customer_id >= {first}")).one())
            for target, amount in ((transactions.TARGET, "total_harga"), (balances.TARGET, "closing_balance"))
        ]


def _digest_query(target: TargetTable, amount: str) -> str:
    content = f"ROW({', '.join(target.content)})::text"
    return f"SELECT count(*), sum({amount}), sum(hashtextextended({content}, 0)) FROM {target.table}"


def _compare(name: str, computed: Digest, expected: Digest) -> None:
    """Check that a contender computed the ledger's rows.

    Raises:
        AssertionError: if a row differs.
    """
    if computed != expected:
        raise AssertionError(f"{name} computed other transactions or balances: {computed} instead of {expected}")


def _print_medians(bench: _Bench) -> None:
    medians = {what: median(figures) for what, figures in bench.figures.items()}
    for what, figures in medians.items():
        print(f"  median of {what}: {figures}")
    cold = medians[f"ledger, {_EMPTY}"]
    loaded = [sum(clock) for clock in zip(cold.stages[STAGING], cold.stages[MONTH_BUILD], strict=True)]
    wall, processor = (f"{cold.rows / seconds:,.0f} rows" for seconds in loaded)
    print(f"  load_readings alone: {wall}/s, {processor} per second of CPU time")
    if (limit := medians.get(f"limit, {_EMPTY}")) is not None:
        in_database = sum(limit.stages[stage][0] for stage in ("transactions", "balances"))
        print(
            f"  the ledger takes {cold.seconds / limit.seconds:.2f} times as long as the limit, and "
            f"{cold.seconds / in_database:.2f} times as long as the month in the database"
        )
    probed, staged = medians["probe"].processor_seconds, cold.stages[STAGING][1]
    if abs(probed - staged) > _LARGEST_DEVIATION * staged:
        print(
            f"  probe and load differ ({probed:.1f} s and {staged:.1f} s of CPU time): the probe does something else, "
            "or these are too few readings"
        )


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark with options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readings", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="measure only the ledger, without its peers")
    options = parser.parse_args(arguments)
    readings_to_balances(options.readings, options.rounds, alone=options.alone)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
