"""`ops.incidents`: problems that need a person, each open from its detection until its cause is gone.

Incidents of a kind are either opened and closed where the problem occurs (`record`, `close`), or reconciled with the
complete list of current causes (`reconcile`). No command closes an incident; it closes when its cause is gone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.tables import incidents

#: A cause that returns within this time reopens its incident, so that a flapping cause is announced once.
_SAME_FOR: sa.ColumnElement[Any] = sa.literal_column("interval '5 minutes'")
_LONGEST = 4_000
_incident = incidents.c
IS_OPEN = _incident.state == "open"


class IncidentKind(StrEnum):
    """The kinds of incidents."""

    DELETION_REFUSED = "deletion_refused"
    CHANGE_RETRIED = "change_retried"
    CHANGES_WAIT = "changes_wait"
    MONTH_MISSING = "month_missing"
    MONTH_SHRANK = "month_shrank"
    POLL_FAILED = "poll_failed"
    RUN_FAILED = "run_failed"
    SYNC_FAILED = "sync_failed"
    SYNC_MISSED = "sync_missed"

    @property
    def owner(self) -> str:
        """Return the responsible team, named like the owners of the assets."""
        of_erp = (IncidentKind.MONTH_SHRANK, IncidentKind.SYNC_FAILED, IncidentKind.SYNC_MISSED)
        return "team:erp" if self in of_erp else "team:billing"

    @property
    def grace_seconds(self) -> int:
        """Return how long an incident is open before it is announced: a restarting server recovers without help."""
        return 20 if self in (IncidentKind.POLL_FAILED, IncidentKind.CHANGE_RETRIED) else 0


@dataclass(frozen=True)
class IncidentCause:
    """A current cause of an incident.

    Attributes:
        kind: The kind of incident.
        subject: The affected object; at most one incident of a kind and subject is open.
        reason: The problem.
        what_to_do: Instructions for the person who resolves it.
        customers: The customers whose figures may be wrong.
        details: Further data of the kind, as JSON.
        run_id: The Dagster run that detects it.
    """

    kind: IncidentKind
    subject: str
    reason: str
    what_to_do: str
    customers: Collection[int] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None


@dataclass(frozen=True)
class OpenIncident:
    """Incident that needs a person's action."""

    # The columns of these names, as the API and the webhook report them.
    id: int
    kind: str
    """Kind of incident, such as deletion_refused"""
    subject: str
    """Affected object: a customer, table, sensor or job"""
    customers: Sequence[int]
    """Customers whose figures may be wrong; empty: not limited to certain customers"""
    opened_at: datetime
    last_seen_at: datetime
    occurrences: int
    """Number of times the incident was detected"""
    owner: str
    """Team that is responsible"""
    reason: str
    """What is wrong"""
    what_to_do: str


@dataclass(frozen=True)
class Incident(OpenIncident):
    """An incident, open or closed, with the other columns that pages and commands show."""

    state: str
    closed_at: datetime | None
    details: Mapping[str, Any]
    run_id: str | None
    delivered_at: datetime | None
    last_error: str | None

    @property
    def title(self) -> str:
        """Return the kind and the subject in English."""
        return f"{self.kind.replace('_', ' ')}, {self.subject}"

    @property
    def rows_to_confirm(self) -> int:
        """Return how many refused deletions of rows a person can confirm; 0 if none."""
        if self.kind != IncidentKind.DELETION_REFUSED or self.state != "open":
            return 0
        of_customers: Mapping[str, Mapping[str, int]] = self.details.get("rows", {})
        return sum(rows for tables in of_customers.values() for rows in tables.values())


def customer_subject(customer_id: int) -> str:
    """Return the subject of an incident about one customer."""
    return f"customer {customer_id}"


def record(connection: sa.Connection, cause: IncidentCause) -> None:
    """Open an incident, or update the open incident of the same kind and subject."""
    _reopen(connection, cause)
    values = {
        "kind": cause.kind.value,
        "subject": cause.subject,
        "customers": sorted(set(cause.customers)),
        "owner": cause.kind.owner,
        "reason": _storable(cause.reason),
        "what_to_do": _storable(cause.what_to_do),
        "details": dict(cause.details),
        "run_id": cause.run_id,
    }
    addition = insert(incidents).values(values)
    updated: dict[str, Any] = {name: addition.excluded[name] for name in values if name not in ("kind", "subject")}
    updated |= {"last_seen_at": sa.func.clock_timestamp(), "occurrences": _incident.occurrences + 1}
    connection.execute(
        addition.on_conflict_do_update(
            index_elements=["kind", "subject"], index_where=sa.text("state = 'open'"), set_=updated
        )
    )


def close(
    connection: sa.Connection,
    kinds: Collection[IncidentKind],
    subjects: Collection[str] | None = None,
    *,
    except_run: str | None = None,
) -> int:
    """Close open incidents whose cause is gone, and return how many.

    Args:
        connection: To the warehouse.
        kinds: Incidents of these kinds.
        subjects: Incidents with these subjects; None: with any.
        except_run: Leave the incidents open that this run recorded.
    """
    has_subject = sa.true() if subjects is None else _incident.subject.in_(subjects)
    of_other_runs = sa.true() if except_run is None else _incident.run_id.is_distinct_from(except_run)
    return _close(connection, kinds, sa.and_(has_subject, of_other_runs))


def close_if_unseen(connection: sa.Connection, kind: IncidentKind, subject: str, since: datetime) -> int:
    """Close an incident that was last seen before ``since``; return 1 if it was open, else 0."""
    return _close(connection, [kind], sa.and_(_incident.subject == subject, _incident.last_seen_at < since))


def reconcile(connection: sa.Connection, kinds: Collection[IncidentKind], causes: Collection[IncidentCause]) -> None:
    """Record an incident for each cause, and close the other open incidents of these kinds."""
    for cause in causes:
        record(connection, cause)
    seen = [(cause.kind.value, cause.subject) for cause in causes]
    _close(connection, kinds, sa.tuple_(_incident.kind, _incident.subject).not_in(seen) if seen else sa.true())


def open_incidents(connection: sa.Connection, *, announced_only: bool = False) -> list[Incident]:
    """Return the open incidents, oldest first.

    Args:
        connection: To the warehouse.
        announced_only: Leave out incidents still within their grace period.
    """
    where = sa.and_(IS_OPEN, is_past_grace()) if announced_only else IS_OPEN
    return _read(connection, sa.select(incidents).where(where).order_by(_incident.opened_at, _incident.id))


def newest_incidents(connection: sa.Connection, limit: int, offset: int = 0) -> list[Incident]:
    """Return the newest incidents, open or closed, newest first."""
    return _read(connection, sa.select(incidents).order_by(_incident.id.desc()).limit(limit).offset(offset))


def get_incident(connection: sa.Connection, incident_id: int) -> Incident | None:
    """Return the incident with an id, open or closed, or None."""
    return next(iter(_read(connection, sa.select(incidents).where(_incident.id == incident_id))), None)


def count(connection: sa.Connection) -> int:
    """Return the number of incidents, open or closed."""
    return connection.scalar(sa.select(sa.func.count()).select_from(incidents)) or 0


def count_open(connection: sa.Connection) -> dict[str, int]:
    """Return the number of open incidents by kind, 0 included."""
    counted = sa.select(_incident.kind, sa.func.count()).where(IS_OPEN).group_by(_incident.kind)
    return {kind.value: 0 for kind in IncidentKind} | dict(connection.execute(counted).all())


def is_past_grace() -> sa.ColumnElement[bool]:
    """Return the condition that an incident's grace period is over, so that it is announced."""
    graces = sa.case(
        *(
            (_incident.kind == kind.value, sa.literal(kind.grace_seconds))
            for kind in IncidentKind
            if kind.grace_seconds
        ),
        else_=0,
    )
    return _incident.opened_at <= sa.func.clock_timestamp() - graces * sa.literal_column("interval '1 second'")


def _read(connection: sa.Connection, statement: sa.Select[Any]) -> list[Incident]:
    fields = tuple(Incident.__dataclass_fields__)
    return [Incident(**{name: row[name] for name in fields}) for row in connection.execute(statement).mappings()]


def _reopen(connection: sa.Connection, cause: IncidentCause) -> None:
    """Reopen the last incident of the same kind and subject if it was closed within `_SAME_FOR` and none is open."""
    same = sa.and_(_incident.kind == cause.kind.value, _incident.subject == cause.subject)
    other = incidents.alias("other")
    is_open = sa.exists().where(
        other.c.kind == cause.kind.value, other.c.subject == cause.subject, other.c.state == "open"
    )
    last = sa.select(_incident.id).where(same).order_by(_incident.id.desc()).limit(1).scalar_subquery()
    connection.execute(
        sa.update(incidents)
        .where(_incident.id == last, _incident.closed_at > sa.func.clock_timestamp() - _SAME_FOR, ~is_open)
        .values(state="open", closed_at=None)
    )


def _close(connection: sa.Connection, kinds: Collection[IncidentKind], where: sa.ColumnElement[bool]) -> int:
    closing = (
        sa.update(incidents)
        .where(IS_OPEN, _incident.kind.in_([kind.value for kind in kinds]), where)
        .values(state="closed", closed_at=sa.func.clock_timestamp())
    )
    return connection.execute(closing, execution_options={"preserve_rowcount": True}).rowcount


def _storable(text: str) -> str:
    """Return the text as the server can store it, truncated to 4,000 characters."""
    whole = text.replace("\x00", "\ufffd")
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]} …"
