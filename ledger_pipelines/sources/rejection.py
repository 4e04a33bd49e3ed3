"""Rejection of an unusable source row, common to all sources."""

from typing import NamedTuple

from ledger_pipelines.rejection_reasons import RejectionReason


class Rejection(NamedTuple):
    """Unusable source row, as stored in `ops.rejected_rows`."""

    source_table: str
    source_id: str
    customer_id: int | None
    year_month: str | None
    reason: RejectionReason
    raw_row: str

    @property
    def columns(self) -> tuple[object, ...]:
        """Values of the columns `REJECTION_COLUMNS`."""
        return (*self[:4], *self.reason.columns, self.raw_row)
