"""Sensor that closes the logs of syncs whose process was killed."""

from collections.abc import Sequence

import dagster as dg

from ledger_pipelines.defs.automation.failures import record_failures
from ledger_pipelines.defs.resources import PipelineDatabases, close_dead_sync


def sync_sensors() -> Sequence[dg.SensorDefinition]:
    """Return the sensor that closes the logs of syncs whose process was killed."""

    @dg.sensor(
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Close the log of a sync whose run has ended without closing it: it was killed, or never began.",
    )
    def finished_syncs(
        context: dg.SensorEvaluationContext, databases: dg.ResourceParam[PipelineDatabases]
    ) -> dg.SkipReason:
        with record_failures(databases, "sensor finished_syncs"):
            closed = close_dead_sync(context.instance, databases)
        if closed is None:
            return dg.SkipReason("No unfinished sync log was found.")
        context.log.warning(f"Closed sync {closed.id} as {closed.status}: {closed.error_message}")
        return dg.SkipReason(f"Closed the unfinished log of sync {closed.id} as {closed.status}.")

    return [finished_syncs]
