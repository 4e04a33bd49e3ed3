"""Deletion guard: stops a load that would delete too many rows, until the deletion is confirmed."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind


class DeletionRefusedError(LedgerError):
    """A load would delete an implausible number of rows. Nothing was changed; the message says what to do.

    Attributes:
        causes: Causes of the incidents to record.
    """

    retry_after = False

    def __init__(self, causes: Collection[IncidentCause]) -> None:
        super().__init__("\n".join(f"{cause.reason} {cause.what_to_do}" for cause in causes))
        self.causes = tuple(causes)


class SourceEmptiedError(DeletionRefusedError):
    """A table of the source became empty, which is not caused by a single customer's data."""


@dataclass(frozen=True)
class DeletionGuard:
    """Bounds of what a load may delete without confirmation.

    Attributes:
        share: Largest share of a table's rows, within the load's scope, that may be deleted.
        rows: Allowance: up to this number of rows may be deleted, whatever their share.
        accept: True if a person has accepted all deletions.
    """

    share: Decimal = Decimal("0.20")
    rows: int = 100
    accept: bool = False

    def allows(self, deleted: int, before: int) -> bool:
        """Return whether the number of deleted rows is within the bounds."""
        return self.accept or deleted <= self.rows or deleted <= before * self.share

    def check(self, table: str, counts: Counts, hint: str = "", confirmed: int = 0) -> None:
        """Stop a load that deletes too many rows.

        Args:
            table: Table, or part of a table, for the message.
            counts: Row counts of the load.
            hint: Sentence for the person who decides, followed by a blank.
            confirmed: Number of deleted rows that a person has confirmed.

        Raises:
            DeletionRefusedError: More than `share` and more than `rows` of the existing rows would be deleted.
        """
        deleted = counts.deleted - confirmed
        before = deleted + counts.updated + counts.unchanged
        if self.allows(deleted, before):
            return
        reason = (
            f"This would delete {deleted:,} of the {before:,} rows of {table}, more than {self.share:.0%}. "
            f"{hint}Nothing was changed."
        )
        raise DeletionRefusedError([refusal_cause(table, reason)])

    def check_not_emptied(
        self,
        what: str,
        *,
        source_has_any: bool,
        warehouse_has_any: bool,
        source: str = "The billing application",
    ) -> None:
        """Stop a load from an empty source table if rows of that table were loaded before.

        Raises:
            SourceEmptiedError: The source table is empty and the warehouse is not.
        """
        if self.accept or source_has_any or not warehouse_has_any:
            return
        reason = (
            f"{source} has no {what} at all, though the warehouse has loaded some: that looks like an "
            "outage. Nothing was changed."
        )
        raise SourceEmptiedError([refusal_cause(what, reason)])


def refusal_cause(subject: str, reason: str) -> IncidentCause:
    """Return the cause of a refusal that a person resolves by accepting the deletions of a run."""
    return IncidentCause(IncidentKind.DELETION_REFUSED, subject, reason, f"If the source is right, {HOW_TO_ACCEPT}")


HOW_TO_ACCEPT = (
    "accept the deletions: --accept-deletions on the command line, or accept_deletions: true for the resource `scope` "
    "(for the ERP: `sync`) in the run's configuration."
)
