"""Helpers that run the real definitions in process and return the recorded events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from ledger_pipelines.definitions import build_definitions
from ledger_pipelines.defs.automation.jobs import ledger_job
from ledger_pipelines.defs.partitions import month_range_tags
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline

NOW = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)
FIRST, CURRENT = "2025-01", "2025-06"
STEPS = (
    "customers",
    "prices",
    "deposits",
    "meter_readings",
    "transaction_calculations",
    "monthly_customer_balances",
)


class CodeLocation:
    """Code location over the databases of a pipeline.

    Attributes:
        pipeline: The source and the warehouse.
        instance: Dagster instance of the runs.
        settings: Settings of the location.
        databases: Resource of the location, with a fixed clock.
        definitions: Definitions of the location.
    """

    def __init__(self, pipeline: Pipeline, instance: dg.DagsterInstance, **settings: Any) -> None:
        self.pipeline, self.instance = pipeline, instance
        self.settings = Settings(
            warehouse_url=pipeline.warehouse.url.render_as_string(hide_password=False),
            billing_url=pipeline.source.url.render_as_string(hide_password=False),
            first_month=FIRST,
            **settings,
        )
        self.databases = PipelineDatabases(self.settings, clock=lambda: NOW)
        self.definitions = build_definitions(self.settings, resources={"databases": self.databases})

    def run(
        self,
        first: str = FIRST,
        last: str = CURRENT,
        *,
        only: Sequence[str] | None = None,
        tags: dict[str, str] | None = None,
        run_config: dict[str, Any] | None = None,
        **scope: Any,
    ) -> dg.ExecuteInProcessResult:
        """Run the ledger job over a range of months, with all of its assets or only some."""
        job = self.definitions.resolve_job_def(ledger_job.name)
        return job.execute_in_process(
            instance=self.instance,
            tags=tags or month_range_tags(first, last),
            run_config=run_config or {"resources": {"scope": {"config": scope}}},
            asset_selection=None if only is None else [dg.AssetKey(name) for name in only],
            raise_on_error=False,
        )


def materialized_metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, Any]]:
    """Return the metadata of the months of an asset that a run materialised, by month."""
    return {
        event.partition or "": {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == dg.AssetKey(asset)
    }


def failure_messages(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the failure descriptions of the failed steps, by step."""
    return {
        str(event.step_key): str(event.step_failure_data.user_failure_data.description)
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data is not None
    }


def log_messages(location: CodeLocation, result: dg.ExecuteInProcessResult) -> str:
    """Return the log messages of a run."""
    return "\n".join(entry.user_message for entry in location.instance.all_logs(result.run_id))


def check_evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Return the checks of a run, by `asset/check`."""
    return {
        f"{found.asset_key.to_user_string()}/{found.check_name}": found
        for found in result.get_asset_check_evaluations()
    }
