"""Full scan of the billing application's tables for changes without a new `updated_at`: deletions, and plain SQL.

The scan of ids compares count and sum of the ids in one id range, and single ids where these differ: with 50,000 ids
every five seconds, a million readings in less than two minutes. The scan of contents compares row by row, 500 every
five seconds: a million readings in less than three hours. After a restart both resume at their last position. At the
end of the table they start again.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.loading.billing import deletions
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.diff import ComparedRows, enqueue_differences
from ledger_pipelines.sources.billing import changes as billing_changes
from ledger_pipelines.sources.billing.changes import IdRange
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import qualified_name
from ledger_pipelines.warehouse.ops import incidents, watermarks
from ledger_pipelines.warehouse.ops.confirmations import confirmed_row_counts
from ledger_pipelines.warehouse.ops.incidents import IncidentKind

#: Number of rows compared, and of differing ids reread, in one step.
ROWS_PER_STEP, DIFFERING_IDS_PER_STEP = 500, 2_000


@dataclass(frozen=True)
class FullScan:
    """Full scan of one table.

    Attributes:
        table: The table of the billing application.
        app: The billing application.
        warehouse: The warehouse.
        guard: Bounds of deletions, beyond which they look like an outage.
    """

    table: str
    app: BillingSource
    warehouse: sa.Engine
    guard: DeletionGuard

    def scan_next(self) -> int:
        """Scan the next ids and the next rows; return the number of new changes.

        Raises:
            SourceError: The billing application cannot be read.
        """
        return self.compare_ids() + self.compare_rows()

    def compare_ids(self) -> int:
        """Compare the next id range; record an incident for deletions that the guard refuses."""
        name, scan_start = f"full scan of the ids of {self.table}", f"start of the scan of the ids of {self.table}"
        after = self._position(name)
        part = billing_changes.next_id_range(self.app, self.table, after, deletions.IDS_PER_STATEMENT)
        with self.warehouse.begin() as connection:
            if after is None:
                watermarks.set_watermark(connection, scan_start, "")
            deleted, added, known = deletions.differing_ids(self.app, connection, self.table, part)
            news, position = 0, part.last
            if deleted or added:
                allowed = self._allowed(connection, deleted, known)
                news, position = self._enqueue(connection, part, allowed | added)
            if position is None and (began := watermarks.watermark_set_at(connection, scan_start)) is not None:
                incidents.close_if_unseen(connection, IncidentKind.DELETION_REFUSED, self.table, began)
            watermarks.set_watermark(connection, name, _text(position))
        return news

    def compare_rows(self) -> int:
        """Compare the contents of the next rows."""
        name = f"full scan of the rows of {self.table}"
        rows = billing_changes.rows_after_id(self.app, self.table, self._position(name), ROWS_PER_STEP)
        with self.warehouse.begin() as connection:
            news = enqueue_differences(connection, self.app, ComparedRows(self.table, rows, dated=False)) if rows else 0
            position = rows[-1]["id"] if len(rows) == ROWS_PER_STEP else None
            watermarks.set_watermark(connection, name, _text(position))
        return news

    def _allowed(self, connection: sa.Connection, deleted: frozenset[int], known: int) -> frozenset[int]:
        """Return the deleted ids to queue as changes; record an incident for the others.

        Customers who lost many rows are queued too: applying their changes asks for a confirmation of each customer.
        """
        table = tables.customers if self.table == deletions.USERS else tables.meter_readings
        owners = deletions.owners_of(connection, self.table, deleted)
        confirmed = confirmed_row_counts(connection, qualified_name(table))
        found = deletions.decide_deletions(self.guard, Counter(owners.values()), known, confirmed)
        if not found.refused_together:
            return deleted
        incidents.record(connection, deletions.mass_deletion_cause(self.table, found.refused_together, known))
        return frozenset(row_id for row_id in deleted if owners.get(row_id) not in found.refused_together)

    def _enqueue(self, connection: sa.Connection, part: IdRange, differing: frozenset[int]) -> tuple[int, int | None]:
        """Queue the differences of the first differing ids; return the number of new changes and the next position."""
        some = sorted(differing)[:DIFFERING_IDS_PER_STEP]
        rows = billing_changes.rows_by_id(self.app, self.table, some)
        missing = self._missing(some, {row["id"] for row in rows})
        news = enqueue_differences(connection, self.app, ComparedRows(self.table, rows, missing, dated=False))
        return news, (some[-1] if len(some) < len(differing) else part.last)

    @staticmethod
    def _missing(wanted: Collection[int], found: Collection[int]) -> list[int]:
        return [row_id for row_id in wanted if row_id not in found]

    def _position(self, name: str) -> int | None:
        """Return the id after which the scan continues; None at the beginning."""
        with self.warehouse.connect() as connection:
            position = watermarks.get_watermark(connection, name)
        return ids.parse_id(position) if position else None


def _text(position: int | None) -> str:
    return "" if position is None else str(position)
