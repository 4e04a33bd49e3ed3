"""Benchmarks of the ERP sync: a million rows over ODBC compared with dlt, unchanged and changed data, an hourly sync.

Each contender runs in a separate process (`contenders.py`), with the same source and a database of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec

import sqlalchemy as sa

from ledger_pipelines.demo.erp.load import seed_erp
from ledger_pipelines.demo.erp.mutate import mutate_erp
from ledger_pipelines.demo.erp.plan import ErpDemoPlan
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, SO_INVOICE_LINE
from ledger_pipelines.sources.erp.connection.odbc import installed_drivers
from ledger_pipelines_tests.bench import contenders
from ledger_pipelines_tests.bench.contenders import CopyFigures, CopyJob, checkpoint, median, run_contender
from ledger_pipelines_tests.bench.parity import check_parity
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.erp.psqlodbc import OPTIONS
from ledger_pipelines_tests.support.servers import fresh_database, running_embedded_server

HORIZON = Horizon("2024-11", "2026-10", WIB)
UNTIL = datetime(2026, 10, 31, 23, tzinfo=WIB)
MILLION = 41_700
"""Rows of `so_invoice_line` per month for a million rows in 24 months."""


@dataclass(frozen=True)
class BenchServer:
    """Server of a benchmark, and the ERP's database on it."""

    server: sa.URL
    erp: sa.URL


@contextmanager
def _seeded(rows_per_month: int) -> Iterator[BenchServer]:
    """Seed an ERP of 24 months on a durable embedded server."""
    with running_embedded_server(fast_and_unsafe=False) as server, fresh_database(server.url("postgres")) as erp:
        plan = ErpDemoPlan(current_month=HORIZON.current, until=UNTIL, months=24, rows_per_month=rows_per_month)
        engine = sa.create_engine(erp)
        made = seed_erp(engine, plan)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
        engine.dispose()
        print(f"seeded an ERP with {made.rows[SO_INVOICE_LINE.name]:,} rows of {SO_INVOICE_LINE.name}")
        yield BenchServer(server.url("postgres"), erp)


def first_and_later_syncs(rows_per_month: int = MILLION, rounds: int = 3) -> None:
    """Copy `so_invoice_line` over ODBC into an empty warehouse, also with dlt; then unchanged and with 100 changes."""
    try:
        drivers = installed_drivers()
    except ImportError as error:
        print(f"skipped: pyodbc cannot be loaded (Debian: libodbc2): {error}")
        return
    if OPTIONS["driver"] not in drivers:
        print(f"skipped: this machine has no ODBC driver {OPTIONS['driver']!r} (Debian: odbc-postgresql)")
        return
    with_dlt = find_spec("dlt") is not None
    if not with_dlt:
        print(
            "dlt is not installed: the sync is measured alone. Install it: pip install -c constraints.txt -e '.[bench]'"
        )
    names = ("ledger", "dlt-parquet", "dlt-csv") if with_dlt else ("ledger",)
    figures_by_name: dict[str, list[CopyFigures]] = {name: [] for name in names}
    with _seeded(rows_per_month) as bench_server:
        for number in range(rounds):
            for name in names:
                with fresh_database(bench_server.server) as target:
                    _prepare(bench_server, target, name)
                    figures_by_name[name].append(_run_contender(name, bench_server, target))
                    check_parity(bench_server.erp, target, SO_INVOICE_LINE)
                    _print_figures(f"round {number + 1}, {name}, empty warehouse", figures_by_name[name][-1])
                    if name == "ledger" and number == rounds - 1:
                        _later_syncs(bench_server, target, rounds)
    for name, figures in figures_by_name.items():
        _print_figures(f"median of {name}, {figures[0].rows:,} rows", median(figures))


def hourly_sync(rows_per_month: int = 300, rounds: int = 5) -> None:
    """Measure the hourly sync of the demo: all tables, 20 rows changed since the previous sync."""
    with _seeded(rows_per_month) as bench_server, fresh_database(bench_server.server) as target:
        _prepare(bench_server, target, "ledger")
        names = tuple(table.name for table in ERP_TABLES)
        _print_figures("first sync of all tables", _run_contender("ledger-native", bench_server, target, names))
        times = []
        for number in range(rounds):
            _change_random_rows(bench_server, 20, number)
            times.append(_run_contender("ledger-native", bench_server, target, names, first=False))
            _print_figures(f"hour {number + 1}", times[-1])
        _print_figures("median hour", median(times))


def _later_syncs(bench_server: BenchServer, target: sa.URL, rounds: int) -> None:
    """Measure syncs after the first one: without changes, then with 100 changed rows."""
    tables = (SO_INVOICE_LINE.name,)
    same = [_run_contender("ledger", bench_server, target, tables, first=False) for _ in range(rounds)]
    _print_figures("nothing changed at the source, median", median(same))
    changed = []
    for number in range(rounds):
        _change_100_rows(bench_server, number)
        changed.append(_run_contender("ledger", bench_server, target, tables, first=False))
        check_parity(bench_server.erp, target, SO_INVOICE_LINE)
    _print_figures("100 rows changed in 24 months, median", median(changed))


def _prepare(bench_server: BenchServer, target: sa.URL, name: str) -> None:
    """Create the sync's tables, which is not measured, and run a checkpoint before the measurement."""
    if name == "ledger":
        _run_contender("prepare", bench_server, target)
    checkpoint(bench_server.server)


def _run_contender(
    name: str,
    bench_server: BenchServer,
    target: sa.URL,
    tables: tuple[str, ...] = (SO_INVOICE_LINE.name,),
    *,
    first: bool = True,
) -> CopyFigures:
    """Run a contender in a separate process: a first sync reads all months, later ones those of the hourly sync."""
    months = HORIZON.months if first else HORIZON.months[-2:]
    erp, into = (url.render_as_string(hide_password=False) for url in (bench_server.erp, target))
    job = CopyJob(erp, into, (HORIZON.first, HORIZON.current), months, tables)
    return run_contender(contenders.__name__, name, job)


def _change_100_rows(bench_server: BenchServer, seed: int) -> None:
    """Change the quantity of 100 rows in random months."""
    engine = sa.create_engine(bench_server.erp)
    change = """
        UPDATE so_invoice_line SET delivered_qty = coalesce(delivered_qty, 0) + 1 WHERE ctid IN (
            SELECT ctid FROM so_invoice_line WHERE delivery_date IS NOT NULL
            ORDER BY hashtextextended(CAST(ctid AS text), :seed) LIMIT 100)
    """
    with engine.begin() as connection:
        connection.execute(sa.text(change), {"seed": seed})
    engine.dispose()


def _change_random_rows(bench_server: BenchServer, changes: int, seed: int) -> None:
    engine = sa.create_engine(bench_server.erp)
    mutate_erp(engine, changes, seed, HORIZON.current)
    engine.dispose()


def _print_figures(what: str, figures: CopyFigures) -> None:
    print(f"  {what}: {figures}")
