"""Contenders: how each is run and measured in its own process, and those of the ERP benchmark, which copy tables.

`python -m ledger_pipelines_tests.bench.contenders NAME` reads its job from standard input. Each contender imports its
own dependencies, so that the memory of one does not count for another.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger_pipelines_tests.support.erp.psqlodbc import with_psqlodbc

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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
        stages: Seconds and seconds of CPU time of each stage, of a copy that measures its stages.
    """

    rows: float
    seconds: float
    processor_seconds: float
    peak_mb: float
    imported_mb: float
    stages: Mapping[str, Sequence[float]]

    def __str__(self) -> str:
        total = (
            f"{self.seconds:.1f} s ({self.rows / self.seconds:,.0f} rows read/s), "
            f"{self.processor_seconds:.1f} s of CPU time, peak memory {self.peak_mb:.0f} MB "
            f"({self.imported_mb:.0f} MB of it before the first row)"
        )
        stages = (
            f"\n    {stage}: {seconds:.1f} s, {processor_seconds:.1f} s of CPU time"
            for stage, (seconds, processor_seconds) in self.stages.items()
        )
        return total + "".join(stages)


class Laps:
    """Times of the stages of a copy. A lap lasts from the end of the previous one; the laps of a stage are added up."""

    def __init__(self) -> None:
        self.stages: dict[str, Sequence[float]] = {}
        self.start()

    def start(self, processor_clock: Callable[[], float] = time.process_time) -> None:
        """Begin a lap; the clock counts the CPU time from then on."""
        self._processor_clock = processor_clock
        self._end = self._clocks()

    def end(self, stage: str) -> None:
        """End a lap of a stage."""
        started, worked = self._end
        self._end = now, work = self._clocks()
        seconds, processor_seconds = self.stages.get(stage, (0.0, 0.0))
        self.stages[stage] = (seconds + now - started, processor_seconds + work - worked)

    def _clocks(self) -> tuple[float, float]:
        return time.monotonic(), self._processor_clock()


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
    print_measured(CONTENDERS[name](_job(sys.stdin.read())), Laps())


def print_measured(copy: Copy, laps: Laps) -> None:
    """Run a copy, and print its figures as JSON."""
    imported = _process_memory_mb("VmRSS")
    laps.start()
    started, worked = time.monotonic(), time.process_time()
    rows = copy()
    figures = CopyFigures(
        rows=rows,
        seconds=time.monotonic() - started,
        processor_seconds=time.process_time() - worked,
        peak_mb=_process_memory_mb("VmHWM"),
        imported_mb=imported,
        stages=laps.stages,
    )
    print(json.dumps(asdict(figures)))


def run_contender(module: str, name: str, job: "DataclassInstance") -> CopyFigures:
    """Run a contender of a module in a separate process.

    Raises:
        RuntimeError: if the contender fails.
    """
    # The URLs contain passwords, and arguments are visible to all users: pass the job on standard input.
    command = [sys.executable, "-m", module, name]
    done = subprocess.run(command, input=json.dumps(asdict(job)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the contender {name} failed:\n{done.stdout}{done.stderr}")
    return CopyFigures(**json.loads(done.stdout.strip().rsplit("\n", 1)[-1]))


def checkpoint(server: sa.URL) -> None:
    """Run a checkpoint, so that none is due soon after the start of a measurement."""
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CHECKPOINT"))
    engine.dispose()


def median(figures: Sequence[CopyFigures]) -> CopyFigures:
    """Return the median of each figure, and of each stage's figures."""
    stages = {
        stage: [statistics.median(clock) for clock in zip(*(each.stages[stage] for each in figures), strict=True)]
        for stage in figures[0].stages
    }
    by_name = {name: [asdict(each)[name] for each in figures] for name in asdict(figures[0]) if name != "stages"}
    return CopyFigures(**{name: statistics.median(values) for name, values in by_name.items()}, stages=stages)


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
