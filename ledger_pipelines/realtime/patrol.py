"""Going round the billing application's tables for what no `updated_at` tells: deletions, and changes by plain SQL.

A patrol of ids counts the rows of a stretch of ids and adds the ids up, here and there, and looks closer where the two
disagree: with 50,000 ids every five seconds, a million readings in less than two minutes. A patrol of contents compares
row by row, 500 every five seconds: a million readings in less than three hours. Both go on where they were after a
restart, and start again when they are through.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.loading import deletions
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.compare import Compared, note_differences
from ledger_pipelines.sources import billing_changes
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import Ids
from ledger_pipelines.warehouse import cursors, incidents, tables
from ledger_pipelines.warehouse.confirmations import confirmed_rows
from ledger_pipelines.warehouse.incidents import Kind
from ledger_pipelines.warehouse.months import qualified

#: How many rows are compared, and how many differing ids are looked at, in one step.
ROWS_AT_ONCE, DIFFERING_AT_ONCE = 500, 2_000


@dataclass(frozen=True)
class Patrol:
    """A patrol of one table.

    Attributes:
        table: The table of the billing application.
        app: The billing application.
        warehouse: The warehouse.
        guard: How many rows may have vanished at once before it looks like an outage.
    """

    table: str
    app: BillingApp
    warehouse: sa.Engine
    guard: DeletionGuard

    def step(self) -> int:
        """Go on a step; return how many changes were found that nobody had noticed.

        Raises:
            SourceError: the billing application cannot be read.
        """
        return self.compare_ids() + self.compare_rows()

    def compare_ids(self) -> int:
        """Compare the next stretch of ids; deletions that the guard refuses are kept as an incident."""
        name, round_ = f"patrol of the ids of {self.table}", f"round of the ids of {self.table}"
        after = self._position(name)
        part = billing_changes.stretch(self.app, self.table, after, deletions.IDS_PER_STATEMENT)
        with self.warehouse.begin() as connection:
            if after is None:
                cursors.move(connection, round_, "")
            vanished, come, known = deletions.differing_ids(self.app, connection, self.table, part)
            news, position = 0, part.last
            if vanished or come:
                allowed = self._allowed(connection, vanished, known)
                news, position = self._note(connection, part, allowed | come)
            if position is None and (began := cursors.moved_at(connection, round_)) is not None:
                incidents.close_unseen(connection, Kind.DELETION_REFUSED, self.table, began)
            cursors.move(connection, name, _text(position))
        return news

    def compare_rows(self) -> int:
        """Compare the contents of the next rows."""
        name = f"patrol of the contents of {self.table}"
        rows = billing_changes.after_id(self.app, self.table, self._position(name), ROWS_AT_ONCE)
        with self.warehouse.begin() as connection:
            news = note_differences(connection, self.app, Compared(self.table, rows, dated=False)) if rows else 0
            position = rows[-1]["id"] if len(rows) == ROWS_AT_ONCE else None
            cursors.move(connection, name, _text(position))
        return news

    def _allowed(self, connection: sa.Connection, vanished: frozenset[int], known: int) -> frozenset[int]:
        """Return the vanished ids that are changes to be taken up; the others are kept as an incident.

        A customer who lost many rows is among the changes: taking it up asks for that customer alone.
        """
        table = tables.customers if self.table == deletions.USERS else tables.meter_readings
        owners = deletions.owners_of(connection, self.table, vanished)
        confirmed = confirmed_rows(connection, qualified(table))
        found = deletions.decide_deletions(self.guard, Counter(owners.values()), known, confirmed)
        if not found.refused_together:
            return vanished
        incidents.record(connection, deletions.mass_deletion_cause(self.table, found.refused_together, known))
        return frozenset(row_id for row_id in vanished if owners.get(row_id) not in found.refused_together)

    def _note(self, connection: sa.Connection, part: Ids, differing: frozenset[int]) -> tuple[int, int | None]:
        """Note what differs at some ids of a stretch; how many changes are news, and after which id to go on."""
        some = sorted(differing)[:DIFFERING_AT_ONCE]
        rows = billing_changes.with_ids(self.app, self.table, some)
        gone = self._gone(some, {row["id"] for row in rows})
        news = note_differences(connection, self.app, Compared(self.table, rows, gone, dated=False))
        return news, (some[-1] if len(some) < len(differing) else part.last)

    @staticmethod
    def _gone(looked_for: Collection[int], found: Collection[int]) -> list[int]:
        return [row_id for row_id in looked_for if row_id not in found]

    def _position(self, name: str) -> int | None:
        """The id after which to go on; None: from the beginning."""
        with self.warehouse.connect() as connection:
            position = cursors.position_of(connection, name)
        return ids.of_text(position) if position else None


def _text(position: int | None) -> str:
    return "" if position is None else str(position)
