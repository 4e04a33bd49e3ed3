"""The first half of an ERP load: read, normalise, validate, and copy aside."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.erp_plan import Plan, is_stored, month_of_day
from ledger_pipelines.loading.rejections import STAGED_REJECTIONS, RowsLostError
from ledger_pipelines.sources.erp import Reading
from ledger_pipelines.sources.erp_tables import ErpTable
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.warehouse.bulk import ColumnCopy, copy_rows
from ledger_pipelines.warehouse.contents import Contents
from ledger_pipelines.warehouse.partitions import make_aside
from ledger_pipelines.warehouse.rejected import CONTENT
from ledger_pipelines.warehouse.session import make_temporary
from ledger_pipelines.warehouse.tables import rejected_rows

if TYPE_CHECKING:
    from ledger_pipelines.sources.erp_frames import Frame, RawRow


@dataclass(frozen=True)
class Stage:
    """What is staged: the rows of a table that a plan wants, out of a pass over the source."""

    table: ErpTable
    plan: Plan
    horizon: Horizon
    reading: Reading

    def month(self, day: date | None) -> str:
        """The month of a row of a day; `NO_MONTH` if it has none."""
        return self.horizon.current if self.table.is_snapshot else month_of_day(day)


@dataclass
class Staged:
    """What was read: how many rows in all, how many of them usable in each month, how many rejected."""

    aside: sa.Table
    read: int = 0
    rejected: int = 0
    months: Counter[str] = field(default_factory=Counter)

    @property
    def usable(self) -> int:
        """Rows that stand aside."""
        return self.months.total()


def stage(
    connection: sa.Connection, contents: Contents, what: Stage, progress: Callable[[int], None] | None = None
) -> Staged:
    """Read what a plan wants, and copy it, normalised and validated, into tables beside the copy.

    Raises:
        SourceError: the source cannot be read.
    """
    staged = Staged(make_aside(connection, contents.table, what.plan.months))
    make_temporary(connection, STAGED_REJECTIONS)
    if what.plan.reads_anything:
        rows = closing(what.reading.rows(what.plan.wanted))
        with _rare_collections(), rows as chunks, ColumnCopy(connection, staged.aside) as copy:
            for chunk in chunks:
                _take(connection, copy, staged, what, chunk)
                if progress is not None:
                    progress(staged.read)
    return staged


def rejections() -> sa.Select[Any]:
    """The staged rejections as `replace_rejections` takes them, equal rows told apart by a number."""
    staged = STAGED_REJECTIONS.c
    ordinal = sa.func.row_number().over(partition_by=(staged.source_table, staged.source_id))
    numbered = sa.select(*staged, ordinal.label("ordinal")).subquery("numbered")
    told_apart = sa.case(
        (numbered.c.ordinal == 1, numbered.c.source_id),
        else_=numbered.c.source_id.concat("-").concat(sa.cast(numbered.c.ordinal, sa.Text)),
    )
    return sa.select(*(told_apart.label(name) if name == "source_id" else numbered.c[name] for name in CONTENT))


def rejections_of(plan: Plan) -> sa.ColumnElement[bool]:
    """The rejected rows that a load of a plan speaks for."""
    if plan.wanted.everything:
        return sa.true()
    months = rejected_rows.c.year_month.in_({*plan.months, *plan.outside})
    return sa.or_(months, rejected_rows.c.year_month.is_(None)) if plan.wanted.undated else months


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the collector of cycles look rarely: a chunk is hundreds of thousands of objects, none of them in a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _take(connection: sa.Connection, copy: ColumnCopy, staged: Staged, what: Stage, chunk: "Sequence[RawRow]") -> None:
    """Put a chunk where it belongs, row by row only as far as something is wrong with it."""
    # Imported where frames are made: whoever only knows that there is an ERP must not wait for pandas.
    from ledger_pipelines.sources import erp_frames

    made = erp_frames.frame(what.table, chunk)
    month_of = {day: what.month(day) for day in set(made.days)}
    months = [month_of[day] for day in made.days]
    columns: dict[str, Sequence[Any]] = {"year_month": months}
    columns |= {name: made.rows[name].tolist() for name in what.table.names}
    wanted = set(what.plan.months)
    if made.failures or not wanted.issuperset(month_of.values()):
        refused = _refused(what, chunk, made, months)
        copy.pause()
        staged.rejected += copy_rows(connection, STAGED_REJECTIONS, CONTENT, refused)
        keep = [n for n, month in enumerate(months) if month in wanted and n not in made.failures]
        columns = {name: [values[n] for n in keep] for name, values in columns.items()}
    copy.write(columns)
    staged.months.update(columns["year_month"])
    staged.read += len(chunk)


def _refused(what: Stage, chunk: "Sequence[RawRow]", made: "Frame", months: Sequence[str]) -> list[Rejection]:
    """The rejections of a chunk.

    Raises:
        RowsLostError: a row is of a month that was not asked for, where only some were.
    """
    refused = []
    for position, month in enumerate(months):
        if month in what.plan.months:
            reason = made.failures.get(position)
        elif not is_stored(month, what.horizon):
            reason = made.failures.get(position) or _why_outside(what, made.days[position])
        elif what.plan.wanted.everything:
            continue  # a month that was never loaded
        else:
            raise RowsLostError(f"{what.table.name}: the source gave a row of {month}, which was not asked for.")
        if reason is not None:
            refused.append(_rejection(what.table, chunk[position], month, reason))
    return refused


def _why_outside(what: Stage, day: date | None) -> str:
    if day is None:
        columns = what.table.month_columns
        return f"no date: {' and '.join(columns)} {'is' if len(columns) == 1 else 'are'} missing"
    if day.isoformat()[:7] > what.horizon.current:
        return f"dated after the current month: {day}; it is taken up when its month comes"
    first = what.horizon.first
    return f"dated before the first month of the partitions, {first}: {day}; set LEDGER_FIRST_MONTH to go further back"


def _rejection(table: ErpTable, row: "RawRow", month: str, reason: str) -> Rejection:
    from ledger_pipelines.sources import erp_frames

    raw = erp_frames.raw_row(table, row)
    digest = blake2b(raw.encode(), digest_size=8).hexdigest()
    return Rejection(
        table.name, f"{erp_frames.name_of(table, row)} #{digest}".strip(), None, month or None, reason, raw
    )
