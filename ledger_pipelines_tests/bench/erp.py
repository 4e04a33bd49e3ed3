"""The ERP sync's benchmarks: a million rows by ODBC beside dlt, the same again, a hundred changes, an ordinary hour.

Each contender runs in a process of its own (`contenders.py`), on the same source, into a database of its own.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.util import find_spec

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.sources.erp_odbc import installed_drivers
from ledger_pipelines.sources.erp_tables import ERP_TABLES, SO_INVOICE_LINE
from ledger_pipelines.sources.sample.erp.disturb import disturb
from ledger_pipelines.sources.sample.erp.load import seed_erp
from ledger_pipelines.sources.sample.erp.plan import ErpPlan
from ledger_pipelines_tests.bench.contenders import Figures, Job
from ledger_pipelines_tests.bench.parity import check_parity
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.servers import fresh_database, running_embedded_server
from ledger_pipelines_tests.sources.psqlodbc import OPTIONS

HORIZON = Horizon("2024-11", "2026-10", WIB)
UNTIL = datetime(2026, 10, 31, 23, tzinfo=WIB)
MILLION = 41_700
"""Rows of `so_invoice_line` a month that make a million in 24."""


@dataclass(frozen=True)
class Place:
    """Where a benchmark runs: one server, with the ERP's database on it."""

    server: sa.URL
    erp: sa.URL


@contextmanager
def _seeded(rows_per_month: int) -> Iterator[Place]:
    """An ERP of 24 months on a durable embedded server."""
    with running_embedded_server(fast_and_unsafe=False) as server, fresh_database(server.url("postgres")) as erp:
        plan = ErpPlan(current_month=HORIZON.current, until=UNTIL, months=24, rows_per_month=rows_per_month)
        engine = sa.create_engine(erp)
        made = seed_erp(engine, plan)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
        engine.dispose()
        print(f"seeded an ERP with {made.rows[SO_INVOICE_LINE.name]:,} rows of {SO_INVOICE_LINE.name}")
        yield Place(server.url("postgres"), erp)


def million(rows_per_month: int = MILLION, rounds: int = 3) -> None:
    """`so_invoice_line` by pyodbc into an empty warehouse, beside dlt; then again, unchanged and with 100 changes."""
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
        print("without dlt, which is not installed: pip install -c constraints.txt -e '.[bench]'")
    names = ("ledger", "dlt-parquet", "dlt-csv") if with_dlt else ("ledger",)
    found: dict[str, list[Figures]] = {name: [] for name in names}
    with _seeded(rows_per_month) as place:
        for number in range(rounds):
            for name in names:
                with fresh_database(place.server) as target:
                    _prepare(place, target, name)
                    found[name].append(_run(name, place, target))
                    check_parity(place.erp, target, SO_INVOICE_LINE)
                    _tell(f"round {number + 1}, {name}, empty warehouse", found[name][-1])
                    if name == "ledger" and number == rounds - 1:
                        _later_syncs(place, target, rounds)
    for name, figures in found.items():
        _tell(f"median of {name}, {figures[0].rows:,} rows", _median(figures))


def hourly(rows_per_month: int = 300, rounds: int = 5) -> None:
    """The ordinary hourly sync of the demo: all six tables, twenty rows changed since the last one."""
    with _seeded(rows_per_month) as place, fresh_database(place.server) as target:
        _prepare(place, target, "ledger")
        names = tuple(table.name for table in ERP_TABLES)
        _tell("first sync of all six tables", _run("ledger-native", place, target, names))
        times = []
        for number in range(rounds):
            _disturb(place, 20, number)
            times.append(_run("ledger-native", place, target, names, first=False))
            _tell(f"hour {number + 1}", times[-1])
        _tell("median hour", _median(times))


def _later_syncs(place: Place, target: sa.URL, rounds: int) -> None:
    """What follows the first sync of a table: nothing changed; then a hundred rows of it changed at random."""
    tables = (SO_INVOICE_LINE.name,)
    same = [_run("ledger", place, target, tables, first=False) for _ in range(rounds)]
    _tell("nothing changed at the source, median", _median(same))
    changed = []
    for number in range(rounds):
        _change_hundred(place, number)
        changed.append(_run("ledger", place, target, tables, first=False))
        check_parity(place.erp, target, SO_INVOICE_LINE)
    _tell("100 rows changed in 24 months, median", _median(changed))


def _prepare(place: Place, target: sa.URL, name: str) -> None:
    """Give the contender its tables, where making them is not what is measured, and the server a clean start."""
    if name == "ledger":
        _run("prepare", place, target)
    engine = sa.create_engine(place.server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CHECKPOINT"))
    engine.dispose()


def _run(
    name: str, place: Place, target: sa.URL, tables: tuple[str, ...] = (SO_INVOICE_LINE.name,), *, first: bool = True
) -> Figures:
    """Let a contender work in a process of its own: of a first sync all months, later what the hourly sync asks for.

    Raises:
        RuntimeError: it failed.
    """
    months = HORIZON.months if first else HORIZON.months[-2:]
    erp, into = (url.render_as_string(hide_password=False) for url in (place.erp, target))
    job = Job(erp, into, (HORIZON.first, HORIZON.current), months, tables)
    # By its standard input: what is among the arguments, anyone may read, and the addresses hold passwords.
    command = [sys.executable, "-m", "ledger_pipelines_tests.bench.contenders", name]
    done = subprocess.run(command, input=json.dumps(asdict(job)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the contender {name} failed:\n{done.stdout}{done.stderr}")
    return Figures(**json.loads(done.stdout.strip().rsplit("\n", 1)[-1]))


def _change_hundred(place: Place, seed: int) -> None:
    """Change the quantity of 100 rows, spread over all months."""
    engine = sa.create_engine(place.erp)
    change = """
        UPDATE so_invoice_line SET delivered_qty = coalesce(delivered_qty, 0) + 1 WHERE ctid IN (
            SELECT ctid FROM so_invoice_line WHERE delivery_date IS NOT NULL
            ORDER BY hashtextextended(CAST(ctid AS text), :seed) LIMIT 100)
    """
    with engine.begin() as connection:
        connection.execute(sa.text(change), {"seed": seed})
    engine.dispose()


def _disturb(place: Place, changes: int, seed: int) -> None:
    engine = sa.create_engine(place.erp)
    disturb(engine, changes, seed, HORIZON.current)
    engine.dispose()


def _median(figures: list[Figures]) -> Figures:
    """Each figure's median; of how many rows there were, too."""
    by_name = {name: [asdict(of)[name] for of in figures] for name in asdict(figures[0])}
    return Figures(**{name: statistics.median(values) for name, values in by_name.items()})


def _tell(what: str, figures: Figures) -> None:
    rate = figures.rows / figures.seconds
    print(
        f"  {what}: {figures.seconds:.1f} s ({rate:,.0f} rows read/s), "
        f"{figures.processor_seconds:.1f} s of processor, peak memory {figures.peak_mb:.0f} MB "
        f"({figures.imported_mb:.0f} MB of it before the first row)"
    )
