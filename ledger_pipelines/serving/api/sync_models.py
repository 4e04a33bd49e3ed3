"""Response models of /api/sync."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ledger_pipelines.serving.web.models import ErrorResponse, ExactDecimal, Pagination, ResponseModel
from ledger_pipelines.warehouse.ops.sync_logs import Status, SyncType


class SyncModel(ResponseModel):
    """Log of a sync of the ERP."""

    id: int
    sync_type: SyncType
    status: Status
    started_at: datetime
    completed_at: datetime | None
    total_records: int
    success_records: int
    failed_records: int
    error_message: str | None
    duration: ExactDecimal | None = Field(description="Duration in seconds; null while the sync is running")
    success_rate: ExactDecimal | None = Field(description="Percentage of the rows read that were not rejected")


class SyncStatus(ResponseModel):
    """One sync."""

    success: Literal[True] = True
    data: SyncModel


class NoSyncYet(ResponseModel):
    """Response while there has been no sync yet."""

    success: Literal[True] = True
    data: None = None
    message: str


class SyncLogs(ResponseModel):
    """Page of syncs, newest first."""

    success: Literal[True] = True
    data: list[SyncModel]
    pagination: Pagination


class SyncNumbers(ResponseModel):
    """Statistics of the syncs; the averages cover completed syncs only."""

    total_syncs: int
    successful_syncs: int
    failed_syncs: int
    running_syncs: int
    avg_records: ExactDecimal | None
    avg_duration: ExactDecimal | None


class SyncStatisticsData(ResponseModel):
    """Statistics of the syncs, and the five newest syncs."""

    statistics: SyncNumbers
    recent_logs: list[SyncModel]


class SyncStatistics(ResponseModel):
    """Statistics of the syncs."""

    success: Literal[True] = True
    data: SyncStatisticsData


class SyncStarted(ResponseModel):
    """Started sync."""

    success: Literal[True] = True
    message: str
    sync_log_id: int
    status: Literal["running"] = "running"


class SyncCancelled(ResponseModel):
    """Cancelled sync."""

    success: Literal[True] = True
    message: str
    sync_log_id: int


class SyncRunning(ErrorResponse):
    """Error: another sync is running."""

    running_sync_id: int
