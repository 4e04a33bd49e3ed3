"""Report of a load or a recalculation: row counts that can be checked against each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger_pipelines.warehouse.merge import Counts, CountsByMonth, total_counts


@dataclass(frozen=True)
class TableReport:
    """Row counts of one step for one table.

    Attributes:
        table: The table's name with its schema.
        counts: Written rows by month.
        rejected: Rejected rows by month; the key is `UNPARTITIONED` for rows without a month.
        unreadable: Number of JSON lists that could not be read at all; rows loaded from them earlier are unchanged.
        skipped: Months that were not recalculated because their inputs are unchanged; `counts` contains their rows.
    """

    table: str
    counts: CountsByMonth
    rejected: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0
    skipped: frozenset[str] = frozenset()

    @property
    def skipped_sentence(self) -> str:
        """One sentence about the skipped months; empty if no month was skipped."""
        if not self.skipped:
            return ""
        return f"{len(self.skipped)} of {len(self.counts)} months were skipped, because their inputs are unchanged."

    @property
    def total(self) -> Counts:
        """Sum of the counts over all months."""
        return total_counts(self.counts)

    @property
    def loaded(self) -> int:
        """Number of rows in the table, within the scope of the step."""
        return self.total.present

    @property
    def read(self) -> int:
        """Number of rows in the source: loaded plus rejected."""
        return self.loaded + sum(self.rejected.values())

    @property
    def processed(self) -> int:
        """Number of rows that the step has read or computed: those of skipped months are left out."""
        return self.read - sum(self.counts[month].present + self.rejected.get(month, 0) for month in self.skipped)
