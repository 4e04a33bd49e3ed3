"""The billing application's data into `billing.*`: one function a table, in the caller's transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading import deletions, moves, normalising
from ledger_pipelines.loading.rejections import STAGED_REJECTIONS, RowsLostError
from ledger_pipelines.loading.staging import Load, Normalise, Staged, stage, validated
from ledger_pipelines.sources import billing_rules
from ledger_pipelines.sources.billing_records import PRICE_FIELDS, Reading
from ledger_pipelines.sources.billing_rules import Rules
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.loaded import mark_loaded, months_loaded
from ledger_pipelines.warehouse.months import (
    NO_MONTH,
    CountsByMonth,
    Written,
    add,
    clear,
    merge,
    one_of,
    qualified,
    write,
)
from ledger_pipelines.warehouse.rejected import of_customers, replace_rejections
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.session import lock, plan_for
from ledger_pipelines.warehouse.stale import note_stale

#: The columns of customers and prices that a reading's price depends on.
_PRICING = {"customer_id", "position", "rule", "valid_from", "valid_to", "entry", *PRICE_FIELDS}

#: So many repriced customers are noted one by one; beyond, everybody is recalculated.
NOTED_ONE_BY_ONE = 1_000


def load_customers(load: Load, connection: sa.Connection) -> Report:
    """Load `billing.customers`; a load of every customer compares all ids with the source before it writes.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no customers any more, or far fewer; or far fewer readings.
    """
    return _load_unpartitioned(load, connection, tables.customers, billing_rules.CUSTOMERS, normalising.customers)


def load_prices(load: Load, connection: sa.Connection) -> Report:
    """Load `billing.prices`; a customer whose pricing_history is unreadable keeps the entries it has.

    One whose own row cannot be used has none.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no customers any more, or far fewer entries.
    """
    return _load_unpartitioned(load, connection, tables.prices, billing_rules.PRICES, normalising.prices)


def load_deposits(load: Load, connection: sa.Connection) -> Report:
    """Load months of `billing.deposits`; a customer whose deposit_history is unreadable keeps the entries it has.

    One whose own row cannot be used has none, in whatever month: without prices, a balance of deposits would be wrong.
    Balances of months that changed are noted as stale.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no customers any more, or far fewer entries.
    """
    lock(connection, tables.deposits)
    plan_for(connection, load.scope)
    _check_source(load, connection, tables.deposits)
    staged = stage(
        load, connection, tables.deposits, billing_rules.DEPOSITS, load.source.customers, normalising.deposits
    )
    dropped = _drop_unusable(connection, tables.deposits, staged)
    confirmed = deletions.confirmed_deletions(load, connection, tables.deposits, staged)
    counts = _write_months(load, connection, tables.deposits, staged)
    _note_changed(load, connection, tables.monthly_customer_balances, add(counts, dropped))
    report = _finish(load, connection, tables.deposits, staged, counts, confirmed, dropped)
    return replace(report, counts=add(report.counts, dropped))


def load_readings(load: Load, connection: sa.Connection) -> Report:
    """Load months of `billing.meter_readings`.

    A reading that moves to another month or customer is never in two places, nor in none: one that comes into the scope
    leaves where it was, one that leaves the scope is followed to where it is now. Its transactions there are noted as
    stale.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no readings any more, or far fewer.
    """
    table = tables.meter_readings
    lock(connection, table)
    plan_for(connection, load.scope)
    _check_source(load, connection, table)
    staged = stage(load, connection, table, billing_rules.READINGS, load.source.readings, normalising.readings)
    moved = _follow_moved(load, connection, staged)
    moved = add(moved, moves.evict(connection, load.scope, staged.rows, STAGED_REJECTIONS))
    confirmed = deletions.confirmed_deletions(load, connection, table, staged)
    counts = _write_months(load, connection, table, staged)
    _note_changed(load, connection, tables.transaction_calculations, counts)
    report = _finish(load, connection, table, staged, counts, confirmed)
    deletions.settle(load, connection)
    return replace(report, counts=add(report.counts, moved))


def _drop_unusable(connection: sa.Connection, table: sa.Table, staged: Staged) -> CountsByMonth:
    """Delete what is loaded of customers whose own row cannot be used.

    The deletion guard is asked about them if they are several customers (`_finish`).
    """
    return clear(connection, table, one_of(table.c.customer_id, staged.unusable)) if staged.unusable else {}


def _write_months(load: Load, connection: sa.Connection, table: sa.Table, staged: Staged) -> CountsByMonth:
    def target(months: Sequence[str]) -> sa.Select[Any]:
        return sa.select(staged.rows).where(staged.rows.c.year_month.in_(months))

    counts = write(connection, Written(table), target, load.scope, kept=staged.unreadable)
    if load.scope.whole:
        mark_loaded(connection, table, load.scope.months, load.run_id)
    return counts


def _load_unpartitioned(
    load: Load,
    connection: sa.Connection,
    table: sa.Table,
    rules: Rules,
    normalise: Normalise,
) -> Report:
    lock(connection, table)
    plan_for(connection, load.scope)
    _check_source(load, connection, table)
    staged = stage(load, connection, table, rules, load.source.customers, normalise)
    within = _of_customers(table, load.scope, staged.unreadable)
    repriced = _repriced(connection, table, staged.rows, within)
    dropped = _drop_unusable(connection, table, staged)
    confirmed = deletions.confirmed_deletions(load, connection, table, staged)
    counts = merge(connection, Written(table), sa.select(staged.rows), within)
    if load.scope.whole:
        mark_loaded(connection, table, [NO_MONTH], load.run_id)
    if repriced:
        priced = sorted(months_loaded(connection, tables.transaction_calculations))
        few = len(repriced) <= NOTED_ONE_BY_ONE
        who = repriced if few else None
        note_stale(connection, tables.transaction_calculations, priced, who, covered=load.covered)
    report = _finish(load, connection, table, staged, counts, confirmed, dropped)
    return replace(report, counts=add(report.counts, dropped))


def _repriced(
    connection: sa.Connection, table: sa.Table, staged: sa.Table, within: sa.ColumnElement[bool]
) -> list[int]:
    """The customers whose prices, their own or those of their entries, are about to change."""
    priced = [column.name for column in table.columns if column.name in _PRICING]
    new = sa.select(*(staged.c[name] for name in priced))
    old = sa.select(*(table.c[name] for name in priced)).where(within)
    gone, come = sa.except_all(old, new).subquery(), sa.except_all(new, old).subquery()
    either = sa.union(sa.select(gone.c.customer_id), sa.select(come.c.customer_id))
    return list(connection.scalars(either))


def _of_customers(table: sa.Table, scope: Scope, kept: Collection[int]) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if scope.customers is not None:
        conditions.append(one_of(table.c.customer_id, scope.customers))
    if kept:
        conditions.append(~one_of(table.c.customer_id, kept))
    return sa.and_(*conditions)


def _check_source(load: Load, connection: sa.Connection, table: sa.Table) -> None:
    """Refuse a source that lacks what is read, and to take an emptied one for the truth."""
    load.source.check()
    for what, has_any, loaded in zip(
        deletions.EMPTIED,
        (load.source.has_customers, load.source.has_readings),
        (tables.customers, tables.meter_readings),
        strict=True,
    ):
        if table is tables.meter_readings or loaded is tables.customers:
            warehouse_has_any = bool(connection.scalar(sa.select(sa.exists(sa.select(1).select_from(loaded)))))
            load.guard.check_not_emptied(what, source_has_any=has_any(), warehouse_has_any=warehouse_has_any)
    if table is tables.customers and load.scope.whole:  # the first step of a run; later ones find what it let pass
        deletions.check_source(load, connection)


def _follow_moved(load: Load, connection: sa.Connection, staged: Staged) -> CountsByMonth:
    """Look again at the readings that the scope had and the source gave no more, and put each where it belongs."""
    ids = moves.left_behind(connection, load.scope, load.horizon, staged.rows, STAGED_REJECTIONS, load.guard)
    batch = normalising.readings([row for chunk in load.source.by_id(ids) for row in chunk], load.horizon)
    usable, failed = validated(billing_rules.READINGS, batch.records)
    readings = [Reading._make(row) for row in usable]
    inside = [reading for reading in readings if _covers(load.scope, reading)]
    staged.take(connection, inside, (*batch.rejections, *failed))
    return moves.relocate(connection, (reading for reading in readings if not _covers(load.scope, reading)))


def _covers(scope: Scope, reading: Reading) -> bool:
    return reading.year_month in scope.months and (scope.customers is None or reading.customer_id in scope.customers)


def _note_changed(load: Load, connection: sa.Connection, table: sa.Table, counts: CountsByMonth) -> None:
    """Note the months in which something was written as stale in the table that is computed from them."""
    changed = [month for month, of in counts.items() if of.written]
    note_stale(connection, table, changed, load.scope.customers, covered=load.covered)


def _finish(
    load: Load,
    connection: sa.Connection,
    table: sa.Table,
    staged: Staged,
    counts: CountsByMonth,
    confirmed: Mapping[str, int],
    dropped: CountsByMonth | None = None,
) -> Report:
    """Keep the rejections, ask the guard, and prove that nothing was lost between reading and writing.

    Raises:
        DeletionRefusedError: a month would lose too much.
        RowsLostError: not every row that was read is loaded or rejected.
    """
    # One customer's unusable row must not stop all others; many at once look like an outage.
    many = len(staged.unusable) > 1 or not load.guard.rows
    deletions.check_counts(load, table, add(counts, dropped) if dropped and many else counts, confirmed)
    within = _rejections_of(load, table, staged.rows)
    rejected = replace_rejections(connection, table.name, sa.select(STAGED_REJECTIONS), within, load.run_id)
    report = Report(qualified(table), counts, rejected, len(staged.unreadable))
    if (report.loaded, sum(rejected.values())) != (staged.usable, staged.rejected):
        raise RowsLostError(
            f"{report.table}: {staged.usable} usable and {staged.rejected} rejected rows were read, but "
            f"{report.loaded} are loaded and {sum(rejected.values())} listed as rejected. Nothing was changed."
        )
    return report


def _rejections_of(load: Load, table: sa.Table, staged: sa.Table) -> sa.ColumnElement[bool]:
    """The rejected rows that this load speaks for.

    Those of its months and customers, those of no month, and those of readings that it loads now, wherever they were
    rejected before.
    """
    rejected = tables.rejected_rows.c
    within = of_customers(load.scope)
    if "year_month" in table.c:
        within = sa.and_(within, sa.or_(rejected.year_month.in_(load.scope.months), rejected.year_month.is_(None)))
    if table is tables.meter_readings:
        within = sa.or_(within, rejected.source_id.in_(sa.select(sa.cast(staged.c.reading_id, sa.Text))))
    return within
