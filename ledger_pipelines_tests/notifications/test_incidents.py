"""Posting of incidents: once, after their grace period if still open, before low balances."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger_pipelines.notifications.alerts import deliver
from ledger_pipelines.notifications.webhook import Webhook
from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.incidents import Incident, IncidentCause, IncidentKind
from ledger_pipelines.warehouse.tables import balance_alerts
from ledger_pipelines.warehouse.tables import incidents as table
from ledger_pipelines_tests.support.open_incidents import FAILED, REFUSED, temporary_incidents
from ledger_pipelines_tests.support.tables import execute
from ledger_pipelines_tests.support.webhook_receiver import SECRET, Receiver

RETRIED = IncidentCause(IncidentKind.CHANGE_RETRIED, "customer 7", "it fails", "fix it", customers=(7, 3))


def types(receiver: Receiver) -> list[str]:
    """Return the types of the received messages."""
    return [json.loads(message.body)["type"] for message in receiver.received]


def newest(warehouse: sa.Engine) -> Incident:
    """Return the incident that was opened last."""
    with warehouse.connect() as connection:
        return incidents.newest_incidents(connection, 1)[0]


def change(warehouse: sa.Engine, **columns: object) -> None:
    """Change columns of all incidents."""
    execute(warehouse, sa.update(table).values(columns))


def test_an_incident_is_posted_once(empty_warehouse: sa.Engine, receiver: Receiver) -> None:
    webhook = Webhook(receiver.url, SECRET)
    with temporary_incidents(empty_warehouse, REFUSED) as (incident,):
        assert deliver(empty_warehouse, webhook).delivered == 1
        with empty_warehouse.begin() as connection:
            incidents.record(connection, REFUSED)
            event_id = connection.scalar(sa.select(table.c.event_id))
        assert deliver(empty_warehouse, webhook).delivered == 0
        delivered_at = newest(empty_warehouse).delivered_at
    assert delivered_at is not None
    (message,) = receiver.received
    assert message.headers["webhook-id"] == str(event_id)
    assert json.loads(message.body) == {
        "type": "incident.opened",
        "data": {
            "event_id": str(event_id),
            "id": incident.id,
            "kind": "deletion_refused",
            "subject": "customer 11",
            "customers": [11],
            "opened_at": incident.opened_at.isoformat(),
            "last_seen_at": incident.last_seen_at.isoformat(),
            "occurrences": 1,
            "owner": "team:billing",
            "reason": REFUSED.reason,
            "what_to_do": REFUSED.what_to_do,
        },
    }


def test_a_failed_incident_is_retried_with_the_same_id(empty_warehouse: sa.Engine, receiver: Receiver) -> None:
    webhook = Webhook(receiver.url, SECRET)
    receiver.answers = [503]
    with temporary_incidents(empty_warehouse, REFUSED):
        assert deliver(empty_warehouse, webhook).failed == 1
        assert newest(empty_warehouse).last_error == "status 503: what the receiver says"
        assert deliver(empty_warehouse, webhook).failed == 0, "it is not due yet"
        change(empty_warehouse, next_attempt_at=sa.func.now())
        assert deliver(empty_warehouse, webhook).delivered == 1
        assert newest(empty_warehouse).last_error is None
    assert len({message.headers["webhook-id"] for message in receiver.received}) == 1


def test_a_transient_incident_is_posted_after_its_grace_period(empty_warehouse: sa.Engine, receiver: Receiver) -> None:
    webhook = Webhook(receiver.url, SECRET)
    with temporary_incidents(empty_warehouse, RETRIED):
        assert deliver(empty_warehouse, webhook).delivered == 0
        change(empty_warehouse, opened_at=table.c.opened_at - timedelta(seconds=RETRIED.kind.grace_seconds))
        assert deliver(empty_warehouse, webhook).delivered == 1


@pytest.mark.parametrize("cause", [REFUSED, RETRIED])
def test_an_incident_closed_before_its_announcement_is_not_posted(
    empty_warehouse: sa.Engine, receiver: Receiver, cause: IncidentCause
) -> None:
    with temporary_incidents(empty_warehouse, cause):
        with empty_warehouse.begin() as connection:
            incidents.close(connection, [cause.kind])
        change(empty_warehouse, opened_at=table.c.opened_at - timedelta(minutes=1))
        assert deliver(empty_warehouse, Webhook(receiver.url, SECRET)).delivered == 0
    assert receiver.received == []


def test_an_open_incident_is_never_given_up(empty_warehouse: sa.Engine, receiver: Receiver) -> None:
    with temporary_incidents(empty_warehouse, REFUSED):
        change(empty_warehouse, opened_at=table.c.opened_at - timedelta(days=30))
        assert deliver(empty_warehouse, Webhook(receiver.url, SECRET)).delivered == 1


def test_incidents_are_posted_first_without_delaying_balances(empty_warehouse: sa.Engine, receiver: Receiver) -> None:
    low = {"customer_id": 1, "kind": "threshold", "balance": -5, "threshold": 0, "days": 7, "run_id": "test"}
    execute(empty_warehouse, sa.insert(balance_alerts).values(low))
    receiver.answers = [422]
    with temporary_incidents(empty_warehouse, FAILED):
        done = deliver(empty_warehouse, Webhook(receiver.url, SECRET))
    execute(empty_warehouse, sa.delete(balance_alerts))
    assert (done.delivered, done.failed) == (1, 1)
    assert types(receiver) == ["incident.opened", "balance_alert.raised"]
