"""Normalise rows of the billing application, chunk by chunk: one function per table of `billing`."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.billing.staging import NormalisedChunk
from ledger_pipelines.sources.billing import parsing as billing_rows
from ledger_pipelines.sources.billing.parsing import SourceRow
from ledger_pipelines.sources.billing.reader import Chunk
from ledger_pipelines.sources.billing.rules import Record
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.sources.values import UnusableError

if TYPE_CHECKING:
    from ledger_pipelines.sources.billing.text_batches import TextBatch


def customers(chunk: Chunk, horizon: Horizon) -> NormalisedChunk:
    """Return the customers among rows of `users`."""
    normalised = NormalisedChunk()
    for row in chunk:
        try:
            normalised.records.append(billing_rows.parse_customer(row, horizon))
        except UnusableError as reason:
            normalised.rejections.append(billing_rows.reject_customer(row, reason))
    return normalised


def prices(chunk: Chunk, horizon: Horizon) -> NormalisedChunk:
    """Return the price entries of rows of `users`."""
    return _histories(chunk, horizon, "pricing_history", billing_rows.parse_prices)


def deposits(chunk: Chunk, horizon: Horizon) -> NormalisedChunk:
    """Return the deposit entries of rows of `users`."""
    return _histories(chunk, horizon, "deposit_history", billing_rows.parse_deposits)


def readings(chunk: Chunk, horizon: Horizon) -> NormalisedChunk:
    """Return the readings of rows of `data_pencatatan`."""
    normalised = NormalisedChunk()
    for row in chunk:
        normalised.add(billing_rows.parse_reading(row, horizon))
    return normalised


def reading_batch(batch: "TextBatch", horizon: Horizon) -> NormalisedChunk:
    """Return the readings of a batch of rows of `data_pencatatan`: the usual ones as columns, the others one by one."""
    from ledger_pipelines.sources.billing.reading_columns import usual_readings

    usual = usual_readings(batch.columns, horizon)
    normalised = readings(batch.rows(usual.others), horizon)
    normalised.columns = usual.columns
    return normalised


def _histories(
    chunk: Chunk, horizon: Horizon, column: str, entries: Callable[[SourceRow, Horizon], Iterable[Record | Rejection]]
) -> NormalisedChunk:
    normalised = NormalisedChunk()
    for row in chunk:
        try:
            billing_rows.check_customer(row)
        except UnusableError:  # rejected when customers are loaded
            normalised.unusable.append(row["id"])
            continue
        try:
            for entry in entries(row, horizon):
                normalised.add(entry)
        except UnusableError as reason:
            normalised.rejections.append(billing_rows.reject_history(row, column, reason))
            normalised.unreadable.append(row["id"])
    return normalised
