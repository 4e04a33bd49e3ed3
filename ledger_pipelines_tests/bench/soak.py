"""`python -m ledger_pipelines_tests.bench.soak`: soak test of realtime changes from a busy billing application.

Starts the embedded server, Dagster's code server and daemon as `ledger up` does, fills a billing application and its
ledger, and changes the application from a separate process. Reports the latency from change to balance, the memory of
the processes, and the differences from the reference at the end.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ledger_pipelines.dagster_internals import DAEMON_MODULE
from ledger_pipelines.defs.partitions import month_range_tags
from ledger_pipelines.demo.erp.load import seed_erp
from ledger_pipelines.demo.erp.plan import ErpDemoPlan
from ledger_pipelines.horizon import Horizon, shift_month
from ledger_pipelines.serving.dagster.environment import DEFINITIONS, dagster_environment
from ledger_pipelines.settings import Settings, project_folder
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import database_urls, schema, tables
from ledger_pipelines.warehouse.engine import source_engine, warehouse_engine
from ledger_pipelines_tests.bench.soak_data import BillingWorkload, fill_application_and_ledger
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import Ledger, SourceState
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, describe_differences
from ledger_pipelines_tests.support.processes import restore_sigint_handler, run_pids
from ledger_pipelines_tests.support.servers import free_port

_COMPARED_CUSTOMERS = 1_000
_TABLES = {users.name, data_pencatatan.name}
_MAX_WAIT_SECONDS = 240


def main(arguments: Sequence[str]) -> int:
    """Run the soak test; return 0 if the result equals the reference."""
    options = _parser().parse_args(arguments)
    if options.write:
        return _run_writer(options)
    restore_sigint_handler()
    folder = Path(tempfile.mkdtemp(prefix="ledger-soak-"))
    horizon = _horizon(options.months)
    settings = Settings(
        home=folder / "home", db_port=free_port(), code_server_port=free_port(), first_month=horizon.first
    )
    server = database_urls.embedded_server(settings)
    server.start()
    try:
        return _soak(options, settings, horizon)
    finally:
        server.delete()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--rate", type=int, default=5, help="changes per second")
    parser.add_argument("--burst", type=int, default=500, help="changes per burst, in one transaction")
    parser.add_argument("--burst-every", type=int, default=120, help="seconds between bursts")
    parser.add_argument("--erp-rows", type=int, default=20_000, help="ERP rows per table and month; 0: no sync")
    parser.add_argument("--kill", action="store_true", help="kill daemon, code server or runs every minute")
    parser.add_argument("--write", metavar="URL", help=argparse.SUPPRESS)
    return parser


def _horizon(months: int) -> Horizon:
    zone = ZoneInfo("Asia/Jakarta")
    current = f"{datetime.now(zone):%Y-%m}"
    return Horizon(shift_month(current, 1 - months), current, zone)


def _run_writer(options: argparse.Namespace) -> int:
    """Change the application; runs in the separate process."""
    workload = BillingWorkload(source_engine(sa.make_url(options.write)), _horizon(options.months), seed=1)
    made = workload.run(options.minutes * 60, options.rate, options.burst, options.burst_every)
    print(f"{made:,} changes made", flush=True)
    return 0


def _soak(options: argparse.Namespace, settings: Settings, horizon: Horizon) -> int:
    server = database_urls.embedded_server(settings)
    for url in (
        database_urls.warehouse_url(settings),
        database_urls.billing_url(settings),
        database_urls.erp_url(settings),
    ):
        server.ensure_database(url.database or "")
    server.ensure_database(database_urls.dagster_storage_url(settings).database or "")
    warehouse = warehouse_engine(database_urls.warehouse_url(settings), horizon.zone)
    source = source_engine(database_urls.billing_url(settings))
    schema.upgrade(warehouse)
    began = time.monotonic()
    fill_application_and_ledger(source, warehouse, horizon, options.customers)
    print(f"filled {options.customers:,} customers x {options.months} months in {time.monotonic() - began:.0f} s")
    if options.erp_rows:
        seed_erp(
            source_engine(database_urls.erp_url(settings)),
            ErpDemoPlan(current_month=horizon.current, months=6, rows_per_month=options.erp_rows),
        )
    with _dagster(settings) as processes:
        time.sleep(20)
        print(f"memory at the start: {_memory(processes)}")
        _run_workload(options, settings, processes)
        print(f"memory at the end: {_memory(processes)}")
        lag = _wait_until_applied(warehouse)
        print(f"all changes applied {lag:.1f} s after the last change")
    _print_latencies(warehouse)
    _print_run_starts(settings)
    wrong = _differences(source, warehouse, horizon)
    print(f"differences from the reference: {len(wrong)}")
    print("\n".join(wrong[:10]))
    return 1 if wrong else 0


@contextmanager
def _dagster(settings: Settings) -> Iterator["ManagedProcesses"]:
    """Run code server and daemon as `ledger up` starts them."""
    environment = os.environ | dagster_environment(settings)
    log = (settings.home / "dagster.log").open("wb")
    port = str(settings.code_server_port)
    programs = {
        "code server": ["dagster", "api", "grpc", "-m", DEFINITIONS, "--host", "127.0.0.1", "--port", port,
                        "--location-name", "ledger", "--use-python-environment-entry-point"],
        "daemon": [DAEMON_MODULE, "run", "-w", str(project_folder() / "workspace.yaml")],
    }  # fmt: skip

    def start(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *programs[name]]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=project_folder())

    processes = ManagedProcesses(start)
    try:
        processes["code server"] = start("code server")
        time.sleep(6)
        processes["daemon"] = start("daemon")
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()
        log.close()


class ManagedProcesses(dict[str, "subprocess.Popen[bytes]"]):
    """Processes by name, with a function to restart them."""

    def __init__(self, start: Callable[[str], "subprocess.Popen[bytes]"]) -> None:
        super().__init__()
        self.start = start


def _run_workload(options: argparse.Namespace, settings: Settings, processes: "ManagedProcesses") -> None:
    """Change the application in a separate process; meanwhile sync the ERP and, with `--kill`, kill processes."""
    url = database_urls.billing_url(settings).render_as_string(hide_password=False)
    command = [sys.executable, "-m", __spec__.name, "--write", url]
    for name in ("months", "minutes", "rate", "burst", "burst_every"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    rng = random.Random(7)
    with subprocess.Popen(command) as writer:
        next_sync = next_kill = time.monotonic() + 30
        while writer.poll() is None:
            time.sleep(1)
            if options.erp_rows and time.monotonic() >= next_sync:
                next_sync += 300
                _sync_erp(settings)
            if options.kill and time.monotonic() >= next_kill:
                next_kill += 60
                _kill(processes, rng)


def _sync_erp(settings: Settings) -> None:
    environment = os.environ | dagster_environment(settings)
    horizon = Horizon.at(datetime.now(settings.zone), first=settings.first_month, zone=settings.zone)
    tags = json.dumps(month_range_tags(shift_month(horizon.current, -5), horizon.current))
    command = [
        "dagster",
        "job",
        "launch",
        "-w",
        str(project_folder() / "workspace.yaml"),
        "-j",
        "erp_sync",
        "--tags",
        tags,
    ]
    subprocess.Popen(
        [sys.executable, "-m", *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _kill(processes: "ManagedProcesses", rng: random.Random) -> None:
    """Send SIGKILL to the daemon or code server and restart it, or to the processes of runs."""
    victim = rng.choice(["daemon", "code server", "run"])
    if victim == "run":
        runs = run_pids(processes["code server"].pid)
        for pid in runs:
            os.kill(pid, 9)
        print(f"killed runs: {', '.join(map(str, runs)) or 'none'}", flush=True)
        return
    processes[victim].kill()
    processes[victim].wait()
    print(f"killed the {victim}", flush=True)
    processes[victim] = processes.start(victim)


def _memory(processes: dict[str, subprocess.Popen[bytes]]) -> str:
    def megabytes(pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024

    return ", ".join(f"{name} {megabytes(process.pid)} MB" for name, process in processes.items())


def _wait_until_applied(warehouse: sa.Engine) -> float:
    """Wait until the change queue stays empty; return the seconds until then."""
    began = time.monotonic()
    empty_checks = 0
    while empty_checks < 5 and time.monotonic() - began < _MAX_WAIT_SECONDS:
        with warehouse.connect() as connection:
            waiting = connection.scalar(sa.select(sa.func.count()).select_from(tables.pending_changes))
        empty_checks = empty_checks + 1 if not waiting else 0
        time.sleep(1)
    return time.monotonic() - began - empty_checks


def _print_latencies(warehouse: sa.Engine) -> None:
    batch = tables.realtime_batches.c
    with warehouse.connect() as connection:
        for name in ("since_change_ms", "since_notice_ms"):
            took = sa.select(sa.func.unnest(batch[name]).label("ms")).subquery()
            shares = [sa.func.percentile_disc(share).within_group(took.c.ms) for share in (0.5, 0.95, 0.99)]
            row = connection.execute(
                sa.select(sa.func.count(), *shares, sa.func.max(took.c.ms)).select_from(took)
            ).one()
            print(f"{name}: {row[0]:,} changes; p50 {row[1]} ms, p95 {row[2]} ms, p99 {row[3]} ms, max {row[4]} ms")
        counts = connection.execute(
            sa.select(sa.func.count(), sa.func.count(batch.run_id.distinct()), sa.func.max(batch.changes))
        ).one()
        print(f"{counts[0]:,} transactions in {counts[1]:,} runs; the largest applied {counts[2]} changes")


def _print_run_starts(settings: Settings) -> None:
    """Print the time from request to start of the realtime runs."""
    engine = sa.create_engine(database_urls.dagster_storage_url(settings))
    created = sa.text(
        "SELECT extract(epoch FROM create_timestamp) AS created, start_time, end_time FROM runs "
        "WHERE pipeline_name = 'realtime' ORDER BY create_timestamp"
    )
    with engine.connect() as connection:
        rows = connection.execute(created).all()
    waits = sorted(float(row.start_time) - float(row.created) for row in rows if row.start_time)
    if waits:
        print(
            f"{len(rows)} runs; from request to start: median {waits[len(waits) // 2]:.2f} s, longest {waits[-1]:.2f} s"
        )
    engine.dispose()


def _differences(source: sa.Engine, warehouse: sa.Engine, horizon: Horizon) -> list[str]:
    """Compare changed customers, and some others, with the reference; return the differences."""
    since = datetime.now(horizon.zone).replace(tzinfo=None) - timedelta(days=1)
    with source.connect() as connection:
        touched = set(connection.scalars(sa.select(users.c.id).where(users.c.updated_at >= since)))
        owners = sa.select(data_pencatatan.c.customer_id).where(data_pencatatan.c.updated_at >= since)
        touched |= set(connection.scalars(owners))
        ids = sorted({*touched, *range(1, _COMPARED_CUSTOMERS)})
        of_users = connection.execute(sa.select(users).where(users.c.id.in_(ids))).mappings()
        readings = connection.execute(
            sa.select(data_pencatatan).where(data_pencatatan.c.customer_id.in_(ids))
        ).mappings()
        state = SourceState(tuple(map(dict, of_users)), tuple(map(dict, readings)))
    expected = compute_ledger(state, first_month=horizon.first, current_month=horizon.current)
    found = Pipeline(source, warehouse, horizon).ledger()
    known = set(ids)
    own = Ledger(
        {key: row for key, row in found.transactions.items() if row.customer_id in known},
        {key: row for key, row in found.balances.items() if key[0] in known},
        {key: reason for key, reason in found.rejected.items() if key[0] in _TABLES},
    )
    print(f"compared {len(ids):,} customers, {len(own.transactions):,} transactions, {len(own.balances):,} balances")
    return describe_differences(own, expected)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
