"""What a load or a recalculation did, in numbers that a person can check against each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger_pipelines.warehouse.months import Counts, CountsByMonth, total


@dataclass(frozen=True)
class Report:
    """What one step did to one table.

    Attributes:
        table: The table's name with its schema.
        rejected: Rejected rows by month; the key is `NO_MONTH` for rows that have none.
        counts: Rows written, by month.
        unreadable: Lists that could not be read at all and left what they had loaded as it was.
    """

    table: str
    counts: CountsByMonth
    rejected: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0

    @property
    def total(self) -> Counts:
        """The sum over all months."""
        return total(self.counts)

    @property
    def loaded(self) -> int:
        """Rows that the table has now where the step looked."""
        of = self.total
        return of.inserted + of.updated + of.unchanged

    @property
    def read(self) -> int:
        """Rows that the source had: loaded plus rejected."""
        return self.loaded + sum(self.rejected.values())
