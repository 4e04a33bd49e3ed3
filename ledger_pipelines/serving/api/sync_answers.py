"""What /api/sync answers."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ledger_pipelines.serving.api.answers import Answer, Exact, Pagination, Refusal
from ledger_pipelines.warehouse.sync_logs import Status, SyncType


class Sync(Answer):
    """A sync of the ERP."""

    id: int
    sync_type: SyncType
    status: Status
    started_at: datetime
    completed_at: datetime | None
    total_records: int
    success_records: int
    failed_records: int
    error_message: str | None
    duration: Exact | None = Field(description="Seconds from its start to its end")
    success_rate: Exact | None = Field(description="Per cent of the rows read that are not rejected")


class SyncStatus(Answer):
    """A sync."""

    success: Literal[True] = True
    data: Sync


class NoSyncYet(Answer):
    """There has been no sync."""

    success: Literal[True] = True
    data: None = None
    message: str


class SyncLogs(Answer):
    """Some of the syncs, the newest first."""

    success: Literal[True] = True
    data: list[Sync]
    pagination: Pagination


class SyncNumbers(Answer):
    """The syncs of some days in numbers; the averages are over completed ones."""

    total_syncs: int
    successful_syncs: int
    failed_syncs: int
    running_syncs: int
    avg_records: Exact | None
    avg_duration: Exact | None


class SyncStatisticsData(Answer):
    """The syncs in numbers, and the newest five."""

    statistics: SyncNumbers
    recent_logs: list[Sync]


class SyncStatistics(Answer):
    """The syncs in numbers."""

    success: Literal[True] = True
    data: SyncStatisticsData


class SyncStarted(Answer):
    """A sync is running."""

    success: Literal[True] = True
    message: str
    sync_log_id: int
    status: Literal["running"] = "running"


class SyncCancelled(Answer):
    """A sync has been ended."""

    success: Literal[True] = True
    message: str
    sync_log_id: int


class SyncRunning(Refusal):
    """Another sync runs."""

    running_sync_id: int
