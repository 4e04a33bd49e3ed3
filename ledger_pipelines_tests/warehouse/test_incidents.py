"""Incidents: one open row a cause, renewed while the cause lasts, closed when it is gone."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse import incidents, tables
from ledger_pipelines.warehouse.incidents import Cause, Incident, Kind

CAUSE = Cause(Kind.CHANGE_RETRIED, "customer 7", "it \x00 fails", "mend it", customers=(7, 7, 3), details={"rows": 5})
OTHER = Cause(Kind.SYNC_FAILED, "sync", "it failed", "look")


def found(connection: sa.Connection) -> list[Incident]:
    return incidents.newest_incidents(connection, 10)


def age(connection: sa.Connection, by: timedelta) -> None:
    """Let all incidents be older."""
    columns = tables.incidents.c
    connection.execute(
        sa.update(tables.incidents).values(
            opened_at=columns.opened_at - by, last_seen_at=columns.last_seen_at - by, closed_at=columns.closed_at - by
        )
    )


def test_a_cause_that_lasts_is_one_incident(connection: sa.Connection) -> None:
    for reason in ("first", "second"):
        incidents.record(connection, replace(CAUSE, reason=reason))
    (one,) = incidents.open_incidents(connection)
    assert (one.reason, one.occurrences, one.state, one.owner) == ("second", 2, "open", "team:billing")
    assert one.last_seen_at > one.opened_at
    assert (list(one.customers), dict(one.details)) == ([3, 7], {"rows": 5})


def test_what_the_server_cannot_store_is_replaced(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    assert found(connection)[0].reason == "it \ufffd fails"


def test_an_incident_is_closed_and_counts_no_longer(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    incidents.record(connection, OTHER)
    assert incidents.count_open(connection) == dict.fromkeys((kind.value for kind in Kind), 0) | {
        "change_retried": 1,
        "sync_failed": 1,
    }
    assert incidents.close(connection, [Kind.CHANGE_RETRIED], ["customer 8"]) == 0
    assert incidents.close(connection, [Kind.CHANGE_RETRIED, Kind.RUN_FAILED], ["customer 7"]) == 1
    assert [one.kind for one in incidents.open_incidents(connection)] == ["sync_failed"]
    assert incidents.close(connection, list(Kind)) == 1
    assert incidents.open_incidents(connection) == []


@pytest.mark.parametrize(("after", "incident_count"), [(timedelta(minutes=4), 1), (timedelta(minutes=6), 2)])
def test_what_flickers_is_one_incident(connection: sa.Connection, after: timedelta, incident_count: int) -> None:
    incidents.record(connection, CAUSE)
    incidents.close(connection, [CAUSE.kind])
    age(connection, after)
    incidents.record(connection, CAUSE)
    assert len(found(connection)) == incident_count
    (one,) = incidents.open_incidents(connection)
    assert (one.occurrences, one.closed_at) == (3 - incident_count, None)


def test_kinds_are_reconciled_with_their_causes(connection: sa.Connection) -> None:
    kept, gone = replace(CAUSE, subject="customer 1"), replace(CAUSE, subject="customer 2")
    for cause in (kept, gone, OTHER):
        incidents.record(connection, cause)
    incidents.reconcile(connection, [Kind.CHANGE_RETRIED], [kept, replace(CAUSE, subject="customer 3")])
    assert {one.subject for one in incidents.open_incidents(connection)} == {"customer 1", "customer 3", "sync"}
    incidents.reconcile(connection, [Kind.CHANGE_RETRIED], [])
    assert {one.subject for one in incidents.open_incidents(connection)} == {"sync"}


def test_one_that_was_not_seen_since_is_closed(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    (one,) = found(connection)
    assert incidents.close_unseen(connection, CAUSE.kind, CAUSE.subject, one.last_seen_at) == 0
    assert incidents.close_unseen(connection, CAUSE.kind, CAUSE.subject, one.last_seen_at + timedelta(seconds=1)) == 1


def test_what_may_pass_by_itself_is_announced_later(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    incidents.record(connection, OTHER)
    assert [one.kind for one in incidents.open_incidents(connection, announced_only=True)] == ["sync_failed"]
    age(connection, timedelta(seconds=CAUSE.kind.grace_seconds))
    assert len(incidents.open_incidents(connection, announced_only=True)) == 2
