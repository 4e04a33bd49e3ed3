"""Rows of the billing application → records or rejections, chunk by chunk: one function for each table of `billing`."""

from collections.abc import Callable, Iterable

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.staging import Batch
from ledger_pipelines.sources import billing_rows
from ledger_pipelines.sources.billing_app import Chunk
from ledger_pipelines.sources.billing_rows import Row
from ledger_pipelines.sources.billing_rules import Record
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.sources.values import UnusableError


def customers(chunk: Chunk, horizon: Horizon) -> Batch:
    """Return the customers that rows of `users` are."""
    batch = Batch()
    for row in chunk:
        try:
            batch.records.append(billing_rows.customer(row, horizon))
        except UnusableError as reason:
            batch.rejections.append(billing_rows.rejected_customer(row, reason))
    return batch


def prices(chunk: Chunk, horizon: Horizon) -> Batch:
    """Return the price entries of rows of `users`."""
    return _histories(chunk, "pricing_history", lambda row: billing_rows.prices(row, horizon))


def deposits(chunk: Chunk, horizon: Horizon) -> Batch:
    """Return the deposit entries of rows of `users`."""
    return _histories(chunk, "deposit_history", lambda row: billing_rows.deposits(row, horizon))


def readings(chunk: Chunk, horizon: Horizon) -> Batch:
    """Return the readings that rows of `data_pencatatan` are."""
    batch = Batch()
    for row in chunk:
        batch.add(billing_rows.reading(row, horizon))
    return batch


def _histories(chunk: Chunk, column: str, entries: Callable[[Row], Iterable[Record | Rejection]]) -> Batch:
    batch = Batch()
    for row in chunk:
        try:
            for entry in entries(row):
                batch.add(entry)
        except UnusableError as reason:
            batch.rejections.append(billing_rows.unreadable_history(row, column, reason))
            batch.unreadable.append(row["id"])
    return batch
