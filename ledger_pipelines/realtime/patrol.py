"""Going round the billing application's tables for what no `updated_at` tells: deletions, and changes by plain SQL.

A patrol of ids counts the rows of a stretch of ids and adds the ids up, here and there, and looks closer where the two
disagree: with 50,000 ids every five seconds, a million readings in less than two minutes. A patrol of contents compares
row by row, 500 every five seconds: a million readings in less than three hours. Both go on where they were after a
restart, and start again when they are through.
"""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.compare import Compared, note_differences
from ledger_pipelines.sources import billing_changes
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import Ids
from ledger_pipelines.warehouse import cursors, tables
from ledger_pipelines.warehouse.months import Counts

#: How many ids are counted, how many rows are compared, and how many differing ids are looked at, in one step.
IDS_AT_ONCE, ROWS_AT_ONCE, DIFFERING_AT_ONCE = 50_000, 500, 2_000


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
            DeletionRefusedError: implausibly many rows have vanished.
        """
        return self.compare_ids() + self.compare_rows()

    def compare_ids(self) -> int:
        """Compare the next stretch of ids."""
        name = f"patrol of the ids of {self.table}"
        part = billing_changes.stretch(self.app, self.table, self._position(name), IDS_AT_ONCE)
        with self.warehouse.begin() as connection:
            known = self._known(part)
            counted = sa.select(sa.func.count(), sa.func.sum(known.c.id)).select_from(known)
            count, total = connection.execute(counted).one()
            news, position = 0, part.last
            if (count, total or 0) != (part.count, part.total):
                found = frozenset(map(ids.whole, connection.scalars(sa.select(known.c.id))))
                news, position = self._compare(connection, part, found)
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

    def _compare(self, connection: sa.Connection, part: Ids, known: frozenset[int]) -> tuple[int, int | None]:
        """Look at the ids of a stretch that only one side knows; how many are news, and after which id to go on."""
        there = billing_changes.ids_of(self.app, self.table, part)
        vanished = known - there
        what = f"the {self.table} known" + ("" if part.after is None else f" with ids above {part.after}")
        self.guard.check(what, Counts(deleted=len(vanished), unchanged=len(known) - len(vanished)))
        differing = sorted(vanished | (there - known))
        some = differing[:DIFFERING_AT_ONCE]
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

    def _known(self, part: Ids) -> sa.Subquery:
        """One row: an id of the stretch that the warehouse knows, as loaded or as rejected."""
        asset, loaded = (
            ("customers", tables.customers.c.customer_id)
            if self.table == "users"
            else ("meter_readings", tables.meter_readings.c.reading_id)
        )
        rejected = tables.rejected_rows.c
        of_table = sa.select(rejected.source_id).where(rejected.asset == asset, rejected.source_table == self.table)
        source_id = sa.cast(of_table.subquery().c.source_id, sa.Numeric)
        parts = []
        for column, bound in ((loaded, _usable), (source_id, _as_it_is)):
            statement = sa.select(sa.cast(column, sa.Numeric).label("id"))
            if part.after is not None:
                statement = statement.where(column > bound(part.after))
            parts.append(statement if part.last is None else statement.where(column <= bound(part.last)))
        return sa.union_all(*parts).subquery("known")


def _usable(bound: int) -> int:
    """The bound for a column of usable ids, which a BIGINT holds."""
    return int(min(max(bound, 0), ids.LARGEST))


def _as_it_is(bound: int) -> int:
    return bound


def _text(position: int | None) -> str:
    return "" if position is None else str(position)
