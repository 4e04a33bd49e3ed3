"""Helpers that run the real definitions in process and return the recorded events."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg

from ledger_pipelines.definitions import build_definitions
from ledger_pipelines.defs.automation.jobs import ledger_job
from ledger_pipelines.defs.partitions import month_range_tags
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline
from ledger_pipelines_tests.support.dagster_internals import ScheduleExecutionData, SensorExecutionData

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


class Location:
    """Definitions with their databases and a Dagster instance.

    Attributes:
        settings: Settings of the location.
        instance: Dagster instance of the runs.
        databases: Resource of the location, with a fixed clock.
        definitions: Definitions of the location.
    """

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = settings, instance
        self.databases = PipelineDatabases(settings, clock=lambda: NOW)
        self.definitions = build_definitions(settings, resources={"databases": self.databases})

    def execute(self, job: str, *, only: Sequence[str] | None = None, **options: Any) -> dg.ExecuteInProcessResult:
        """Run a job, with all of its assets or only some."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            asset_selection=None if only is None else [dg.AssetKey(name) for name in only],
            raise_on_error=False,
            **options,
        )

    def evaluate_sensor(self, sensor: str | dg.SensorDefinition) -> SensorExecutionData:
        """Evaluate one tick of a sensor."""
        context = dg.build_sensor_context(
            instance=self.instance,
            resources={"databases": self.databases},
            repository_def=self.definitions.get_repository_def(),
        )
        definition = self.definitions.resolve_sensor_def(sensor) if isinstance(sensor, str) else sensor
        return definition.evaluate_tick(context)

    def evaluate_schedule(self, schedule: str | dg.ScheduleDefinition, moment: datetime = NOW) -> ScheduleExecutionData:
        """Evaluate one tick of a schedule."""
        context = dg.build_schedule_context(
            instance=self.instance, scheduled_execution_time=moment, resources={"databases": self.databases}
        )
        definition = self.definitions.resolve_schedule_def(schedule) if isinstance(schedule, str) else schedule
        return definition.evaluate_tick(context)

    def log_messages(self, result: dg.ExecuteInProcessResult) -> str:
        """Return the log messages of a run."""
        return "\n".join(entry.user_message for entry in self.instance.all_logs(result.run_id))


class CodeLocation(Location):
    """Code location over the databases of a pipeline.

    Attributes:
        pipeline: The source and the warehouse.
    """

    def __init__(self, pipeline: Pipeline, instance: dg.DagsterInstance, **settings: Any) -> None:
        self.pipeline = pipeline
        urls = {"warehouse_url": pipeline.warehouse.url, "billing_url": pipeline.source.url}
        addresses: dict[str, Any] = {name: url.render_as_string(hide_password=False) for name, url in urls.items()}
        super().__init__(Settings(**addresses, first_month=FIRST, **settings), instance)

    def run(
        self,
        first: str = FIRST,
        last: str = CURRENT,
        *,
        only: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        run_config: Mapping[str, Any] | None = None,
        **scope: Any,
    ) -> dg.ExecuteInProcessResult:
        """Run the ledger job over a range of months, with all of its assets or only some."""
        return self.execute(
            ledger_job.name,
            only=only,
            tags=dict(tags or month_range_tags(first, last)),
            run_config=run_config or {"resources": {"scope": {"config": scope}}},
        )


@contextmanager
def new_code_location(pipeline: Pipeline) -> Iterator[CodeLocation]:
    """Yield a code location over a pipeline, with an ephemeral instance."""
    with dg.DagsterInstance.ephemeral() as instance:
        location = CodeLocation(pipeline, instance)
        try:
            yield location
        finally:
            location.databases.dispose()


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


def check_evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Return the checks of a run, by `asset/check`."""
    return {
        f"{found.asset_key.to_user_string()}/{found.check_name}": found
        for found in result.get_asset_check_evaluations()
    }
