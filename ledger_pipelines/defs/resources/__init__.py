"""Dagster resources: thin adapters over settings, sources and warehouse.

Only the objects that assets receive belong here, not the work that assets do with them.
"""

from ledger_pipelines.defs.resources.databases import PipelineDatabases, RunScope
from ledger_pipelines.defs.resources.dead_syncs import SYNC_TAG, close_dead_sync, run_of_sync
from ledger_pipelines.defs.resources.sync import sync_resource
from ledger_pipelines.defs.resources.sync_run import SyncConfig, SyncRun, TableSync

__all__ = [
    "SYNC_TAG",
    "PipelineDatabases",
    "RunScope",
    "SyncConfig",
    "SyncRun",
    "TableSync",
    "close_dead_sync",
    "run_of_sync",
    "sync_resource",
]
