"""Watching the billing application's `updated_at`: what has just changed, and what lately.

A watch looks a few times a second at what is new, a page at a time: an idle look reads nothing but an end of an index.
Beside that it goes slowly, again and again, over the last ten minutes, for what the first look cannot see: rows that
were committed long after they were changed, by a clock that runs behind, or twice within one second. Whatever it reads
is compared with the warehouse, so that nothing is a change that was taken up already.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.realtime.compare import Compared, Kind, note_differences
from ledger_pipelines.sources import billing_changes
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import LAST_ID, Place, Row
from ledger_pipelines.warehouse import cursors, tables
from ledger_pipelines.warehouse.first_computation import COMPUTE_COMMAND, NotComputedError, is_computed

#: At most so many rows are read by a look at what is new, and by one at what is not so new.
NEW_ROWS, RECENT_ROWS = 1_000, 500
#: How far back what is new begins, while rows come: timestamps are of whole seconds, clocks a little apart.
NEW_SECONDS = 3
#: How far back is looked every now and then, and how often.
RECENT_SECONDS, RECENT_EVERY_SECONDS = 600, 30
#: How long a row that was compared is not compared again, as long as it stays as it is.
COMPARED_SECONDS = 60
_QUIET_SECONDS = 10
_PERSIST_SECONDS = 5
_DAY_SECONDS = 86_400


@dataclass
class Watch:
    """One kind of change, watched by one thread.

    Attributes:
        kind: What is watched.
        warehouse: The warehouse.
        clock: Seconds that only grow.
    """

    kind: Kind
    warehouse: sa.Engine
    clock: Callable[[], float] = time.monotonic
    _newest: datetime | None = None
    _moved: float = 0
    _persisted: float = 0
    _page: Place | None = None
    _recent: Place | None = None
    _recent_began: float | None = None
    _compared: dict[int, tuple[str, float]] = field(default_factory=dict)

    def look(self, app: BillingApp, now: datetime) -> int:
        """Note what has changed; return how many changes are news.

        Args:
            app: The billing application.
            now: The time.

        Raises:
            SourceError: it cannot be read.
            NotComputedError: the ledger has never been computed.
        """
        begin = self._newest or self._begin(app, now)
        here = now.astimezone(app.horizon.zone).replace(tzinfo=None)
        rows = self._new(app, begin)
        rows += self._not_so_new(app, begin)
        places = [place.at for place in map(billing_changes.place_of, rows) if place is not None]
        newest = max(begin, min(max(places, default=begin), here))
        news = self._note(app, rows, newest)
        if newest != self._newest:
            self._newest, self._moved = newest, self.clock()
        return news

    @property
    def behind(self) -> bool:
        """True if the last look did not reach the end of what is new."""
        return self._page is not None

    def _begin(self, app: BillingApp, now: datetime) -> datetime:
        """Where this watch, or one of its kind before it, has come to; at first, when the warehouse was loaded.

        By the company's clock, or by the newest `updated_at` if that is up to a day earlier: it may be shown in a time
        zone to the west, and no change would lie after the beginning for as many hours.
        """
        with self.warehouse.connect() as connection:
            position = cursors.position_of(connection, self._cursor)
            if position is not None:
                return datetime.fromisoformat(position)
            if not is_computed(connection):
                raise NotComputedError(
                    "The ledger has never been computed, so there is nothing to keep up with. "
                    f"Start with: {COMPUTE_COMMAND}"
                )
            oldest = connection.scalar(sa.select(sa.func.min(tables.loaded_months.c.loaded_at)))
        begin = min(now, oldest or now).astimezone(now.tzinfo).replace(tzinfo=None)
        newest = billing_changes.newest(app, self.kind.table) or begin
        shown = max(billing_changes.earlier(begin, _DAY_SECONDS), min(begin, newest))
        return billing_changes.earlier(shown, RECENT_SECONDS)

    @property
    def _cursor(self) -> str:
        return f"watch of {self.kind.value}"

    def _new(self, app: BillingApp, newest: datetime) -> list[Row]:
        """The next page of what is new; from the start again when the end was reached."""
        quiet = self.clock() - self._moved > _QUIET_SECONDS and self._newest is not None
        start = Place(newest, LAST_ID) if quiet else Place(billing_changes.earlier(newest, NEW_SECONDS), 0)
        rows = billing_changes.since(app, self.kind.table, self._page or start, NEW_ROWS)
        self._page = billing_changes.place_of(rows[-1]) if len(rows) == NEW_ROWS else None
        return rows

    def _not_so_new(self, app: BillingApp, newest: datetime) -> list[Row]:
        """The next page of the last ten minutes; none while it is too early for another round."""
        began = self._recent_began
        if self._recent is None:
            if began is not None and self.clock() - began < RECENT_EVERY_SECONDS:
                return []
            self._recent_began = self.clock()
            self._recent = Place(billing_changes.earlier(newest, RECENT_SECONDS), 0)
        rows = billing_changes.since(app, self.kind.table, self._recent, RECENT_ROWS)
        self._recent = billing_changes.place_of(rows[-1]) if len(rows) == RECENT_ROWS else None
        return rows

    def _note(self, app: BillingApp, rows: list[Row], newest: datetime) -> int:
        """Compare rows with the warehouse, note what differs, and keep how far this watch has come."""
        digests = {row["id"]: billing_changes.digest_of(row) for row in rows}
        fresh = {row["id"]: row for row in rows if not self._knows(row["id"], digests[row["id"]])}
        now = self.clock()
        if not fresh and (newest == self._newest or now - self._persisted < _PERSIST_SECONDS):
            return 0
        news = 0
        with self.warehouse.begin() as connection:
            if fresh:
                what = Compared(self.kind.table, list(fresh.values()), parts=self.kind.parts)
                news = note_differences(connection, app, what)
            cursors.advance(connection, self._cursor, newest.isoformat())
        self._persisted = now
        self._compared = {
            row_id: known for row_id, known in self._compared.items() if now - known[1] < COMPARED_SECONDS
        } | {row_id: (digests[row_id], now) for row_id in fresh}
        return news

    def _knows(self, row_id: int, digest: str) -> bool:
        known = self._compared.get(row_id)
        return known is not None and known[0] == digest and self.clock() - known[1] < COMPARED_SECONDS
