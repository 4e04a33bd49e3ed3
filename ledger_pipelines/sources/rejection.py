"""A row of a source that cannot be used, whichever source it is."""

from typing import NamedTuple


class Rejection(NamedTuple):
    """A source row that cannot be used, as `ops.rejected_rows` keeps it."""

    source_table: str
    source_id: str
    customer_id: int | None
    year_month: str | None
    reason: str
    raw_row: str
