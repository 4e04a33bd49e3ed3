"""What a load is, and its first half: read, normalise, validate, and put into temporary tables."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.loading.rejections import STAGED_REJECTIONS
from ledger_pipelines.sources import billing_rows
from ledger_pipelines.sources.billing_app import BillingApp, Chunk
from ledger_pipelines.sources.billing_records import Customer, Deposit, Price, Reading
from ledger_pipelines.sources.billing_rules import Record, Rules, failures
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.warehouse.bulk import copy_rows
from ledger_pipelines.warehouse.rejected import CONTENT
from ledger_pipelines.warehouse.session import make_temporary, staging

#: Batches of so many records are validated record by record.
ONE_BY_ONE = 2_000

#: Progress of a load: rows read so far.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Load:
    """One load: from where, how much, and on whose behalf.

    Attributes:
        source: The billing application.
        scope: The months and customers.
        guard: How much may be deleted.
        run_id: The run.
        progress: Told of the rows read so far.
        recalculated: Whether the ledger of the scope is recalculated within the same transaction, so that nobody needs
            to be told which of its months changed.
    """

    source: BillingApp
    scope: Scope
    guard: DeletionGuard
    run_id: str
    progress: Progress | None = None
    recalculated: bool = False

    @property
    def covered(self) -> Scope | None:
        """What nobody needs to be told of, for it is recalculated anyway."""
        return self.scope if self.recalculated else None

    @property
    def horizon(self) -> Horizon:
        """The months that count."""
        return self.source.horizon


@dataclass
class Batch:
    """What normalising a chunk yields."""

    records: list[Record] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)

    def add(self, record: Record | Rejection) -> None:
        """Put a record where it belongs."""
        if isinstance(record, Rejection):
            self.rejections.append(record)
        else:
            self.records.append(record)


#: What the rows of a chunk are to the ledger, whose months count.
Normalise = Callable[[Chunk, Horizon], Batch]


@dataclass
class Staged:
    """What has been read, normalised and validated, in temporary tables of the transaction, and how much it is."""

    rows: sa.Table
    usable: int = 0
    rejected: int = 0
    unreadable: list[int] = field(default_factory=list)

    def take(self, connection: sa.Connection, usable: Iterable[tuple[Any, ...]], rejected: Iterable[Rejection]) -> None:
        """Put rows into the temporary tables."""
        self.usable += copy_rows(connection, self.rows, self.rows.columns.keys(), usable)
        self.rejected += copy_rows(connection, STAGED_REJECTIONS, CONTENT, rejected)


def stage(
    load: Load,
    connection: sa.Connection,
    table: sa.Table,
    rules: Rules,
    read: Callable[[Scope], Generator[Chunk]],
    normalise: Normalise,
) -> Staged:
    """Read what belongs to the load and put it, normalised and validated, into temporary tables.

    Args:
        load: The load.
        connection: Within the load's transaction.
        table: The table to load.
        rules: What its rows must fulfil.
        read: How the source is read.
        normalise: What the rows of a chunk come to.
    """
    staged = Staged(staging(table))
    make_temporary(connection, staged.rows, STAGED_REJECTIONS)
    # A transaction may load several tables, and one of them more than once.
    connection.execute(sa.text(f"TRUNCATE {staged.rows.name}, {STAGED_REJECTIONS.name}"))
    read_so_far = 0
    with closing(read(load.scope)) as chunks:
        for chunk in chunks:
            batch = normalise(chunk, load.horizon)
            usable, failed = validated(rules, batch.records)
            refused = [row for row in (*batch.rejections, *failed) if _concerns(load, row)]
            staged.take(connection, _within_scope(load, table, usable), refused)
            staged.unreadable += batch.unreadable
            read_so_far += len(chunk)
            if load.progress is not None:
                load.progress(read_so_far)
    connection.execute(sa.text(f"ANALYZE {staged.rows.name}"))
    return staged


def validated(rules: Rules, records: Sequence[Record]) -> tuple[Iterable[tuple[Any, ...]], list[Rejection]]:
    """The records that fulfil their rules, as rows, and a rejection for each that does not."""
    if len(records) <= ONE_BY_ONE:
        found = failures(rules, records)
        rows: Iterable[tuple[Any, ...]] = (row for position, row in enumerate(records) if position not in found)
    else:
        # Imported where a frame is made: what changes by the second never needs one, and must not wait for pandas.
        from ledger_pipelines.sources import billing_frames

        frame = billing_frames.validate(rules, records)
        found, rows = frame.failures, frame.rows.itertuples(index=False, name=None)
    return rows, [_failed(records[position], reason) for position, reason in found.items()]


def _failed(record: Record, reason: str) -> Rejection:
    """The rejection of a record that does not fulfil its rules."""
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
