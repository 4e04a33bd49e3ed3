"""How the pipeline is, in numbers: what waits, what the syncs did, how long changes take. All from small tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse import latency
from ledger_pipelines.warehouse.incidents import OPEN, count_open
from ledger_pipelines.warehouse.latency import Spread
from ledger_pipelines.warehouse.tables import (
    incidents,
    pending_changes,
    realtime_batches,
    rejected_rows,
    stale_months,
    sync_logs,
)

_LATENCY_MINUTES = 60
_change, _sync, _batch = pending_changes.c, sync_logs.c, realtime_batches.c


@dataclass(frozen=True)
class Syncs:
    """The syncs of a type and status together."""

    runs: int
    rows_loaded: int
    rows_rejected: int
    seconds: Decimal


@dataclass(frozen=True)
class Pipeline:
    """The pipeline in numbers.

    Attributes:
        syncs: By type and status.
        last_sync_seconds: Seconds since the end of the last completed sync; None: there is none.
        pending: Changes that wait to be taken up.
        held: Changes put aside, because their customers are not recalculated by themselves.
        oldest_pending_seconds: How long the oldest that waits has; None: none does.
        stale_months: Months whose inputs changed and which were not recalculated yet.
        rejected: Rejected rows by the asset that rejects them.
        batches: Batches of changes taken up within the last 30 days.
        changes: Changes taken up in them.
        latency: How long the changes of the last hour took; None: there were none.
        open_incidents: Open incidents by kind, each kind.
        oldest_incident_seconds: Seconds since the oldest open incident was opened; None: none is open.
    """

    syncs: Mapping[tuple[str, str], Syncs]
    last_sync_seconds: Decimal | None
    pending: int
    held: int
    oldest_pending_seconds: Decimal | None
    stale_months: int
    rejected: Mapping[str, int]
    batches: int
    changes: int
    latency: Spread | None
    open_incidents: Mapping[str, int]
    oldest_incident_seconds: Decimal | None


def pipeline(connection: sa.Connection, objective_ms: int) -> Pipeline:
    """The pipeline in numbers, now.

    Args:
        connection: To the warehouse.
        objective_ms: Changes that take longer are counted as slow.
    """
    numbers = connection.execute(_numbers()).one()
    return Pipeline(
        syncs={(row.sync_type, row.status): Syncs(*row[2:]) for row in connection.execute(_syncs())},
        rejected={row.asset: row.rows for row in connection.execute(_rejected())},
        latency=latency.spread(connection, _LATENCY_MINUTES, objective_ms),
        open_incidents=count_open(connection),
        **numbers._mapping,
    )


def _numbers() -> sa.Select[Any]:
    """One row: what waits, when the last sync ended, and since when an incident is open."""
    last_sync = sa.select(_age(sa.func.max(_sync.completed_at))).where(_sync.status == "completed")
    waits = sa.select(
        sa.func.count().filter(~_change.held).label("pending"),
        sa.func.count().filter(_change.held).label("held"),
        _age(sa.func.min(_change.noticed_at).filter(~_change.held)).label("oldest_pending_seconds"),
    ).subquery()
    batches = sa.select(
        sa.func.count().label("batches"), sa.func.coalesce(sa.func.sum(_batch.changes), 0).label("changes")
    ).subquery()
    stale = sa.select(sa.func.count()).select_from(stale_months)
    oldest_incident = sa.select(_age(sa.func.min(incidents.c.opened_at))).where(OPEN)
    return sa.select(
        *waits.c,
        *batches.c,
        last_sync.scalar_subquery().label("last_sync_seconds"),
        stale.scalar_subquery().label("stale_months"),
        oldest_incident.scalar_subquery().label("oldest_incident_seconds"),
    ).join_from(waits, batches, sa.true())


def _syncs() -> sa.Select[Any]:
    """One row: the syncs of a type and status together."""
    return sa.select(
        _sync.sync_type,
        _sync.status,
        sa.func.count(),
        sa.func.sum(_sync.success_records),
        sa.func.sum(_sync.failed_records),
        sa.func.coalesce(sa.func.sum(_sync.duration), 0),
    ).group_by(_sync.sync_type, _sync.status)


def _rejected() -> sa.Select[Any]:
    """One row: an asset that rejects rows, and how many."""
    return sa.select(rejected_rows.c.asset, sa.func.count().label("rows")).group_by(rejected_rows.c.asset)


def _age(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Decimal]:
    """Seconds since a moment."""
    return sa.func.round(sa.extract("epoch", sa.func.now() - moment), 3)
