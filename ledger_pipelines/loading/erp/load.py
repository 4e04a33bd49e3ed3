"""Load the ERP's tables into `erp.*`: each table in one transaction, as a verified copy of the source.

The source's fingerprints by day are compared first. Days and months that differ are read, normalised, validated and
copied into staging partitions. A month that is loaded already is changed by the differences; the staging partition of a
new month is attached. A past month that has lost many rows is read a second time after a pause. Before the commit, the
counts and sums of the source must equal those of the copy and its rejected rows.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.loading.erp.clock_columns import clock_warning, fully_changed_months
from ledger_pipelines.loading.erp.copy_state import contents_of, read_copy_state
from ledger_pipelines.loading.erp.plan import (
    CopyState,
    ReadPlan,
    SourceDays,
    day_key,
    day_of,
    plan_full_read,
    plan_reads,
    rows_by_month,
    stored_month,
)
from ledger_pipelines.loading.erp.proof import Evidence, prove
from ledger_pipelines.loading.erp.shrink import PastMonths, SecondLookError, ShrinkRule
from ledger_pipelines.loading.erp.staging import ErpLoad, StagedTable, numbered_rejections, rejections_in_plan, stage
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.reader import (
    ErpSource,
    SourceInterruptedError,
    SourceUnreachableError,
    TableReader,
    Wanted,
)
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.sources.prefetch import run_beside
from ledger_pipelines.warehouse.keyless_merge import KeylessTable, apply_diff, moved_rows, sole_difference
from ledger_pipelines.warehouse.merge import Counts, CountsByMonth, qualified_name, total_counts
from ledger_pipelines.warehouse.ops.fingerprints import StoredFingerprint, days_read_before, store_fingerprints
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.ops.rejected_rows import replace_rejections
from ledger_pipelines.warehouse.partitions import attach_staging_partition, drop_staging_table, has_partition
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.transaction_setup import avoid_nested_loops, lock_tables

ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 1
_DAILY = timedelta(hours=23, minutes=30)  # less than a day, so that an hourly sync is never just too early


@dataclass(frozen=True)
class TableLoad:
    """One sync of one table.

    Attributes:
        source: The ERP.
        warehouse: The warehouse.
        horizon: Months of the partitions.
        months: Months to read even if they look unchanged. Loaded months that differ at the source are read too: a row
            that moved between two months must be in one of them.
        recent: Of these months, once loaded, only the days that changed and those not read for a day are read, if the
            source's fingerprints show every change.
        guard: Bounds of deletions without confirmation.
        run_id: The run.
        full: Read every month that was ever loaded.
        source_answers: Whether the source answered a moment ago: if it does not answer now, it is being restarted.
        progress: Called with the number of rows read so far.
        warn: Called with each warning for the user.
        shrink: Bounds from which a past month's loss of rows is looked at again.
    """

    source: ErpSource
    warehouse: sa.Engine
    horizon: Horizon
    months: tuple[str, ...]
    guard: DeletionGuard
    run_id: str
    recent: Collection[str] = ()
    full: bool = False
    source_answers: bool = False
    progress: Callable[[int], None] | None = None
    warn: Callable[[str], None] | None = None
    shrink: ShrinkRule = field(default_factory=ShrinkRule)

    def log_warning(self, message: str) -> None:
        """Pass a warning on to ``warn``."""
        if self.warn is not None:
            self.warn(message)


def load_erp_table(sync: TableLoad, table: ErpTable) -> TableReport:
    """Make the copy of a table equal to the source, in one transaction.

    Nothing is changed if an error is raised. If past months have lost many rows, the table is read again after a pause
    before the loss is copied: a job of the ERP may be reloading it.

    Raises:
        SourceError: The source cannot be read, or lacks the table or a column.
        DeletionRefusedError: Too many rows would be deleted.
        RowsLostError: The rows that were read differ from the counts or sums of the source.
    """
    looked_at: frozenset[str] = frozenset()
    while True:
        try:
            return _load_with_retries(sync, table, looked_at)
        except SecondLookError as error:  # has released the warehouse's locks and the ERP's snapshot
            looked_at |= error.months
            sync.log_warning(f"{error} Nothing was changed. Looking again in {sync.shrink.pause_seconds:g} s.")
        time.sleep(sync.shrink.pause_seconds)
        sync = replace(sync, source_answers=True)


def _load_with_retries(sync: TableLoad, table: ErpTable, looked_at: frozenset[str]) -> TableReport:
    """Load a table; retry if the source is interrupted."""
    answered = sync.source_answers
    for attempt in range(1, ATTEMPTS):
        try:
            return _load(sync, table, looked_at, accept_changes=attempt > 1)
        except SourceError as error:
            if not (error.retryable or (answered and isinstance(error, SourceUnreachableError))):
                raise
            answered = True  # so a source that is unreachable from now on is being restarted
            sync.log_warning(f"{table.name}: {error} Trying again ({attempt} of {ATTEMPTS - 1}).")
            time.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    return _load(sync, table, looked_at, accept_changes=True)


def _load(sync: TableLoad, table: ErpTable, looked_at: frozenset[str], *, accept_changes: bool = False) -> TableReport:
    """Load a table once.

    Args:
        sync: The sync.
        table: The table.
        looked_at: Months whose loss of rows was seen before the pause, so that it no longer stops the load.
        accept_changes: Load rows that change while they are read as read.
    """
    contents = contents_of(table)
    with sync.warehouse.begin() as connection:
        lock_tables(connection, contents.table)
        avoid_nested_loops(connection, Scope(sync.months))
        with sync.source.reading(table) as reading:
            _warn_about_shape(sync, table, reading)
            before, source_days = _states(connection, contents, reading)
            past = _past_months(sync, table, before, looked_at)
            for warning in reading.notes:
                sync.log_warning(warning)
            at_source = rows_by_month(source_days)
            if reading.dated or not at_source.total():
                past.check(at_source)  # before rows are read and written
            _check_not_emptied(sync, table, source_days, before)
            plan = _plan(sync, connection, reading, table, source_days, before)
            staged = stage(connection, contents, ErpLoad(table, plan, sync.horizon, reading), sync.progress)
            unstable = _changed_while_reading(sync, reading, source_days, plan, accept_changes=accept_changes)
        suspects = fully_changed_months(source_days, before, staged.months, sync.months)
        clock_column = sole_difference(connection, contents, staged.table, suspects[0]) if suspects else None
        moved = {
            month: moved_rows(connection, contents, staged.table, month, plan.days.get(month))
            for month in sorted(looked_at.intersection(plan.months))
        }
        counts = _write(connection, contents, plan, staged)
        rejected = replace_rejections(
            connection, table.name, numbered_rejections(), rejections_in_plan(plan), sync.run_id
        )
        report = TableReport(qualified_name(contents.table), counts, rejected)
        after = read_copy_state(connection, contents, before, plan)
        _check_past_months(sync, connection, replace(past, moved=moved), after)
        _check_deletions(sync, contents, counts, before)
        prove(after, Evidence(table, source_days, plan, staged, report, sync.horizon, unstable))
        _store_fingerprints(sync, connection, table, plan, source_days, before, unstable)
        verified = {sync.horizon.current}.intersection(plan.months) if table.is_snapshot else sync.months
        mark_loaded(connection, contents.table, sorted(verified), sync.run_id)
        if clock_column and (suspicion := clock_warning(table, clock_column, counts, suspects)):
            sync.log_warning(suspicion)
        return report


def _states(connection: sa.Connection, contents: KeylessTable, reading: TableReader) -> tuple[CopyState, SourceDays]:
    """Return the state of the copy and the fingerprints of the source; the two servers compute at the same time."""
    driver: Any = connection.connection.driver_connection
    with run_beside(lambda: read_copy_state(connection, contents), driver.cancel_safe) as copy_state:
        source_days = reading.fingerprints()
        return copy_state(), source_days


def _warn_about_shape(sync: TableLoad, table: ErpTable, reading: TableReader) -> None:
    if reading.shape.extra:
        extra = ", ".join(reading.shape.extra)
        sync.log_warning(f"{table.name} has columns at the source that are not copied: {extra}")
    if not reading.dated and not table.is_snapshot:
        columns = ", ".join(table.month_columns)
        sync.log_warning(f"{columns} of {table.name} are not date columns at the source: the whole table is read")


def _plan(
    sync: TableLoad,
    connection: sa.Connection,
    reading: TableReader,
    table: ErpTable,
    source_days: SourceDays,
    before: CopyState,
) -> ReadPlan:
    if table.is_snapshot:
        if sync.horizon.current in sync.months or sync.full:
            return ReadPlan(Wanted(everything=True), frozenset({sync.horizon.current}))
        sync.log_warning(
            f"{table.name} has only its current state: nothing was read, and its past months are unchanged"
        )
        return ReadPlan(Wanted(), frozenset())
    if not reading.dated:
        return plan_full_read(before, sync.months, sync.horizon)
    by_day = {month for month in sync.recent if month in before.loaded} if reading.shows_every_change else set()
    due = days_read_before(connection, table.name, by_day, _DAILY)
    return plan_reads(source_days, before, {*sync.months} - by_day, sync.horizon, due=map(day_of, due), full=sync.full)


def _check_not_emptied(sync: TableLoad, table: ErpTable, source_days: SourceDays, before: CopyState) -> None:
    sync.guard.check_not_emptied(
        f"rows in {table.name}",
        source_has_any=any(day.rows for day in source_days.values()),
        warehouse_has_any=any(before.rows(month) for month in before.days),
        source="The ERP",
    )


def _changed_while_reading(
    sync: TableLoad, reading: TableReader, source_days: SourceDays, plan: ReadPlan, *, accept_changes: bool
) -> frozenset[date | None]:
    """Return the days that changed while they were read; empty where the source has a consistent snapshot.

    Raises:
        SourceInterruptedError: Days changed, and ``accept_changes`` is false.
    """
    if reading.consistent or not plan.reads_anything:
        return frozenset()
    now = reading.fingerprints(plan.wanted)
    read = filter(plan.covers, {*source_days, *now})
    unstable = frozenset(day for day in read if source_days.get(day) != now.get(day))
    if unstable and not accept_changes:
        raise SourceInterruptedError(f"The table changed while it was read (rows of {len(unstable)} days).")
    if unstable:
        days = len(unstable)
        sync.log_warning(f"The source keeps changing while it is read: the next sync reads {days} days again.")
    return unstable


def _write(connection: sa.Connection, contents: KeylessTable, plan: ReadPlan, staged: StagedTable) -> CountsByMonth:
    counts: CountsByMonth = {}
    for month in plan.months:
        if has_partition(connection, contents.table, month):
            counts[month] = apply_diff(connection, contents, staged.table, month, plan.days.get(month))
        else:
            attach_staging_partition(connection, contents.table, month)
            counts[month] = Counts(inserted=staged.months[month])
    drop_staging_table(connection, contents.table)
    return counts


def _past_months(sync: TableLoad, table: ErpTable, before: CopyState, looked_at: frozenset[str]) -> PastMonths:
    """Return the months whose losses of rows are checked: none if a user accepted every deletion."""
    months = () if sync.guard.accept or table.is_snapshot else sync.horizon.months[:-1]
    return PastMonths(table.name, sync.shrink, before.rows_with_rejected(months), looked_at)


def _check_past_months(sync: TableLoad, connection: sa.Connection, past: PastMonths, after: CopyState) -> None:
    """Update the incident of past months that lost many rows.

    Raises:
        SecondLookError: Months must be looked at again.
    """
    now = after.rows_with_rejected(past.before)
    past.check(now)
    if recovered := past.recovered(now):
        sync.log_warning(f"{past.table}: the rows of {', '.join(recovered)} are back at the ERP.")
    for month, rows in past.moved.items():
        if rows:
            sync.log_warning(f"{past.table}: {rows:,} rows of {month} moved to other months.")
    past.review_incident(connection, now, sync.run_id)


def _check_deletions(sync: TableLoad, contents: KeylessTable, counts: CountsByMonth, before: CopyState) -> None:
    """Check the deletions, in total and by month, relative to whole months even if only some days were read."""
    by_month = {
        month: Counts(deleted=count.deleted, unchanged=before.rows(month) - count.deleted)
        for month, count in counts.items()
    }
    name = qualified_name(contents.table)
    sync.guard.check(name, total_counts(by_month))
    for month, count in by_month.items():
        sync.guard.check(f"{name} of {month}", count, _moved_hint(counts, month))


def _moved_hint(counts: CountsByMonth, month: str) -> str:
    """Return the sentence about rows that a load added to other months, followed by a blank; empty if it added none."""
    added = sum(count.inserted for other, count in counts.items() if other != month)
    return f"({added:,} rows were added to other months: some may have moved there.) " if added else ""


def _store_fingerprints(
    sync: TableLoad,
    connection: sa.Connection,
    table: ErpTable,
    plan: ReadPlan,
    source_days: SourceDays,
    before: CopyState,
    unstable: frozenset[date | None],
) -> None:
    """Store the fingerprints of the days that were read, and remove those of days that changed meanwhile."""
    if plan.wanted.everything:
        return
    read = [
        StoredFingerprint(day_key(day), stored_month(day, sync.horizon), fingerprint.rows, fingerprint.digest)
        for day, fingerprint in source_days.items()
        if plan.covers(day) and day not in unstable
    ]
    kept = {known_day.day for known_day in read}
    removed = [key for key in before.known if key not in kept and plan.covers(day_of(key))]
    store_fingerprints(connection, table.name, read, removed, sync.run_id)
