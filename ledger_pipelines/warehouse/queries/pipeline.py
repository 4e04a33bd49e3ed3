"""Metrics of the pipeline: queued changes, syncs, latency, incidents. All are read from small tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops import latency
from ledger_pipelines.warehouse.ops.incidents import IS_OPEN, count_open
from ledger_pipelines.warehouse.ops.latency import LatencySummary
from ledger_pipelines.warehouse.queries.freshness import Freshness, freshness
from ledger_pipelines.warehouse.tables import (
    incidents,
    realtime_batches,
    rejected_rows,
    sync_logs,
)

_sync, _batch = sync_logs.c, realtime_batches.c


@dataclass(frozen=True)
class SyncTotals:
    """Totals of the syncs of a type and status."""

    runs: int
    rows_loaded: int
    rows_rejected: int
    seconds: Decimal


@dataclass(frozen=True)
class PipelineMetrics:
    """Metrics of the pipeline.

    Attributes:
        syncs: Totals of the syncs by type and status.
        last_sync_seconds: Seconds since the end of the last completed sync; None without one.
        freshness: Numbers of queued changes and invalidations.
        rejected: Number of rejected rows by asset.
        batches: Number of batches of changes applied within the last 30 days.
        changes: Number of changes in those batches.
        latency: Latency of the changes applied in the last hour; None without any.
        open_incidents: Number of open incidents of every kind.
        oldest_incident_seconds: Seconds since the oldest open incident was opened; None without one.
    """

    syncs: Mapping[tuple[str, str], SyncTotals]
    last_sync_seconds: Decimal | None
    freshness: Freshness
    rejected: Mapping[str, int]
    batches: int
    changes: int
    latency: LatencySummary | None
    open_incidents: Mapping[str, int]
    oldest_incident_seconds: Decimal | None


def pipeline_metrics(connection: sa.Connection, objective_ms: int) -> PipelineMetrics:
    """Return the current metrics.

    Args:
        connection: To the warehouse.
        objective_ms: Latency objective: changes above it count as slow.
    """
    numbers = connection.execute(_numbers()).one()
    return PipelineMetrics(
        syncs={(row.sync_type, row.status): SyncTotals(*row[2:]) for row in connection.execute(_syncs())},
        freshness=freshness(connection),
        rejected={row.asset: row.rows for row in connection.execute(_rejected())},
        latency=latency.latency_summary(connection, objective_ms),
        open_incidents=count_open(connection),
        **numbers._mapping,
    )


def _numbers() -> sa.Select[Any]:
    """One row: the numbers of batches and their changes, and the ages of the last sync and incident."""
    last_sync = sa.select(_age(sa.func.max(_sync.completed_at))).where(_sync.status == "completed")
    oldest_incident = sa.select(_age(sa.func.min(incidents.c.opened_at))).where(IS_OPEN)
    return sa.select(
        sa.func.count().label("batches"),
        sa.func.coalesce(sa.func.sum(_batch.changes), 0).label("changes"),
        last_sync.scalar_subquery().label("last_sync_seconds"),
        oldest_incident.scalar_subquery().label("oldest_incident_seconds"),
    ).select_from(realtime_batches)


def _syncs() -> sa.Select[Any]:
    """One row: the totals of the syncs of a type and status."""
    return sa.select(
        _sync.sync_type,
        _sync.status,
        sa.func.count(),
        sa.func.sum(_sync.success_records),
        sa.func.sum(_sync.failed_records),
        sa.func.coalesce(sa.func.sum(_sync.duration), 0),
    ).group_by(_sync.sync_type, _sync.status)


def _rejected() -> sa.Select[Any]:
    """One row: an asset with its number of rejected rows."""
    return sa.select(rejected_rows.c.asset, sa.func.count().label("rows")).group_by(rejected_rows.c.asset)


def _age(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Decimal]:
    """Return the seconds since a moment."""
    return sa.func.round(sa.extract("epoch", sa.func.now() - moment), 3)
