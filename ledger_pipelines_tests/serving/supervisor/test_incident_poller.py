"""Incidents on the terminal of `ledger up`: one message when announced, one line when closed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.supervisor.incident_poller import IncidentPoller
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind
from ledger_pipelines_tests.support.open_incidents import FAILED, REFUSED, temporary_incidents
from ledger_pipelines_tests.support.servers import free_port
from ledger_pipelines_tests.support.tables import altered

RETRIED = IncidentCause(IncidentKind.CHANGE_RETRIED, "customer 7", "it fails", "mend it", customers=(7,))


@dataclass
class Terminal:
    """Poller with its output and its clock."""

    warehouse: sa.Engine
    watch: IncidentPoller
    messages: list[str] = field(default_factory=list)
    now: float = 0.0

    def after(self, seconds: float) -> list[str]:
        """Poll some seconds later and return the messages."""
        self.now += seconds
        self.messages.clear()
        self.watch.poll()
        return list(self.messages)


def terminal_of(warehouse: sa.Engine) -> Terminal:
    """Return a terminal without messages."""
    settings = Settings(warehouse_url=warehouse.url.render_as_string(hide_password=False))
    watch = IncidentPoller(
        settings, lambda text: made.messages.append(text), lambda text: made.messages.append(f"? {text}")
    )
    made = Terminal(warehouse, watch)
    watch.clock = lambda: made.now
    return made


@pytest.fixture
def terminal(empty_warehouse: sa.Engine) -> Iterator[Terminal]:
    """The terminal of an installation without incidents."""
    made = terminal_of(empty_warehouse)
    with temporary_incidents(empty_warehouse):
        yield made
    made.watch.close()


def close(terminal: Terminal, kind: IncidentKind) -> None:
    """Close the incidents of a kind."""
    with terminal.warehouse.begin() as connection:
        assert incidents.close(connection, [kind]) == 1


def test_incident_is_reported_when_announced_and_when_closed(terminal: Terminal) -> None:
    assert terminal.after(3) == []
    with temporary_incidents(terminal.warehouse, REFUSED) as (incident,):
        (message,) = terminal.after(3)
        assert message.splitlines() == [
            f"Incident {incident.id}: deletion refused, customer 11",
            f"  what is wrong: {REFUSED.reason}",
            f"  what to do: {REFUSED.what_to_do}",
        ]
        with terminal.warehouse.begin() as connection:
            incidents.record(connection, REFUSED)
        assert terminal.after(30) == []
        close(terminal, REFUSED.kind)
        assert terminal.after(3) == []
        assert terminal.after(10) == [f"Incident {incident.id} is closed: deletion refused, customer 11."]
        assert terminal.after(10) == []


def test_flickering_incident_is_reported_once(terminal: Terminal) -> None:
    with temporary_incidents(terminal.warehouse, FAILED):
        assert len(terminal.after(3)) == 1
        for _ in range(3):
            close(terminal, FAILED.kind)
            assert terminal.after(5) == []
            with terminal.warehouse.begin() as connection:
                incidents.record(connection, FAILED)
            assert terminal.after(5) == []


def test_incident_closed_before_announcement_is_not_reported(terminal: Terminal) -> None:
    with temporary_incidents(terminal.warehouse, RETRIED):
        assert terminal.after(3) == []
        close(terminal, RETRIED.kind)
        assert terminal.after(30) == []


def test_incidents_open_at_start_are_reported(terminal: Terminal) -> None:
    with temporary_incidents(terminal.warehouse, REFUSED, FAILED):
        terminal.after(3)
        later = terminal_of(terminal.warehouse)
        assert [text.splitlines()[0].partition(": ")[2] for text in later.after(0)] == [
            "deletion refused, customer 11",
            "sync failed, stockbywh",
        ]
        later.watch.close()


def test_unreachable_warehouse_is_not_reported(terminal: Terminal) -> None:
    unreachable = IncidentPoller(
        Settings(warehouse_url=f"postgresql://ledger@127.0.0.1:{free_port()}/warehouse"), pytest.fail, pytest.fail
    )
    unreachable.poll()
    with temporary_incidents(terminal.warehouse, REFUSED):
        terminal.after(3)
        with altered(
            terminal.warehouse,
            "ALTER TABLE ops.incidents RENAME TO elsewhere",
            "ALTER TABLE ops.elsewhere RENAME TO incidents",
        ):
            (message,) = terminal.after(60)
        assert message.startswith("? The incidents cannot be read: ")
        assert terminal.after(3) == [], "it was open all the time"
