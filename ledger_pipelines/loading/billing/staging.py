"""Loads of the billing application, and their first half: read, normalise, validate, and stage in temporary tables."""

from collections.abc import Callable, Generator, Iterable, Sequence, Sized
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.loading.rejections import STAGED_REJECTIONS
from ledger_pipelines.rejection_reasons import RejectionReason
from ledger_pipelines.sources.billing import parsing as billing_rows
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.records import Customer, Deposit, MeterReading, Price
from ledger_pipelines.sources.billing.rules import Record, RecordRules, find_failures
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.warehouse.bulk_copy import copy_columns, copy_rows
from ledger_pipelines.warehouse.ops.rejected_rows import REJECTION_COLUMNS
from ledger_pipelines.warehouse.transaction_setup import create_temporary_tables, staging_table

if TYPE_CHECKING:
    import pyarrow as pa

#: Up to this number, records are validated one by one; more are validated as a data frame.
MAX_ROWWISE_RECORDS = 2_000

#: Receives the number of rows read so far.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class BillingLoad:
    """One load of the billing application's data.

    Attributes:
        source: The billing application.
        scope: Months and customers to load.
        guard: Bounds of deletions.
        run_id: The run.
        progress: Called with the number of rows read so far.
        recalculated: Whether the ledger of the scope is recalculated within the same transaction, so that its changed
            months need no invalidation.
    """

    source: BillingSource
    scope: Scope
    guard: DeletionGuard
    run_id: str
    progress: Progress | None = None
    recalculated: bool = False

    @property
    def recalculated_scope(self) -> Scope | None:
        """Scope that needs no invalidation because it is recalculated in the same transaction."""
        return self.scope if self.recalculated else None

    @property
    def horizon(self) -> Horizon:
        """Months of the partitions."""
        return self.source.horizon


@dataclass
class NormalisedChunk:
    """Result of normalising a chunk.

    Attributes:
        records: Usable records.
        columns: Further usable records, in columns of text; they fulfil their rules.
        rejections: Rejected rows and entries.
        unreadable: Customers whose whole history is unreadable; their loaded entries stay.
        unusable: Customers whose own row is unusable; their loaded entries are deleted.
    """

    records: list[Record] = field(default_factory=list)
    columns: "pa.RecordBatch | None" = None
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    unusable: list[int] = field(default_factory=list)

    def add(self, record: Record | Rejection) -> None:
        """Add a record or a rejection."""
        if isinstance(record, Rejection):
            self.rejections.append(record)
        else:
            self.records.append(record)


C = TypeVar("C", bound=Sized)
#: Normalises the rows of a chunk.
Normalise = Callable[[C, Horizon], NormalisedChunk]


@dataclass
class StagedBatch:
    """Normalised and validated rows in temporary tables of the transaction, with their numbers."""

    rows: sa.Table
    usable: int = 0
    rejected: int = 0
    unreadable: list[int] = field(default_factory=list)
    unusable: list[int] = field(default_factory=list)

    def add(self, connection: sa.Connection, usable: Iterable[tuple[Any, ...]], rejected: Iterable[Rejection]) -> None:
        """Copy rows into the temporary tables."""
        self.usable += copy_rows(connection, self.rows, self.rows.columns.keys(), usable)
        self.rejected += copy_rows(connection, STAGED_REJECTIONS, REJECTION_COLUMNS, (row.columns for row in rejected))


def stage(
    load: BillingLoad,
    connection: sa.Connection,
    table: sa.Table,
    rules: RecordRules,
    chunks: Generator[C],
    normalise: Normalise[C],
) -> StagedBatch:
    """Read the rows of a load, and copy them, normalised and validated, into temporary tables.

    Args:
        load: The load.
        connection: Connection within the load's transaction.
        table: The table to load.
        rules: Rules that its rows must fulfil.
        chunks: Rows of the source; closed at the end.
        normalise: Normalises the rows of a chunk.
    """
    staged = StagedBatch(staging_table(table))
    create_temporary_tables(connection, staged.rows, STAGED_REJECTIONS)
    # A transaction may load several tables, and the same table more than once.
    connection.execute(sa.text(f"TRUNCATE {staged.rows.name}, {STAGED_REJECTIONS.name}"))
    read_so_far = 0
    with closing(chunks):
        for chunk in chunks:
            normalised = normalise(chunk, load.horizon)
            usable, failed = split_valid(rules, normalised.records)
            rejected = [row for row in (*normalised.rejections, *failed) if _is_in_scope(load, row)]
            staged.add(connection, _rows_in_scope(load, table, usable), rejected)
            if normalised.columns is not None:
                staged.usable += copy_columns(connection, staged.rows, _columns_in_scope(load, normalised.columns))
            staged.unreadable += normalised.unreadable
            staged.unusable += normalised.unusable
            read_so_far += len(chunk)
            if load.progress is not None:
                load.progress(read_so_far)
    connection.execute(sa.text(f"ANALYZE {staged.rows.name}"))
    return staged


def split_valid(rules: RecordRules, records: Sequence[Record]) -> tuple[Iterable[tuple[Any, ...]], list[Rejection]]:
    """Return the records that fulfil their rules, as rows, and a rejection for each of the others."""
    if len(records) <= MAX_ROWWISE_RECORDS:
        found = find_failures(rules, records)
        rows: Iterable[tuple[Any, ...]] = (row for position, row in enumerate(records) if position not in found)
    else:
        # Imported only where needed: real-time changes never need a data frame and must not wait for pandas to load.
        from ledger_pipelines.sources.billing import frames as billing_frames

        frame = billing_frames.validate_records(rules, records)
        found, rows = frame.failures, frame.rows.itertuples(index=False, name=None)
    return rows, [_failed(records[position], reason) for position, reason in found.items()]


def _failed(record: Record, reason: RejectionReason) -> Rejection:
    """Return the rejection of a record that does not fulfil its rules."""
    source_table, month = "users", None
    match record:
        case Customer():
            source_id = f"{record.customer_id}"
        case Price():
            source_id = f"{record.customer_id}/pricing_history/{record.position}"
        case Deposit():
            source_id = f"{record.customer_id}/deposit_history/{record.deposited_at}/{record.ordinal}"
            month = record.year_month
        case MeterReading():
            source_table, source_id, month = "data_pencatatan", f"{record.reading_id}", record.year_month
    raw_row = billing_rows.raw_row(record._asdict())
    return Rejection(source_table, source_id, ids.bigint_or_none(record.customer_id), month, reason, raw_row)


def _rows_in_scope(load: BillingLoad, table: sa.Table, records: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    if "year_month" not in table.c:
        return records
    position = list(table.c.keys()).index("year_month")
    months = set(load.scope.months)
    return (record for record in records if record[position] in months)


def _columns_in_scope(load: BillingLoad, records: "pa.RecordBatch") -> "pa.RecordBatch":
    if set(load.horizon.months) <= set(load.scope.months):
        return records
    import pyarrow as pa
    from pyarrow import compute

    return records.filter(compute.is_in(records["year_month"], pa.array(load.scope.months)))


def _is_in_scope(load: BillingLoad, row: Rejection) -> bool:
    """Return whether a load reports a rejected row: one of its months, or one without a month."""
    return row.year_month is None or row.year_month in load.scope.months
