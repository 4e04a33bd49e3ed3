"""The guard against a source that looks emptied: a load that would delete too much stops and asks."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from ledger_pipelines.warehouse.incidents import Cause, Kind
from ledger_pipelines.warehouse.months import Counts


class DeletionRefusedError(Exception):
    """A load would delete more than is plausible; nothing was changed. The message says how to go on.

    Attributes:
        causes: The incidents that it is kept as.
    """

    def __init__(self, causes: Collection[Cause]) -> None:
        super().__init__("\n".join(f"{cause.reason} {cause.what_to_do}" for cause in causes))
        self.causes = tuple(causes)


class SourceEmptiedError(DeletionRefusedError):
    """A table of the source holds no row any more, which is no single customer's fault."""


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

    def allows(self, deleted: int, before: int) -> bool:
        """Return whether so many of the rows that were there may go unasked."""
        return self.accept or deleted <= self.rows or deleted <= before * self.share

    def check(self, table: str, counts: Counts, beside: str = "", confirmed: int = 0) -> None:
        """Stop a load that deletes too much.

        Args:
            table: What would lose rows.
            counts: What would happen to it.
            beside: What else a person should know who is to decide.
            confirmed: How many of the deleted rows a person has confirmed.

        Raises:
            DeletionRefusedError: more than `share` and more than `rows` of the rows that were there would go.
        """
        deleted = counts.deleted - confirmed
        before = deleted + counts.updated + counts.unchanged
        if self.allows(deleted, before):
            return
        reason = (
            f"This would delete {deleted:,} of the {before:,} rows of {table}, more than {self.share:.0%}. "
            f"{beside}Nothing was changed."
        )
        raise DeletionRefusedError([refused(table, reason)])

    def check_not_emptied(
        self,
        what: str,
        *,
        source_has_any: bool,
        warehouse_has_any: bool,
        source: str = "The billing application",
    ) -> None:
        """Stop a load from a source table that is empty though rows of it were loaded before.

        Raises:
            SourceEmptiedError: that is so.
        """
        if self.accept or source_has_any or not warehouse_has_any:
            return
        reason = (
            f"{source} has no {what} at all, though the warehouse has loaded some: that looks like an "
            "outage. Nothing was changed."
        )
        raise SourceEmptiedError([refused(what, reason)])


def refused(subject: str, reason: str) -> Cause:
    """Return the cause of a refusal that a person answers by accepting the deletions of a run."""
    return Cause(Kind.DELETION_REFUSED, subject, reason, f"If the source is right, {HOW_TO_ACCEPT}")


HOW_TO_ACCEPT = (
    "say so: --accept-deletions on the command line, or accept_deletions: true for the resource `scope` (of the "
    "ERP: `sync`) in the run's configuration."
)
