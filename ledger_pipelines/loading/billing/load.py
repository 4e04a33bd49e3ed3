"""Load the billing application's data into `billing.*`: one function per table, in the caller's transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading.billing import deletions, moves, normalisation
from ledger_pipelines.loading.billing.staging import BillingLoad, Normalise, StagedBatch, split_valid, stage
from ledger_pipelines.loading.rejections import STAGED_REJECTIONS, RowsLostError
from ledger_pipelines.sources.billing import rules as billing_rules
from ledger_pipelines.sources.billing.reader import Chunk
from ledger_pipelines.sources.billing.records import PRICE_FIELDS, MeterReading
from ledger_pipelines.sources.billing.rules import RecordRules
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.invalidations import invalidate
from ledger_pipelines.warehouse.merge import (
    UNPARTITIONED,
    CountsByMonth,
    TargetTable,
    add_counts,
    delete_rows,
    is_any_of,
    merge_rows,
    qualified_name,
    write_months,
)
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded, months_loaded
from ledger_pipelines.warehouse.ops.rejected_rows import is_of_customers, replace_rejections
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.transaction_setup import avoid_nested_loops, lock_tables

#: Columns of customers and prices that determine the price of a reading.
_PRICING_COLUMNS = {"customer_id", "position", "rule", "valid_from", "valid_to", "entry", *PRICE_FIELDS}

#: Up to this number of repriced customers are invalidated by id; above it, all customers are.
MAX_INVALIDATED_CUSTOMERS = 1_000


def load_customers(load: BillingLoad, connection: sa.Connection) -> TableReport:
    """Load `billing.customers`. A load of all customers compares all ids with the source before it writes.

    Raises:
        SourceError: The source cannot be read.
        DeletionRefusedError: The source has no customers, or far fewer customers or readings than the warehouse.
    """
    return _load_unpartitioned(load, connection, tables.customers, billing_rules.CUSTOMERS, normalisation.customers)


def load_prices(load: BillingLoad, connection: sa.Connection) -> TableReport:
    """Load `billing.prices`.

    A customer with an unreadable pricing_history keeps the entries that are loaded. A customer whose own row is
    unusable loses them.

    Raises:
        SourceError: The source cannot be read.
        DeletionRefusedError: The source has no customers, or far fewer entries than the warehouse.
    """
    return _load_unpartitioned(load, connection, tables.prices, billing_rules.PRICES, normalisation.prices)


def load_deposits(load: BillingLoad, connection: sa.Connection) -> TableReport:
    """Load months of `billing.deposits` and invalidate the balances of the months that changed.

    A customer with an unreadable deposit_history keeps the entries that are loaded. A customer whose own row is
    unusable loses the entries of every month: without prices, a balance made of deposits would be wrong.

    Raises:
        SourceError: The source cannot be read.
        DeletionRefusedError: The source has no customers, or far fewer entries than the warehouse.
    """
    lock_tables(connection, tables.deposits)
    avoid_nested_loops(connection, load.scope)
    _check_source(load, connection, tables.deposits)
    staged = stage(
        load,
        connection,
        tables.deposits,
        billing_rules.DEPOSITS,
        load.source.customers(load.scope),
        normalisation.deposits,
    )
    dropped = _drop_unusable(connection, tables.deposits, staged)
    confirmed = deletions.confirmed_deletions(load, connection, tables.deposits, staged)
    counts = _write_months(load, connection, tables.deposits, staged)
    _invalidate_changed(load, connection, tables.monthly_customer_balances, add_counts(counts, dropped))
    report = _finish(load, connection, tables.deposits, staged, counts, confirmed, dropped)
    return replace(report, counts=add_counts(report.counts, dropped))


def load_readings(load: BillingLoad, connection: sa.Connection) -> TableReport:
    """Load months of `billing.meter_readings`.

    A reading that moves to another month or customer is loaded exactly once. A reading that moves into the scope is
    deleted from its old place. A reading that moves out of the scope is written to its new place. The transactions of
    the other place are invalidated.

    Raises:
        SourceError: The source cannot be read.
        DeletionRefusedError: The source has no readings, or far fewer than the warehouse.
    """
    table = tables.meter_readings
    lock_tables(connection, table)
    avoid_nested_loops(connection, load.scope)
    _check_source(load, connection, table)
    staged = _stage_readings(load, connection)
    moved = _reread_missing(load, connection, staged)
    moved = add_counts(moved, moves.delete_outside_scope(connection, load.scope, staged.rows, STAGED_REJECTIONS))
    confirmed = deletions.confirmed_deletions(load, connection, table, staged)
    counts = _write_months(load, connection, table, staged)
    _invalidate_changed(load, connection, tables.transaction_calculations, counts)
    report = _finish(load, connection, table, staged, counts, confirmed)
    deletions.close_resolved_incidents(load, connection)
    return replace(report, counts=add_counts(report.counts, moved))


def _stage_readings(load: BillingLoad, connection: sa.Connection) -> StagedBatch:
    """Stage the readings: many in batches of columns, those of some customers row by row."""
    table, rules = tables.meter_readings, billing_rules.READINGS
    batches = load.source.reading_batches(load.scope) if load.scope.covers_all_customers else None
    if batches is not None:
        return stage(load, connection, table, rules, batches, normalisation.reading_batch)
    return stage(load, connection, table, rules, load.source.readings(load.scope), normalisation.readings)


def _drop_unusable(connection: sa.Connection, table: sa.Table, staged: StagedBatch) -> CountsByMonth:
    """Delete the loaded rows of customers whose own row is unusable.

    `_finish` counts these deletions for the deletion guard if several customers are affected.
    """
    return delete_rows(connection, table, is_any_of(table.c.customer_id, staged.unusable)) if staged.unusable else {}


def _write_months(load: BillingLoad, connection: sa.Connection, table: sa.Table, staged: StagedBatch) -> CountsByMonth:
    def target(months: Sequence[str]) -> sa.Select[Any]:
        return sa.select(staged.rows).where(staged.rows.c.year_month.in_(months))

    counts = write_months(connection, TargetTable(table), target, load.scope, unchanged_customers=staged.unreadable)
    if load.scope.covers_all_customers:
        mark_loaded(connection, table, load.scope.months, load.run_id)
    return counts


def _load_unpartitioned(
    load: BillingLoad,
    connection: sa.Connection,
    table: sa.Table,
    rules: RecordRules,
    normalise: Normalise[Chunk],
) -> TableReport:
    lock_tables(connection, table)
    avoid_nested_loops(connection, load.scope)
    _check_source(load, connection, table)
    staged = stage(load, connection, table, rules, load.source.customers(load.scope), normalise)
    within = _within_scope(table, load.scope, staged.unreadable)
    repriced = _repriced_customers(connection, table, staged.rows, within)
    dropped = _drop_unusable(connection, table, staged)
    confirmed = deletions.confirmed_deletions(load, connection, table, staged)
    counts = merge_rows(connection, TargetTable(table), sa.select(staged.rows), within)
    if load.scope.covers_all_customers:
        mark_loaded(connection, table, [UNPARTITIONED], load.run_id)
    if repriced:
        # A recalculation that has begun uses the old prices, and records its months only when it commits.
        lock_tables(connection, tables.transaction_calculations)
        priced = sorted(months_loaded(connection, tables.transaction_calculations))
        few = len(repriced) <= MAX_INVALIDATED_CUSTOMERS
        customers = repriced if few else None
        invalidate(connection, tables.transaction_calculations, priced, customers, covered=load.recalculated_scope)
    report = _finish(load, connection, table, staged, counts, confirmed, dropped)
    return replace(report, counts=add_counts(report.counts, dropped))


def _repriced_customers(
    connection: sa.Connection, table: sa.Table, staged: sa.Table, within: sa.ColumnElement[bool]
) -> list[int]:
    """Return the customers whose default prices or price entries are about to change."""
    priced = [column.name for column in table.columns if column.name in _PRICING_COLUMNS]
    new = sa.select(*(staged.c[name] for name in priced))
    old = sa.select(*(table.c[name] for name in priced)).where(within)
    removed, added = sa.except_all(old, new).subquery(), sa.except_all(new, old).subquery()
    changed = sa.union(sa.select(removed.c.customer_id), sa.select(added.c.customer_id))
    return list(connection.scalars(changed))


def _within_scope(table: sa.Table, scope: Scope, kept: Collection[int]) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if scope.customers is not None:
        conditions.append(is_any_of(table.c.customer_id, scope.customers))
    if kept:
        conditions.append(~is_any_of(table.c.customer_id, kept))
    return sa.and_(*conditions)


def _check_source(load: BillingLoad, connection: sa.Connection, table: sa.Table) -> None:
    """Refuse a source that lacks required tables or columns, or that looks emptied."""
    load.source.refresh_columns()
    for subject, has_any, loaded in zip(
        deletions.EMPTY_SOURCE_SUBJECTS,
        (load.source.has_customers, load.source.has_readings),
        (tables.customers, tables.meter_readings),
        strict=True,
    ):
        if table is tables.meter_readings or loaded is tables.customers:
            warehouse_has_any = bool(connection.scalar(sa.select(sa.exists(sa.select(1).select_from(loaded)))))
            load.guard.check_not_emptied(subject, source_has_any=has_any(), warehouse_has_any=warehouse_has_any)
    if (
        table is tables.customers and load.scope.covers_all_customers
    ):  # only in the first step: later steps see what it allowed
        deletions.check_all_ids(load, connection)


def _reread_missing(load: BillingLoad, connection: sa.Connection, staged: StagedBatch) -> CountsByMonth:
    """Reread the readings that disappeared from the scope, and write each to its present month and customer."""
    ids = moves.find_missing_readings(connection, load.scope, load.horizon, staged.rows, STAGED_REJECTIONS, load.guard)
    normalised = normalisation.readings(
        [row for chunk in load.source.readings_by_id(ids) for row in chunk], load.horizon
    )
    usable, failed = split_valid(billing_rules.READINGS, normalised.records)
    readings = [MeterReading._make(row) for row in usable]
    inside = [reading for reading in readings if _covers(load.scope, reading)]
    staged.add(connection, inside, (*normalised.rejections, *failed))
    return moves.relocate(connection, (reading for reading in readings if not _covers(load.scope, reading)))


def _covers(scope: Scope, reading: MeterReading) -> bool:
    return reading.year_month in scope.months and (scope.customers is None or reading.customer_id in scope.customers)


def _invalidate_changed(load: BillingLoad, connection: sa.Connection, table: sa.Table, counts: CountsByMonth) -> None:
    """Invalidate the written months in the table that is computed from them."""
    changed = [month for month, count in counts.items() if count.changed]
    invalidate(connection, table, changed, load.scope.customers, covered=load.recalculated_scope)


def _finish(
    load: BillingLoad,
    connection: sa.Connection,
    table: sa.Table,
    staged: StagedBatch,
    counts: CountsByMonth,
    confirmed: Mapping[str, int],
    dropped: CountsByMonth | None = None,
) -> TableReport:
    """Store the rejections, check the deletions, and verify that every row read is either loaded or rejected.

    Raises:
        DeletionRefusedError: A month would lose too many rows.
        RowsLostError: A row that was read is neither loaded nor rejected.
    """
    # One customer's unusable row must not stop the others. Several unusable rows look like an outage.
    many = len(staged.unusable) > 1 or not load.guard.rows
    deletions.check_counts(load, table, add_counts(counts, dropped) if dropped and many else counts, confirmed)
    within = _rejections_in_load(load, table, staged.rows)
    rejected = replace_rejections(connection, table.name, sa.select(STAGED_REJECTIONS), within, load.run_id)
    report = TableReport(qualified_name(table), counts, rejected, len(staged.unreadable))
    if (report.loaded, sum(rejected.values())) != (staged.usable, staged.rejected):
        raise RowsLostError(
            f"{report.table}: {staged.usable} usable and {staged.rejected} rejected rows were read, but "
            f"{report.loaded} are loaded and {sum(rejected.values())} listed as rejected. Nothing was changed."
        )
    return report


def _rejections_in_load(load: BillingLoad, table: sa.Table, staged: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition for the rejected rows that this load replaces.

    It matches rows of the load's months and customers, rows without a month, and earlier rejections of readings that
    this load now writes.
    """
    rejected = tables.rejected_rows.c
    within = is_of_customers(load.scope)
    if "year_month" in table.c:
        within = sa.and_(within, sa.or_(rejected.year_month.in_(load.scope.months), rejected.year_month.is_(None)))
    if table is tables.meter_readings:
        within = sa.or_(within, rejected.source_id.in_(sa.select(sa.cast(staged.c.reading_id, sa.Text))))
    return within
