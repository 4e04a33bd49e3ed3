"""The only module of the tests that imports parts of Dagster that are not public.

Check them with each new version of Dagster, like those of `ledger_pipelines.dagster_internals`.
"""

from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.execution.api import execute_run
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._utils.schedules import schedule_execution_time_iterator
from dagster_webserver.app import create_app_from_workspace_process_context

__all__ = [
    "AssetGraph",
    "CachingStaleStatusResolver",
    "EmptyWorkspaceTarget",
    "InMemoryJob",
    "LoadingContextForTest",
    "ScheduleExecutionData",
    "SensorExecutionData",
    "StaleStatus",
    "WorkspaceProcessContext",
    "create_app_from_workspace_process_context",
    "create_run_for_test",
    "execute_run",
    "schedule_execution_time_iterator",
]
