"""Poll the billing application's `updated_at` for new and recent changes.

A poller reads new rows a few times a second, a page at a time. An idle poll reads only the end of an index. More
slowly, the poller rereads the last ten minutes again and again, for rows that the first read misses: rows committed
long after they were changed, rows written with a clock that is behind, and rows changed twice within a second. All rows
are compared with the warehouse, so a change that was applied already is not queued again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.realtime.diff import ChangeKind, ComparedRows, enqueue_differences
from ledger_pipelines.sources.billing import changes as billing_changes
from ledger_pipelines.sources.billing.changes import SourceRow, UpdatePosition
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import watermarks
from ledger_pipelines.warehouse.ops.first_computation import COMPUTE_COMMAND, NotComputedError, is_computed

#: Page sizes of the read of new rows and of the reread of recent rows.
NEW_ROWS, RECENT_ROWS = 1_000, 500
#: Overlap of the read of new rows while rows arrive: timestamps have whole seconds, and clocks differ a little.
NEW_SECONDS = 3
#: Span of the reread of recent rows, and the interval between rereads.
RECENT_SECONDS, RECENT_EVERY_SECONDS = 600, 30
#: How long an unchanged row is not compared again.
COMPARED_SECONDS = 60
_QUIET_SECONDS = 10
_PERSIST_SECONDS = 5
_DAY_SECONDS = 86_400


@dataclass
class Poller:
    """Poller of one kind of change, used by one thread.

    Attributes:
        kind: Kind of change.
        warehouse: The warehouse.
        clock: Monotonic clock, in seconds.
    """

    kind: ChangeKind
    warehouse: sa.Engine
    clock: Callable[[], float] = time.monotonic
    _newest: datetime | None = None
    _advanced_at: float = 0
    _persisted_at: float = 0
    _page: UpdatePosition | None = None
    _recent_page: UpdatePosition | None = None
    _recent_started_at: float | None = None
    _compared: dict[int, tuple[str, float]] = field(default_factory=dict)

    def poll(self, app: BillingSource, now: datetime) -> int:
        """Queue what has changed; return the number of new changes.

        Args:
            app: The billing application.
            now: The time.

        Raises:
            SourceError: The billing application cannot be read.
            NotComputedError: The ledger has never been computed.
        """
        begin = self._newest or self._start(app, now)
        local_now = now.astimezone(app.horizon.zone).replace(tzinfo=None)
        rows = self._new_rows(app, begin)
        rows += self._recent_rows(app, begin)
        places = [place.at for place in map(billing_changes.update_position, rows) if place is not None]
        newest = max(begin, min(max(places, default=begin), local_now))
        news = self._enqueue(app, rows, newest)
        if newest != self._newest:
            self._newest, self._advanced_at = newest, self.clock()
        return news

    @property
    def has_more(self) -> bool:
        """Whether the last poll did not reach the end of the new rows."""
        return self._page is not None

    def _start(self, app: BillingSource, now: datetime) -> datetime:
        """Return the watermark of this kind of change; at the first poll, the time at which the warehouse was loaded.

        That time is by the company's clock, or by the newest `updated_at` if that is up to a day earlier. The server
        may show `updated_at` in a time zone to the west: no change would lie after the watermark for as many hours.
        """
        with self.warehouse.connect() as connection:
            position = watermarks.get_watermark(connection, self._watermark_name)
            if position is not None:
                return datetime.fromisoformat(position)
            if not is_computed(connection):
                raise NotComputedError(
                    "The ledger has never been computed, so changes cannot be applied to it. "
                    f"Compute it first: {COMPUTE_COMMAND}"
                )
            oldest = connection.scalar(sa.select(sa.func.min(tables.loaded_months.c.loaded_at)))
        begin = min(now, oldest or now).astimezone(now.tzinfo).replace(tzinfo=None)
        newest = billing_changes.newest_updated_at(app, self.kind.table) or begin
        shown = max(billing_changes.subtract_seconds(begin, _DAY_SECONDS), min(begin, newest))
        return billing_changes.subtract_seconds(shown, RECENT_SECONDS)

    @property
    def _watermark_name(self) -> str:
        return f"poller of {self.kind.value}"

    def _new_rows(self, app: BillingSource, newest: datetime) -> list[SourceRow]:
        """Return the next page of new rows; after the last page, start again at the watermark."""
        quiet = self.clock() - self._advanced_at > _QUIET_SECONDS and self._newest is not None
        start = (
            UpdatePosition(newest)
            if quiet
            else billing_changes.position_before(billing_changes.subtract_seconds(newest, NEW_SECONDS))
        )
        rows = billing_changes.rows_updated_after(app, self.kind.table, self._page or start, NEW_ROWS)
        self._page = billing_changes.update_position(rows[-1]) if len(rows) == NEW_ROWS else None
        return rows

    def _recent_rows(self, app: BillingSource, newest: datetime) -> list[SourceRow]:
        """Return the next page of the last ten minutes; empty until the next reread is due."""
        began = self._recent_started_at
        if self._recent_page is None:
            if began is not None and self.clock() - began < RECENT_EVERY_SECONDS:
                return []
            self._recent_started_at = self.clock()
            self._recent_page = billing_changes.position_before(
                billing_changes.subtract_seconds(newest, RECENT_SECONDS)
            )
        rows = billing_changes.rows_updated_after(app, self.kind.table, self._recent_page, RECENT_ROWS)
        self._recent_page = billing_changes.update_position(rows[-1]) if len(rows) == RECENT_ROWS else None
        return rows

    def _enqueue(self, app: BillingSource, rows: list[SourceRow], newest: datetime) -> int:
        """Compare rows with the warehouse, queue the differences, and advance the watermark."""
        digests = {row["id"]: billing_changes.row_digest(row) for row in rows}
        uncompared = {row["id"]: row for row in rows if not self._was_compared(row["id"], digests[row["id"]])}
        now = self.clock()
        if not uncompared and (newest == self._newest or now - self._persisted_at < _PERSIST_SECONDS):
            return 0
        news = 0
        with self.warehouse.begin() as connection:
            if uncompared:
                compared = ComparedRows(self.kind.table, list(uncompared.values()), parts=self.kind.parts)
                news = enqueue_differences(connection, app, compared)
            watermarks.advance_watermark(connection, self._watermark_name, newest.isoformat())
        self._persisted_at = now
        self._compared = {
            row_id: entry for row_id, entry in self._compared.items() if now - entry[1] < COMPARED_SECONDS
        } | {row_id: (digests[row_id], now) for row_id in uncompared}
        return news

    def _was_compared(self, row_id: int, digest: str) -> bool:
        entry = self._compared.get(row_id)
        return entry is not None and entry[0] == digest and self.clock() - entry[1] < COMPARED_SECONDS
