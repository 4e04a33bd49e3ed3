"""The ERP's tables into `erp.*`: one table, one transaction, a copy of what the source has, proven by counting.

The source's days are looked at first; what differs is read, normalised, validated and copied aside; each month is then
made equal to what was read, or adopted as it is if it is new. Before anything is committed, the source's own counts and
sums must be those of the copy and its rejected rows.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.loading import erp_plan
from ledger_pipelines.loading.erp_plan import Copy, Plan, Seen, day_key, day_of, stored_as
from ledger_pipelines.loading.erp_proof import Evidence, prove
from ledger_pipelines.loading.erp_staging import Stage, Staged, rejections, rejections_of, stage
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.sources.erp import Erp, Reading, SourceInterruptedError, SourceUnreachableError, Wanted
from ledger_pipelines.sources.erp_tables import ErpTable, Kind
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.contents import Contents, Sums, day_sums, make_equal
from ledger_pipelines.warehouse.fingerprints import Known, known, remember
from ledger_pipelines.warehouse.loaded import mark_loaded, months_loaded
from ledger_pipelines.warehouse.months import NO_MONTH, Counts, CountsByMonth, qualified, total
from ledger_pipelines.warehouse.partitions import adopt, drop_aside, has_partition
from ledger_pipelines.warehouse.rejected import replace_rejections
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.session import lock, plan_for

ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 1


class SourceMovesError(RowsLostError):
    """The source changed while it was read, and has no way to show one state of it; the table is as it was."""


@dataclass(frozen=True)
class Sync:
    """One sync of a table: from where, to where, how much, and on whose behalf.

    Attributes:
        source: The ERP.
        warehouse: The warehouse.
        horizon: The months of the partitions.
        months: Months to read whatever they look like. Months that were loaded before and differ at the source are
            read besides: a row that moved from one month to another must not be in neither.
        guard: How much may be deleted unasked.
        run_id: The run.
        full: Read every month that was ever loaded.
        source_answers: Whether the source was there a moment ago: if it is not now, it is being restarted.
        progress: Told how many rows have been read so far.
        warn: Told what a person should know.
    """

    source: Erp
    warehouse: sa.Engine
    horizon: Horizon
    months: tuple[str, ...]
    guard: DeletionGuard
    run_id: str
    full: bool = False
    source_answers: bool = False
    progress: Callable[[int], None] | None = None
    warn: Callable[[str], None] | None = None

    def tell(self, message: str) -> None:
        """Say what a person should know."""
        if self.warn is not None:
            self.warn(message)


def load_table(sync: Sync, table: ErpTable) -> Report:
    """Make the copy of a table equal to the source, in one transaction; begin again if the source breaks off.

    Raises:
        SourceError: the source cannot be read, or lacks the table or a column; nothing was changed.
        DeletionRefusedError: too much would be deleted; nothing was changed.
        RowsLostError: what was read is not what the source says it has; nothing was changed.
    """
    may_pass: tuple[type[Exception], ...] = (SourceInterruptedError, SourceMovesError)
    if sync.source_answers:
        may_pass = (*may_pass, SourceUnreachableError)
    for attempt in range(1, ATTEMPTS):
        try:
            return _load(sync, table, settle=attempt > 1)
        except may_pass as error:
            may_pass = (*may_pass, SourceUnreachableError)  # it was there a moment ago: it is being restarted
            sync.tell(f"{table.name}: {error} Trying again ({attempt} of {ATTEMPTS - 1}).")
            time.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    return _load(sync, table, settle=True)


def contents_of(table: ErpTable) -> Contents:
    """The copy of a table, as what is compared by content."""
    return Contents(
        table=tables.erp_tables[table.name],
        columns=table.names,
        days=table.month_columns,
        key=table.key,
        amounts=table.names_of(Kind.DECIMAL),
    )


def _load(sync: Sync, table: ErpTable, *, settle: bool = False) -> Report:
    """One attempt. With ``settle``, a source that changes while it is read is taken as it was read."""
    contents = contents_of(table)
    with sync.warehouse.begin() as connection:
        lock(connection, contents.table)
        plan_for(connection, Scope(sync.months))
        with sync.source.reading(table) as reading:
            _tell_shape(sync, table, reading)
            before = copy_of(connection, contents)
            seen = reading.fingerprints()
            for note in reading.notes:
                sync.tell(note)
            _check_not_emptied(sync, table, seen, before)
            plan = _plan(sync, table, reading, seen, before)
            staged = stage(connection, contents, Stage(table, plan, sync.horizon, reading), sync.progress)
            moved = _moved(sync, reading, seen, plan, settle=settle)
        counts = _write(connection, contents, plan, staged)
        rejected = replace_rejections(connection, table.name, rejections(), rejections_of(plan), sync.run_id)
        report = Report(qualified(contents.table), counts, rejected)
        _check_deletions(sync, contents, counts, before)
        after = copy_of(connection, contents, before, plan.months)
        prove(after, Evidence(table, seen, plan, staged, report, sync.horizon, moved))
        _remember(sync, connection, table, plan, seen, before, moved)
        asked = {sync.horizon.current} if table.is_snapshot else set(sync.months)
        mark_loaded(connection, contents.table, sorted(asked & set(plan.months)), sync.run_id)
        return report


def copy_of(
    connection: sa.Connection, contents: Contents, before: Copy | None = None, written: Collection[str] = ()
) -> Copy:
    """What the warehouse has of a table; with ``before``, what it has after some months were written."""
    rejected = tables.rejected_rows.c
    month = sa.func.coalesce(rejected.year_month, NO_MONTH)
    of_table = rejected.asset == contents.table.name
    counted = connection.execute(sa.select(month, sa.func.count()).where(of_table).group_by(month))
    return Copy(
        known=known(connection, contents.table.name),
        loaded=months_loaded(connection, contents.table),
        days=day_sums(connection, contents) if before is None else _renewed(connection, contents, before, written),
        rejected=dict(counted.all()),
    )


def _renewed(
    connection: sa.Connection, contents: Contents, before: Copy, written: Collection[str]
) -> Mapping[str, Mapping[date | None, Sums]]:
    untouched = {month: days for month, days in before.days.items() if month not in written}
    return {**untouched, **day_sums(connection, contents, written)}


def _tell_shape(sync: Sync, table: ErpTable, reading: Reading) -> None:
    if reading.shape.extra:
        sync.tell(f"{table.name} has columns at the source that are not copied: {', '.join(reading.shape.extra)}")
    if not reading.dated and not table.is_snapshot:
        sync.tell(f"{', '.join(table.month_columns)} of {table.name} are no dates at the source: all of it is read")


def _plan(sync: Sync, table: ErpTable, reading: Reading, seen: Seen, before: Copy) -> Plan:
    if table.is_snapshot:
        if sync.horizon.current in sync.months or sync.full:
            return Plan(Wanted(everything=True), frozenset({sync.horizon.current}))
        sync.tell(f"{table.name} shows only what is: its past months stay as they last were, nothing was read")
        return Plan(Wanted(), frozenset())
    if not reading.dated:
        return erp_plan.plan_everything(before, sync.months, sync.horizon)
    return erp_plan.plan(seen, before, sync.months, sync.horizon, full=sync.full)


def _check_not_emptied(sync: Sync, table: ErpTable, seen: Seen, before: Copy) -> None:
    sync.guard.check_not_emptied(
        f"rows in {table.name}",
        source_has_any=any(of.rows for of in seen.values()),
        warehouse_has_any=any(before.rows(month) for month in before.days),
        source="The ERP",
    )


def _moved(sync: Sync, reading: Reading, seen: Seen, plan: Plan, *, settle: bool) -> frozenset[date | None]:
    """The days that changed while they were read: none where the source shows one state of itself.

    Raises:
        SourceMovesError: there are some, and another attempt may find none.
    """
    if reading.consistent or not plan.reads_anything:
        return frozenset()
    now = reading.fingerprints()
    moved = frozenset(day for day in {*seen, *now} if plan.covers(day) and seen.get(day) != now.get(day))
    if moved and not settle:
        raise SourceMovesError(f"It changed while it was read (rows of {len(moved)} days).")
    if moved:
        sync.tell(f"The source keeps changing while it is read: {len(moved)} days are read again by the next sync.")
    return moved


def _write(connection: sa.Connection, contents: Contents, plan: Plan, staged: Staged) -> CountsByMonth:
    counts: CountsByMonth = {}
    for month in plan.months:
        if has_partition(connection, contents.table, month):
            counts[month] = make_equal(connection, contents, staged.aside, month, plan.days.get(month))
        else:
            adopt(connection, contents.table, month)
            counts[month] = Counts(inserted=staged.months[month])
    drop_aside(connection, contents.table)
    return counts


def _check_deletions(sync: Sync, contents: Contents, counts: CountsByMonth, before: Copy) -> None:
    """Ask the guard, for each month and in all, about what was there in whole months, however little of it was read."""
    of_months = {
        month: Counts(deleted=of.deleted, unchanged=before.rows(month) - of.deleted) for month, of in counts.items()
    }
    name = qualified(contents.table)
    sync.guard.check(name, total(of_months))
    for month, of in of_months.items():
        elsewhere = sum(counts[other].inserted for other in counts if other != month)
        moved = f"(Meanwhile {elsewhere:,} rows came to other months: some may have moved there.) " if elsewhere else ""
        sync.guard.check(f"{name} of {month}", of, moved)


def _remember(
    sync: Sync,
    connection: sa.Connection,
    table: ErpTable,
    plan: Plan,
    seen: Seen,
    before: Copy,
    moved: frozenset[date | None],
) -> None:
    """Note what the days that were read looked like; what changed meanwhile is noted as unknown."""
    if plan.wanted.everything:
        return
    read = [
        Known(day_key(day), stored_as(day, sync.horizon), of.rows, of.digest)
        for day, of in seen.items()
        if plan.covers(day) and day not in moved
    ]
    kept = {of.day for of in read}
    forgotten = [key for key in before.known if key not in kept and plan.covers(day_of(key))]
    remember(connection, table.name, read, forgotten, sync.run_id)
