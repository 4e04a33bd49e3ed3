"""The billing application's data into `billing.*`: one function a table, one transaction each."""

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pandera.pandas as pa
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.loading import moves
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources import billing_frames, billing_rows
from ledger_pipelines.sources.billing_app import BillingApp, Chunk
from ledger_pipelines.sources.billing_frames import Record
from ledger_pipelines.sources.billing_rows import Customer, Deposit, Price, Reading, Rejection, Row
from ledger_pipelines.sources.values import UnusableError
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.bulk import copy_rows
from ledger_pipelines.warehouse.loaded import mark_loaded, months_loaded
from ledger_pipelines.warehouse.months import (
    NO_MONTH,
    CountsByMonth,
    Written,
    add,
    merge,
    one_of,
    qualified,
    total,
    write,
)
from ledger_pipelines.warehouse.rejected import CONTENT, replace_rejections
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.session import lock, make_temporary, plan_for, staging, temporary
from ledger_pipelines.warehouse.stale import note_stale

_STAGED_REJECTIONS = temporary(
    "staged_rejections", *(sa.Column(name, tables.rejected_rows.c[name].type) for name in CONTENT)
)

#: The columns of customers and prices that a reading's price depends on.
_PRICING = {"customer_id", "position", "rule", "valid_from", "valid_to", "entry", *billing_rows.PRICE_FIELDS}

#: So many repriced customers are noted one by one; beyond, everybody is recalculated.
NOTED_ONE_BY_ONE = 1_000

#: Progress of a load: rows read so far.
Progress = Callable[[int], None]


class RowsLostError(Exception):
    """Rows that were read are neither loaded nor rejected; nothing was changed. A fault of this program."""


@dataclass(frozen=True)
class Load:
    """One load: from where, to where, how much, and on whose behalf."""

    source: BillingApp
    warehouse: sa.Engine
    scope: Scope
    guard: DeletionGuard
    run_id: str
    progress: Progress | None = None

    @property
    def horizon(self) -> Horizon:
        """The months that count."""
        return self.source.horizon


@dataclass
class _Batch:
    """What normalising a chunk yields."""

    records: list[Record]
    rejections: list[Rejection]
    unreadable: list[int]


def load_customers(load: Load) -> Report:
    """Load `billing.customers`.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no customers any more, or far fewer.
    """

    def normalise(chunk: Chunk) -> _Batch:
        batch = _Batch([], [], [])
        for row in chunk:
            try:
                batch.records.append(billing_rows.customer(row, load.horizon))
            except UnusableError as reason:
                batch.rejections.append(billing_rows.rejected_customer(row, reason))
        return batch

    return _load_unpartitioned(load, tables.customers, billing_frames.CUSTOMERS, normalise)


def load_prices(load: Load) -> Report:
    """Load `billing.prices`; a customer whose pricing_history is unreadable keeps the entries it has.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no customers any more, or far fewer entries.
    """

    def normalise(chunk: Chunk) -> _Batch:
        return _normalise_histories(chunk, "pricing_history", lambda row: billing_rows.prices(row, load.horizon))

    return _load_unpartitioned(load, tables.prices, billing_frames.PRICES, normalise)


def load_deposits(load: Load) -> Report:
    """Load months of `billing.deposits`; a customer whose deposit_history is unreadable keeps the entries it has.

    Balances of months that changed are noted as stale.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no customers any more, or far fewer entries.
    """

    def normalise(chunk: Chunk) -> _Batch:
        return _normalise_histories(chunk, "deposit_history", lambda row: billing_rows.deposits(row, load.horizon))

    with load.warehouse.begin() as connection:
        lock(connection, tables.deposits)
        plan_for(connection, load.scope)
        _check_source(load, connection, tables.deposits)
        staged = _stage(load, connection, tables.deposits, billing_frames.DEPOSITS, load.source.customers, normalise)
        counts = _write_months(load, connection, tables.deposits, staged)
        _note_changed(connection, tables.monthly_customer_balances, counts, load.scope)
        return _finish(load, connection, tables.deposits, staged, counts)


def load_readings(load: Load) -> Report:
    """Load months of `billing.meter_readings`.

    A reading that moves to another month or customer is never in two places, nor in none: one that comes into the scope
    leaves where it was, one that leaves the scope is followed to where it is now. Its transactions there are noted as
    stale.

    Raises:
        SourceError: the source cannot be read.
        DeletionRefusedError: it has no readings any more, or far fewer.
    """

    def normalise(chunk: Chunk) -> _Batch:
        batch = _Batch([], [], [])
        for row in chunk:
            _sort(billing_rows.reading(row, load.horizon), batch)
        return batch

    table = tables.meter_readings
    with load.warehouse.begin() as connection:
        lock(connection, table)
        plan_for(connection, load.scope)
        _check_source(load, connection, table)
        staged = _stage(load, connection, table, billing_frames.READINGS, load.source.readings, normalise)
        moved = _follow_moved(load, connection, staged)
        moved = add(moved, moves.evict(connection, load.scope, staged.rows, _STAGED_REJECTIONS))
        counts = _write_months(load, connection, table, staged)
        _note_changed(connection, tables.transaction_calculations, counts, load.scope)
        report = _finish(load, connection, table, staged, counts)
        return replace(report, counts=add(report.counts, moved))


def _sort(record: Record | Rejection, batch: _Batch) -> None:
    if isinstance(record, Rejection):
        batch.rejections.append(record)
    else:
        batch.records.append(record)


def _normalise_histories(chunk: Chunk, column: str, entries: Callable[[Row], Iterable[Record | Rejection]]) -> _Batch:
    batch = _Batch([], [], [])
    for row in chunk:
        try:
            for entry in entries(row):
                _sort(entry, batch)
        except UnusableError as reason:
            batch.rejections.append(billing_rows.unreadable_history(row, column, reason))
            batch.unreadable.append(row["id"])
    return batch


@dataclass
class _Staged:
    """What has been read, normalised and validated, in temporary tables of the transaction, and how much it is."""

    rows: sa.Table
    usable: int = 0
    rejected: int = 0
    unreadable: list[int] = field(default_factory=list)

    def take(self, connection: sa.Connection, usable: Iterable[tuple[Any, ...]], rejected: Iterable[Rejection]) -> None:
        """Put rows into the temporary tables."""
        self.usable += copy_rows(connection, self.rows, self.rows.columns.keys(), usable)
        self.rejected += copy_rows(connection, _STAGED_REJECTIONS, CONTENT, rejected)


def _stage(
    load: Load,
    connection: sa.Connection,
    table: sa.Table,
    schema: pa.DataFrameSchema,
    read: Callable[[Scope], Generator[Chunk]],
    normalise: Callable[[Chunk], _Batch],
) -> _Staged:
    staged = _Staged(staging(table))
    make_temporary(connection, staged.rows, _STAGED_REJECTIONS)
    read_so_far = 0
    with closing(read(load.scope)) as chunks:
        for chunk in chunks:
            batch = normalise(chunk)
            usable, failed = _validated(schema, batch.records)
            refused = [row for row in (*batch.rejections, *failed) if _concerns(load, row)]
            staged.take(connection, _within_scope(load, table, usable), refused)
            staged.unreadable += batch.unreadable
            read_so_far += len(chunk)
            if load.progress is not None:
                load.progress(read_so_far)
    connection.execute(sa.text(f"ANALYZE {staged.rows.name}"))
    return staged


def _validated(
    schema: pa.DataFrameSchema, records: Sequence[Record]
) -> tuple[Iterable[tuple[Any, ...]], list[Rejection]]:
    if not records:
        return [], []
    validated = billing_frames.validate(schema, records)
    failed = [_failed(records[position], reason) for position, reason in validated.failures.items()]
    return validated.rows.itertuples(index=False, name=None), failed


def _failed(record: Record, reason: str) -> Rejection:
    """The rejection of a record that did not pass its schema."""
    source_table, month = "users", None
    match record:
        case Customer():
            source_id = f"{record.customer_id}"
        case Price():
            source_id = f"{record.customer_id}/pricing_history/{record.position}"
        case Deposit():
            source_id = f"{record.customer_id}/deposit_history/{record.deposited_at}/{record.ordinal}"
            month = record.year_month
        case Reading():
            source_table, source_id, month = "data_pencatatan", f"{record.reading_id}", record.year_month
    return Rejection(source_table, source_id, record.customer_id, month, reason, billing_rows.raw_row(record._asdict()))


def _within_scope(load: Load, table: sa.Table, records: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    if "year_month" not in table.c:
        return records
    position = list(table.c.keys()).index("year_month")
    months = set(load.scope.months)
    return (record for record in records if record[position] in months)


def _concerns(load: Load, row: Rejection) -> bool:
    """True if a rejected row is this load's to report: one of its months, or of no month at all."""
    return row.year_month is None or row.year_month in load.scope.months


def _write_months(load: Load, connection: sa.Connection, table: sa.Table, staged: _Staged) -> CountsByMonth:
    def target(months: Sequence[str]) -> sa.Select[Any]:
        return sa.select(staged.rows).where(staged.rows.c.year_month.in_(months))

    counts = write(connection, Written(table), target, load.scope, kept=staged.unreadable)
    if load.scope.whole:
        mark_loaded(connection, table, load.scope.months, load.run_id)
    return counts


def _load_unpartitioned(
    load: Load, table: sa.Table, schema: pa.DataFrameSchema, normalise: Callable[[Chunk], _Batch]
) -> Report:
    with load.warehouse.begin() as connection:
        lock(connection, table)
        plan_for(connection, load.scope)
        _check_source(load, connection, table)
        staged = _stage(load, connection, table, schema, load.source.customers, normalise)
        within = _of_customers(table, load.scope, staged.unreadable)
        repriced = _repriced(connection, table, staged.rows, within)
        counts = merge(connection, Written(table), sa.select(staged.rows), within)
        if load.scope.whole:
            mark_loaded(connection, table, [NO_MONTH], load.run_id)
        if repriced:
            priced = sorted(months_loaded(connection, tables.transaction_calculations))
            few = len(repriced) <= NOTED_ONE_BY_ONE
            note_stale(connection, tables.transaction_calculations, priced, repriced if few else None)
        return _finish(load, connection, table, staged, counts)


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


def _of_customers(table: sa.Table, scope: Scope, kept: Collection[int] = ()) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if scope.customers is not None:
        conditions.append(one_of(table.c.customer_id, scope.customers))
    if kept:
        conditions.append(~one_of(table.c.customer_id, kept))
    return sa.and_(*conditions)


def _check_source(load: Load, connection: sa.Connection, table: sa.Table) -> None:
    """Refuse a source that lacks what is read, and to take an emptied one for the truth."""
    load.source.check()
    for what, has_any, loaded in (
        ("customers", load.source.has_customers, tables.customers),
        ("readings", load.source.has_readings, tables.meter_readings),
    ):
        if table is tables.meter_readings or loaded is tables.customers:
            warehouse_has_any = bool(connection.scalar(sa.select(sa.exists(sa.select(1).select_from(loaded)))))
            load.guard.check_not_emptied(what, source_has_any=has_any(), warehouse_has_any=warehouse_has_any)


def _follow_moved(load: Load, connection: sa.Connection, staged: _Staged) -> CountsByMonth:
    """Look again at the readings that the scope had and the source gave no more, and put each where it belongs."""
    ids = moves.left_behind(connection, load.scope, load.horizon, staged.rows, _STAGED_REJECTIONS, load.guard)
    batch = _Batch([], [], [])
    for chunk in load.source.by_id(ids):
        for row in chunk:
            _sort(billing_rows.reading(row, load.horizon), batch)
    usable, failed = _validated(billing_frames.READINGS, batch.records)
    readings = [Reading._make(row) for row in usable]
    inside = [reading for reading in readings if _covers(load.scope, reading)]
    staged.take(connection, inside, (*batch.rejections, *failed))
    return moves.relocate(connection, (reading for reading in readings if not _covers(load.scope, reading)))


def _covers(scope: Scope, reading: Reading) -> bool:
    return reading.year_month in scope.months and (scope.customers is None or reading.customer_id in scope.customers)


def _note_changed(connection: sa.Connection, table: sa.Table, counts: CountsByMonth, scope: Scope) -> None:
    """Note the months in which something was written as stale in the table that is computed from them."""
    note_stale(connection, table, [month for month, of in counts.items() if of.written], scope.customers)


def _finish(load: Load, connection: sa.Connection, table: sa.Table, staged: _Staged, counts: CountsByMonth) -> Report:
    """Keep the rejections, ask the guard, and prove that nothing was lost between reading and writing.

    Raises:
        DeletionRefusedError: a month would lose too much.
        RowsLostError: not every row that was read is loaded or rejected.
    """
    load.guard.check(qualified(table), total(counts))
    for month, of in counts.items():
        load.guard.check(f"{qualified(table)} of {month}", of)
    within = _rejections_of(load, table, staged.rows)
    rejected = replace_rejections(connection, table.name, sa.select(_STAGED_REJECTIONS), within, load.run_id)
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
    within = _of_customers(tables.rejected_rows, load.scope)
    if "year_month" in table.c:
        within = sa.and_(within, sa.or_(rejected.year_month.in_(load.scope.months), rejected.year_month.is_(None)))
    if table is tables.meter_readings:
        within = sa.or_(within, rejected.source_id.in_(sa.select(sa.cast(staged.c.reading_id, sa.Text))))
    return within
