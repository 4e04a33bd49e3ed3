"""A row of a source that cannot be used, whichever source it is."""

import re
from typing import NamedTuple


class Rejection(NamedTuple):
    """A source row that cannot be used, as `ops.rejected_rows` keeps it."""

    source_table: str
    source_id: str
    customer_id: int | None
    year_month: str | None
    reason: str
    raw_row: str


def kind_of(reason: str) -> str:
    """Return what rows that are wrong in the same way have in common, as `ops.rejected_rows.reason_kind` has it."""
    return re.sub("[0-9]+", "…", reason.partition(":")[0])
