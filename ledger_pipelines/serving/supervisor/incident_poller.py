"""Incidents on the terminal of `ledger up`: a message when one is announced, and a line when it is closed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import sqlalchemy as sa

from ledger_pipelines.errors import first_line
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import PoolOptions, translate_connection_errors, warehouse_engine
from ledger_pipelines.warehouse.ops.incidents import Incident, open_incidents
from ledger_pipelines.warehouse.schema import WarehouseError

#: An incident that is closed for a shorter time is not reported as closed: its cause may flicker.
_CLOSED_SECONDS = 10.0
_POOL = PoolOptions(size=1, overflow=0, statement_seconds=5)


@dataclass
class IncidentPoller:
    """Poller of the open incidents that reports each opening and closing.

    Attributes:
        settings: Settings that name the warehouse.
        report: Called with each message about an incident.
        report_error: Called at each poll that fails to read the incidents, with the reason.
        clock: Current time in seconds, to measure how long an incident has been closed.
    """

    settings: Settings
    report: Callable[[str], None]
    report_error: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _reported: dict[int, Incident] = field(default_factory=dict)
    _last_seen: dict[int, float] = field(default_factory=dict)

    @cached_property
    def _warehouse(self) -> sa.Engine:
        return warehouse_engine(database_urls.warehouse_url(self.settings), self.settings.zone, "ledger_up", _POOL)

    def poll(self) -> None:
        """Report incidents that were announced or closed since the last poll.

        A warehouse that does not answer is ignored here: other processes report it.
        """
        try:
            with translate_connection_errors(self._warehouse), self._warehouse.connect() as connection:
                found = open_incidents(connection, announced_only=True)
        except WarehouseError:
            return
        except sa.exc.SQLAlchemyError as error:
            self.report_error(f"The incidents cannot be read: {first_line(error)}")
            return
        now = self.clock()
        for incident in found:
            if incident.id not in self._reported:
                self.report(_opening_message(incident))
            self._reported[incident.id], self._last_seen[incident.id] = incident, now
        for closed in [
            incident for incident in self._reported.values() if now - self._last_seen[incident.id] >= _CLOSED_SECONDS
        ]:
            del self._reported[closed.id], self._last_seen[closed.id]
            self.report(f"Incident {closed.id} is closed: {closed.title}.")

    def close(self) -> None:
        """Close the connections to the warehouse."""
        self._warehouse.dispose()


def _opening_message(incident: Incident) -> str:
    lines = (
        f"Incident {incident.id}: {incident.title}",
        f"  what is wrong: {incident.reason}",
        f"  what to do: {incident.what_to_do}",
    )
    return "\n".join(lines)
