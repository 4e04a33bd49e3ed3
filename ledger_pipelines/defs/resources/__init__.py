"""Dagster resources: thin adapters over settings, sources and warehouse.

Only the objects that assets receive belong here, not the work that assets do with them.
"""

from ledger_pipelines.defs.resources.databases import Databases, RunScope
from ledger_pipelines.defs.resources.sync import SyncConfig, SyncRun, TableSync, sync_resource
from ledger_pipelines.defs.resources.sync_reaper import SYNC_TAG, close_finished, run_of

__all__ = [
    "SYNC_TAG",
    "Databases",
    "RunScope",
    "SyncConfig",
    "SyncRun",
    "TableSync",
    "close_finished",
    "run_of",
    "sync_resource",
]
