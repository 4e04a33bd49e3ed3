"""Contenders of the ERP benchmark: each copies tables in its own process and prints its time and memory.

`python -m ledger_pipelines_tests.bench.contenders NAME` reads its job from standard input. Each contender imports its
own dependencies, so that the memory of one does not count for another.
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

from ledger_pipelines_tests.support.erp.psqlodbc import with_psqlodbc

Copy = Callable[[], int]
"""Copies the tables and returns the number of rows read."""


@dataclass(frozen=True)
class CopyJob:
    """A copy to make.

    Attributes:
        erp: URL of the source, including the password.
        target: URL of the database to copy into.
        horizon: First and current month of the partitions.
        months: Months to bring up to date.
        tables: Names of the tables.
    """

    erp: str
    target: str
    horizon: tuple[str, str]
    months: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class CopyFigures:
    """Time and memory of a copy.

    Attributes:
        rows: Number of rows read.
        seconds: From the first connection to the commit of the last row, without imports.
        processor_seconds: CPU time of this process, without the servers.
        peak_mb: Peak memory of the process.
        imported_mb: Memory of the process after the imports, before the copy.
    """

    rows: float
    seconds: float
    processor_seconds: float
    peak_mb: float
    imported_mb: float


def prepare(job: CopyJob) -> Copy:
    """Return a job that creates an empty warehouse in the target."""
    from zoneinfo import ZoneInfo

    from ledger_pipelines.warehouse import schema
    from ledger_pipelines.warehouse.engine import warehouse_engine

    warehouse = warehouse_engine(sa.make_url(job.target), ZoneInfo("Asia/Jakarta"))

    def run() -> int:
        schema.upgrade(warehouse)
        return 0

    return run


def ledger(job: CopyJob, *, native_driver: bool = False) -> Copy:
    """Return a job that runs the project's sync, over ODBC or the source's native driver."""
    # pyarrow is installed with dlt only, not with the product. If present, pandas imports it, which takes 35 MB.
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # None marks a module as absent
    from zoneinfo import ZoneInfo

    from ledger_pipelines.horizon import Horizon
    from ledger_pipelines.loading.erp.load import TableLoad, load_erp_table
    from ledger_pipelines.loading.erp.sync_months import recent_months
    from ledger_pipelines.loading.guard import DeletionGuard
    from ledger_pipelines.sources.erp.catalogue import erp_table
    from ledger_pipelines.sources.erp.connection.engine import erp_engine
    from ledger_pipelines.sources.erp.reader import ErpSource
    from ledger_pipelines.warehouse.engine import warehouse_engine

    zone, url = ZoneInfo("Asia/Jakarta"), sa.make_url(job.erp)
    source = ErpSource(erp_engine(url if native_driver else with_psqlodbc(url)))
    warehouse = warehouse_engine(sa.make_url(job.target), zone)
    horizon = Horizon(*job.horizon, zone)
    sync = TableLoad(source, warehouse, horizon, job.months, DeletionGuard(), "bench", recent=recent_months(horizon))

    def run() -> int:
        return sum(load_erp_table(sync, erp_table(name)).read for name in job.tables)

    return run


def dlt(job: CopyJob, *, file_format: str) -> Copy:
    """Return a job that runs dlt with its pyarrow backend."""
    from ledger_pipelines_tests.bench.dlt_copy import dlt_copy

    return dlt_copy(sa.make_url(job.erp), sa.make_url(job.target), job.tables, file_format)


CONTENDERS: dict[str, Callable[[CopyJob], Copy]] = {
    "prepare": prepare,
    "ledger": ledger,
    "ledger-native": partial(ledger, native_driver=True),
    "dlt-parquet": partial(dlt, file_format="parquet"),
    "dlt-csv": partial(dlt, file_format="csv"),
}


def main(name: str) -> None:
    """Run a contender's job, read from standard input, and print its figures."""
    copy = CONTENDERS[name](_job(sys.stdin.read()))
    imported = _process_memory_mb("VmRSS")
    started, worked = time.monotonic(), time.process_time()
    rows = copy()
    figures = CopyFigures(
        rows=rows,
        seconds=time.monotonic() - started,
        processor_seconds=time.process_time() - worked,
        peak_mb=_process_memory_mb("VmHWM"),
        imported_mb=imported,
    )
    print(json.dumps(asdict(figures)))


def _job(text: str) -> CopyJob:
    given: dict[str, Any] = json.loads(text)
    given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return CopyJob(**given)


def _process_memory_mb(name: str) -> float:
    """Return a memory figure of this process; the peak of `getrusage` includes the parent process's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main(sys.argv[1])
