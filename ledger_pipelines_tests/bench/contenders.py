"""Whoever copies the ERP's tables in a benchmark, each alone in a process that says how long it took and its memory.

`python -m ledger_pipelines_tests.bench.contenders NAME` reads its job from standard input. What a contender needs is
imported by it alone, so that nobody's memory is counted with another's.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger_pipelines_tests.sources.psqlodbc import by_odbc

Copy = Callable[[], int]
"""Copies, and returns how many rows it read."""


@dataclass(frozen=True)
class Job:
    """What to copy.

    Attributes:
        erp: The source's address, password and all.
        target: Of the database to copy into.
        horizon: The first and the current month of the partitions.
        months: Which months to read whatever they look like.
        tables: Which tables.
    """

    erp: str
    target: str
    horizon: tuple[str, str]
    months: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """What it took.

    Attributes:
        rows: How many rows were read.
        seconds: From the first connection to the commit of the last row; imports are not counted.
        processor_seconds: Of this process, without the servers.
        peak_mb: The most memory that the process had.
        imported_mb: The memory that it had before it began.
    """

    rows: float
    seconds: float
    processor_seconds: float
    peak_mb: float
    imported_mb: float


def prepare(job: Job) -> Copy:
    """Make the target an empty warehouse."""
    from zoneinfo import ZoneInfo

    from ledger_pipelines.warehouse import schema
    from ledger_pipelines.warehouse.engine import warehouse_engine

    warehouse = warehouse_engine(sa.make_url(job.target), ZoneInfo("Asia/Jakarta"))

    def run() -> int:
        schema.upgrade(warehouse)
        return 0

    return run


def ledger(job: Job, *, natively: bool = False) -> Copy:
    """Our own sync, by ODBC or by the source's native driver."""
    # dlt brings it, the product does without; where it is there, pandas loads it, and it takes 35 MB.
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # how Python notes that there is no such module
    from zoneinfo import ZoneInfo

    from ledger_pipelines.horizon import Horizon
    from ledger_pipelines.loading.erp import Sync, load_table
    from ledger_pipelines.loading.guard import DeletionGuard
    from ledger_pipelines.sources.erp import Erp
    from ledger_pipelines.sources.erp_engine import erp_engine
    from ledger_pipelines.sources.erp_tables import erp_table
    from ledger_pipelines.warehouse.engine import warehouse_engine

    zone, url = ZoneInfo("Asia/Jakarta"), sa.make_url(job.erp)
    source = Erp(erp_engine(url if natively else by_odbc(url)))
    warehouse = warehouse_engine(sa.make_url(job.target), zone)
    sync = Sync(source, warehouse, Horizon(*job.horizon, zone), job.months, DeletionGuard(), "bench")

    def run() -> int:
        return sum(load_table(sync, erp_table(name)).read for name in job.tables)

    return run


def dlt(job: Job, *, file_format: str) -> Copy:
    """dlt, by its pyarrow backend."""
    from ledger_pipelines_tests.bench.dlt_copy import dlt_copy

    return dlt_copy(sa.make_url(job.erp), sa.make_url(job.target), job.tables, file_format)


CONTENDERS: dict[str, Callable[[Job], Copy]] = {
    "prepare": prepare,
    "ledger": ledger,
    "ledger-native": partial(ledger, natively=True),
    "dlt-parquet": partial(dlt, file_format="parquet"),
    "dlt-csv": partial(dlt, file_format="csv"),
}


def main(name: str) -> None:
    """Let a contender do the job that standard input tells, and print its figures."""
    copy = CONTENDERS[name](_job(sys.stdin.read()))
    imported = _memory_mb("VmRSS")
    started, worked = time.monotonic(), time.process_time()
    rows = copy()
    figures = Figures(
        rows=rows,
        seconds=time.monotonic() - started,
        processor_seconds=time.process_time() - worked,
        peak_mb=_memory_mb("VmHWM"),
        imported_mb=imported,
    )
    print(json.dumps(asdict(figures)))


def _job(text: str) -> Job:
    given: dict[str, Any] = json.loads(text)
    given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return Job(**given)


def _memory_mb(name: str) -> float:
    """A figure of Linux about this process alone; what `getrusage` calls the peak is inherited from who started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main(sys.argv[1])
