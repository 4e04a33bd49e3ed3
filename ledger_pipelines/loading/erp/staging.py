"""First half of an ERP load: read, normalise, validate, and copy into staging partitions."""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.erp.plan import ReadPlan, is_in_partitions, month_of_day
from ledger_pipelines.loading.rejections import STAGED_REJECTIONS, RowsLostError
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.reader import TableReader
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.warehouse.bulk_copy import ColumnCopy, copy_rows
from ledger_pipelines.warehouse.keyless_merge import KeylessTable
from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops.rejected_rows import REJECTION_COLUMNS
from ledger_pipelines.warehouse.partitions import create_staging_table
from ledger_pipelines.warehouse.tables import rejected_rows
from ledger_pipelines.warehouse.transaction_setup import create_temporary_tables

if TYPE_CHECKING:
    from ledger_pipelines.sources.erp.frames import Frame, RawRow


@dataclass(frozen=True)
class ErpLoad:
    """One load of an ERP table: the plan, and the reader that executes it."""

    table: ErpTable
    plan: ReadPlan
    horizon: Horizon
    reading: TableReader

    def month(self, day: date | None) -> str:
        """Return the month under which rows of a day are stored; `UNPARTITIONED` without a date."""
        return self.horizon.current if self.table.is_snapshot else month_of_day(day)


@dataclass
class StagedTable:
    """Staged rows of a table: numbers of rows read and rejected, and of usable rows by month."""

    table: sa.Table
    read: int = 0
    rejected: int = 0
    months: Counter[str] = field(default_factory=Counter)

    @property
    def usable(self) -> int:
        """Number of staged rows."""
        return self.months.total()


def stage(
    connection: sa.Connection, contents: KeylessTable, load: ErpLoad, progress: Callable[[int], None] | None = None
) -> StagedTable:
    """Read the planned rows, and copy them, normalised and validated, into staging partitions.

    Raises:
        SourceError: The source cannot be read.
    """
    staged = StagedTable(create_staging_table(connection, contents.table, load.plan.months))
    create_temporary_tables(connection, STAGED_REJECTIONS)
    if load.plan.reads_anything:
        rows = closing(load.reading.rows(load.plan.wanted))
        with _reduced_gc(), rows as chunks, ColumnCopy(connection, staged.table) as copy:
            for chunk in chunks:
                _stage_chunk(connection, copy, staged, load, chunk)
                if progress is not None:
                    progress(staged.read)
    return staged


def numbered_rejections() -> sa.Select[Any]:
    """Return the query of the staged rejections for `replace_rejections`; a number makes ids of equal rows unique."""
    staged = STAGED_REJECTIONS.c
    ordinal = sa.func.row_number().over(partition_by=(staged.source_table, staged.source_id))
    numbered = sa.select(*staged, ordinal.label("ordinal")).subquery("numbered")
    unique_id = sa.case(
        (numbered.c.ordinal == 1, numbered.c.source_id),
        else_=numbered.c.source_id.concat("-").concat(sa.cast(numbered.c.ordinal, sa.Text)),
    )
    return sa.select(
        *(unique_id.label(name) if name == "source_id" else numbered.c[name] for name in REJECTION_COLUMNS)
    )


def rejections_in_plan(plan: ReadPlan) -> sa.ColumnElement[bool]:
    """Return the condition for the rejected rows that a load of this plan replaces."""
    if plan.wanted.everything:
        return sa.true()
    months = rejected_rows.c.year_month.in_({*plan.months, *plan.outside})
    return sa.or_(months, rejected_rows.c.year_month.is_(None)) if plan.wanted.undated else months


@contextmanager
def _reduced_gc() -> Iterator[None]:
    """Run the cyclic garbage collector rarely: a chunk has hundreds of thousands of objects, and none is in a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _stage_chunk(
    connection: sa.Connection, copy: ColumnCopy, staged: StagedTable, load: ErpLoad, chunk: "Sequence[RawRow]"
) -> None:
    """Copy a chunk into the staging tables. Rows are inspected one by one only if the chunk has rejected rows."""
    # Imported only where needed: processes that never read the ERP must not wait for pandas to load.
    from ledger_pipelines.sources.erp import frames as erp_frames

    frame = erp_frames.frame(load.table, chunk)
    month_of = {day: load.month(day) for day in set(frame.days)}
    _check_requested(load, month_of)
    months = [month_of[day] for day in frame.days]
    columns: dict[str, Sequence[Any]] = {"year_month": months}
    columns |= {name: frame.rows[name].tolist() for name in load.table.names}
    wanted = set(load.plan.months)
    if frame.failures or not wanted.issuperset(month_of.values()):
        rejected = _rejections_in_chunk(load, chunk, frame, months)
        copy.flush()
        staged.rejected += copy_rows(
            connection, STAGED_REJECTIONS, REJECTION_COLUMNS, (row.columns for row in rejected)
        )
        keep = [n for n, month in enumerate(months) if month in wanted and n not in frame.failures]
        columns = {name: [values[n] for n in keep] for name, values in columns.items()}
    copy.write(columns)
    staged.months.update(columns["year_month"])
    staged.read += len(chunk)


def _check_requested(load: ErpLoad, days: Iterable[date | None]) -> None:
    """Check that rows of these days were requested, because only requested days are compared and verified.

    Raises:
        RowsLostError: Rows of another day were returned.
    """
    if load.plan.wanted.everything:
        return
    for day in days:
        if not load.plan.covers(day):
            of_day = "without a date" if day is None else f"of {day}"
            raise RowsLostError(f"{load.table.name}: the source returned a row {of_day}, which was not requested.")


def _rejections_in_chunk(
    load: ErpLoad, chunk: "Sequence[RawRow]", frame: "Frame", months: Sequence[str]
) -> list[Rejection]:
    """Return the rejections of a chunk."""
    rejected = []
    for position, month in enumerate(months):
        if month in load.plan.months:
            reason = frame.failures.get(position)
        elif not is_in_partitions(month, load.horizon):
            reason = frame.failures.get(position) or _reason_outside(load, month)
        else:
            continue  # everything was requested, but the month was never loaded
        if reason is not None:
            rejected.append(_build_rejection(load.table, chunk[position], month, reason))
    return rejected


def _reason_outside(load: ErpLoad, month: str) -> RejectionReason:
    if month == UNPARTITIONED:
        return RejectionReason.of(ReasonCode.NO_DATE, columns=", ".join(load.table.month_columns))
    if month > load.horizon.current:
        return RejectionReason.of(ReasonCode.AFTER_CURRENT_MONTH, month=month, current=load.horizon.current)
    return RejectionReason.of(ReasonCode.BEFORE_FIRST_MONTH, month=month, first=load.horizon.first)


def _build_rejection(table: ErpTable, row: "RawRow", month: str, reason: RejectionReason) -> Rejection:
    from ledger_pipelines.sources.erp import frames as erp_frames

    raw = erp_frames.raw_row(table, row)
    digest = blake2b(raw.encode(), digest_size=8).hexdigest()
    return Rejection(
        table.name, f"{erp_frames.name_of(table, row)} #{digest}".strip(), None, month or None, reason, raw
    )
