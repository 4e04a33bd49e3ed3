"""Rejection of an unusable source row, common to all sources."""

import re
from typing import NamedTuple


class Rejection(NamedTuple):
    """Unusable source row, as stored in `ops.rejected_rows`."""

    source_table: str
    source_id: str
    customer_id: int | None
    year_month: str | None
    reason: str
    raw_row: str


def reason_kind(reason: str) -> str:
    """Return the kind of a rejection reason: the reason without its details, as in `ops.rejected_rows.reason_kind`."""
    return re.sub("[0-9]+", "…", reason.partition(":")[0])
