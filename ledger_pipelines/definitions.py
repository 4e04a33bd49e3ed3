"""Definitions of the Dagster code location."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from ledger_pipelines.defs.assets.billing import billing_assets, source_specs
from ledger_pipelines.defs.assets.checks import asset_checks
from ledger_pipelines.defs.assets.erp import erp_assets, erp_source_specs
from ledger_pipelines.defs.assets.ledger import ledger_assets
from ledger_pipelines.defs.assets.reconciliation import reconciliation_assets
from ledger_pipelines.defs.automation.alerts import alert_sensors
from ledger_pipelines.defs.automation.incidents import incident_sensors
from ledger_pipelines.defs.automation.jobs import erp_job, ledger_job, reconciliation_job
from ledger_pipelines.defs.automation.realtime import realtime_job, realtime_sensors
from ledger_pipelines.defs.automation.reconciliation import reconciliation_sensors
from ledger_pipelines.defs.automation.schedules import ledger_schedules, reconciliation_schedules, sync_schedules
from ledger_pipelines.defs.automation.sensors import sync_sensors
from ledger_pipelines.defs.partitions import monthly_partitions
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope, sync_resource
from ledger_pipelines.settings import Settings, load_settings


def build_definitions(settings: Settings | None = None, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Assemble the definitions.

    Args:
        settings: The settings; read from the environment if not given.
        resources: Resources that replace the default resources of the same name.
    """
    settings = settings or load_settings()
    partitions = monthly_partitions(settings)
    # The ledger depends on runs over ranges of months, so Dagster's beta warnings about them are not useful.
    warnings.filterwarnings("ignore", r"Parameter `(backfill_policy|include_sources)`", dg.BetaWarning)
    return dg.Definitions(
        assets=[
            *source_specs(),
            *billing_assets(partitions),
            *ledger_assets(partitions),
            *erp_source_specs(),
            *erp_assets(partitions),
            *reconciliation_assets(partitions),
        ],
        asset_checks=asset_checks(),
        jobs=[ledger_job, erp_job, realtime_job, reconciliation_job],
        schedules=[
            *ledger_schedules(settings),
            *reconciliation_schedules(settings),
            *sync_schedules(settings),
        ],
        sensors=[
            *sync_sensors(),
            *alert_sensors(settings),
            *incident_sensors(),
            *realtime_sensors(),
            *reconciliation_sensors(settings),
        ],
        resources={
            "databases": PipelineDatabases(settings),
            "scope": RunScope(),
            "sync": sync_resource(),
            **(resources or {}),
        },
        executor=dg.in_process_executor,
    )


defs = build_definitions()
