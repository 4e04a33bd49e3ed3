"""The guard against a source that looks emptied: a load that would delete too much stops and asks."""

from dataclasses import dataclass
from decimal import Decimal

from ledger_pipelines.warehouse.months import Counts


class DeletionRefusedError(Exception):
    """A load would delete more than is plausible; nothing was changed. The message says how to go on."""


@dataclass(frozen=True)
class DeletionGuard:
    """How much a load may delete unasked.

    Attributes:
        share: Largest share of a table's rows, within what the load covers, that may go.
        rows: Up to this many rows may go whatever their share.
        accept: True if a person has said that the deletions are meant.
    """

    share: Decimal = Decimal("0.20")
    rows: int = 100
    accept: bool = False

    def check(self, table: str, counts: Counts, beside: str = "") -> None:
        """Stop a load that deletes too much.

        Args:
            table: What would lose rows.
            counts: What would happen to it.
            beside: What else a person should know who is to decide.

        Raises:
            DeletionRefusedError: more than `share` and more than `rows` of the rows that were there would go.
        """
        before = counts.deleted + counts.updated + counts.unchanged
        if self.accept or counts.deleted <= self.rows or counts.deleted <= before * self.share:
            return
        raise DeletionRefusedError(
            f"This would delete {counts.deleted:,} of the {before:,} rows of {table}, more than {self.share:.0%}. "
            f"{beside}Nothing was changed. If the source is right, {HOW_TO_ACCEPT}"
        )

    def check_not_emptied(
        self, what: str, *, source_has_any: bool, warehouse_has_any: bool, source: str = "The billing application"
    ) -> None:
        """Stop a load from a source table that is empty though rows of it were loaded before.

        Raises:
            DeletionRefusedError: that is so.
        """
        if self.accept or source_has_any or not warehouse_has_any:
            return
        raise DeletionRefusedError(
            f"{source} has no {what} at all, though the warehouse has loaded some: that looks like an "
            f"outage. Nothing was changed. If the source is right, {HOW_TO_ACCEPT}"
        )


HOW_TO_ACCEPT = (
    "say so: --accept-deletions on the command line, or accept_deletions: true for the resource `scope` (of the "
    "ERP: `sync`) in the run's configuration."
)
