"""Sensors: what is looked at every few seconds."""

from collections.abc import Sequence

import dagster as dg

from ledger_pipelines.automation.failures import failures_recorded
from ledger_pipelines.resources import Databases, close_finished


def sync_sensors() -> Sequence[dg.SensorDefinition]:
    """The sensor that closes the logs of syncs whose process was killed."""

    @dg.sensor(
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Close the log of a sync whose run is over though nobody closed it: it was killed, or never began.",
    )
    def finished_syncs(context: dg.SensorEvaluationContext, databases: dg.ResourceParam[Databases]) -> dg.SkipReason:
        with failures_recorded(databases, "sensor finished_syncs"):
            closed = close_finished(context.instance, databases)
        if closed is None:
            return dg.SkipReason("No sync was left behind.")
        context.log.warning(f"Sync {closed.id} is closed as {closed.status}: {closed.error_message}")
        return dg.SkipReason(f"Sync {closed.id} was left behind; its log is closed as {closed.status}.")

    return [finished_syncs]
