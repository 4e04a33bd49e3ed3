"""Incidents: one open row per cause, updated while the cause lasts, closed when it is gone."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.incidents import Incident, IncidentCause, IncidentKind

CAUSE = IncidentCause(
    IncidentKind.CHANGE_RETRIED, "customer 7", "it \x00 fails", "mend it", customers=(7, 7, 3), details={"rows": 5}
)
OTHER = IncidentCause(IncidentKind.SYNC_FAILED, "sync", "it failed", "look")


def newest(connection: sa.Connection) -> list[Incident]:
    return incidents.newest_incidents(connection, 10)


def make_older(connection: sa.Connection, by: timedelta) -> None:
    """Move the times of all incidents into the past."""
    columns = tables.incidents.c
    connection.execute(
        sa.update(tables.incidents).values(
            opened_at=columns.opened_at - by, last_seen_at=columns.last_seen_at - by, closed_at=columns.closed_at - by
        )
    )


def test_a_cause_recorded_again_updates_its_open_incident(connection: sa.Connection) -> None:
    for reason in ("first", "second"):
        incidents.record(connection, replace(CAUSE, reason=reason))
    (one,) = incidents.open_incidents(connection)
    assert (one.reason, one.occurrences, one.state, one.owner) == ("second", 2, "open", "team:billing")
    assert one.last_seen_at > one.opened_at
    assert (list(one.customers), dict(one.details)) == ([3, 7], {"rows": 5})


def test_characters_that_cannot_be_stored_are_replaced(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    assert newest(connection)[0].reason == "it \ufffd fails"


def test_close_and_count_open(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    incidents.record(connection, OTHER)
    assert incidents.count_open(connection) == dict.fromkeys((kind.value for kind in IncidentKind), 0) | {
        "change_retried": 1,
        "sync_failed": 1,
    }
    assert incidents.close(connection, [IncidentKind.CHANGE_RETRIED], ["customer 8"]) == 0
    assert incidents.close(connection, [IncidentKind.CHANGE_RETRIED, IncidentKind.RUN_FAILED], ["customer 7"]) == 1
    assert [one.kind for one in incidents.open_incidents(connection)] == ["sync_failed"]
    assert incidents.close(connection, list(IncidentKind)) == 1
    assert incidents.open_incidents(connection) == []


@pytest.mark.parametrize(("after", "count"), [(timedelta(minutes=4), 1), (timedelta(minutes=6), 2)])
def test_a_flapping_cause_reopens_its_incident(connection: sa.Connection, after: timedelta, count: int) -> None:
    incidents.record(connection, CAUSE)
    incidents.close(connection, [CAUSE.kind])
    make_older(connection, after)
    incidents.record(connection, CAUSE)
    assert len(newest(connection)) == count
    (one,) = incidents.open_incidents(connection)
    assert (one.occurrences, one.closed_at) == (3 - count, None)


def test_reconcile_opens_and_closes_incidents_of_its_kinds(connection: sa.Connection) -> None:
    still_open, closed = replace(CAUSE, subject="customer 1"), replace(CAUSE, subject="customer 2")
    for cause in (still_open, closed, OTHER):
        incidents.record(connection, cause)
    incidents.reconcile(connection, [IncidentKind.CHANGE_RETRIED], [still_open, replace(CAUSE, subject="customer 3")])
    assert {one.subject for one in incidents.open_incidents(connection)} == {"customer 1", "customer 3", "sync"}
    incidents.reconcile(connection, [IncidentKind.CHANGE_RETRIED], [])
    assert {one.subject for one in incidents.open_incidents(connection)} == {"sync"}


def test_close_unseen(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    (one,) = newest(connection)
    assert incidents.close_if_unseen(connection, CAUSE.kind, CAUSE.subject, one.last_seen_at) == 0
    assert (
        incidents.close_if_unseen(connection, CAUSE.kind, CAUSE.subject, one.last_seen_at + timedelta(seconds=1)) == 1
    )


def test_announced_only_leaves_out_incidents_within_their_grace(connection: sa.Connection) -> None:
    incidents.record(connection, CAUSE)
    incidents.record(connection, OTHER)
    assert [one.kind for one in incidents.open_incidents(connection, announced_only=True)] == ["sync_failed"]
    make_older(connection, timedelta(seconds=CAUSE.kind.grace_seconds))
    assert len(incidents.open_incidents(connection, announced_only=True)) == 2
