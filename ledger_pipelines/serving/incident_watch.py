"""Incidents on the terminal of `ledger up`: each once when it is announced, and one line when it is closed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import sqlalchemy as sa

from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.engine import Pool, reachable, warehouse_engine
from ledger_pipelines.warehouse.incidents import Incident, open_incidents
from ledger_pipelines.warehouse.schema import WarehouseError

#: An incident that is gone for less is not called closed: its cause may flicker.
_QUIET_SECONDS = 10.0
_POOL = Pool(size=1, overflow=0, statement_seconds=5)


@dataclass
class IncidentWatch:
    """Tells a person about incidents as they come and go.

    Attributes:
        settings: They name the warehouse.
        tell: Told what comes and goes.
        complain: Told why incidents cannot be read, at each look.
        clock: Seconds, for how long an incident is gone.
    """

    settings: Settings
    tell: Callable[[str], None]
    complain: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _told: dict[int, Incident] = field(default_factory=dict)
    _seen: dict[int, float] = field(default_factory=dict)

    @cached_property
    def _warehouse(self) -> sa.Engine:
        return warehouse_engine(servers.warehouse(self.settings), self.settings.zone, "ledger_up", _POOL)

    def look(self) -> None:
        """Tell about incidents that were announced or closed since the last look.

        Of a warehouse that does not answer nothing is told: other processes report it.
        """
        try:
            with reachable(self._warehouse), self._warehouse.connect() as connection:
                found = open_incidents(connection, announced_only=True)
        except WarehouseError:
            return
        except sa.exc.SQLAlchemyError as error:
            self.complain(f"The incidents cannot be read: {str(error).splitlines()[0]}")
            return
        now = self.clock()
        for incident in found:
            if incident.id not in self._told:
                self.tell(_opened(incident))
            self._told[incident.id], self._seen[incident.id] = incident, now
        for gone in [one for one in self._told.values() if now - self._seen[one.id] >= _QUIET_SECONDS]:
            del self._told[gone.id], self._seen[gone.id]
            self.tell(f"Incident {gone.id} is closed: {gone.in_words}.")

    def close(self) -> None:
        """Let go of the warehouse."""
        self._warehouse.dispose()


def _opened(incident: Incident) -> str:
    lines = (
        f"Incident {incident.id}: {incident.in_words}",
        f"  what is wrong: {incident.reason}",
        f"  what to do: {incident.what_to_do}",
    )
    return "\n".join(lines)
