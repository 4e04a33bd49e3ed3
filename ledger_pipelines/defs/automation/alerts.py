"""The sensor that posts incidents and low balances to the webhook."""

import dagster as dg

from ledger_pipelines.defs.automation.failures import record_failures
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.notifications.alerts import deliver
from ledger_pipelines.notifications.webhook import webhook_from_settings
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.engine import translate_connection_errors


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Return the sensor that posts incidents and low balances; no run depends on it."""

    @dg.sensor(
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Post the open incidents of ops.incidents and the low balances of ledger.balance_alerts to "
            "LEDGER_ALERT_WEBHOOK_URL, each at least once."
        ),
    )
    def alert_deliveries(
        context: dg.SensorEvaluationContext, databases: dg.ResourceParam[PipelineDatabases]
    ) -> dg.SkipReason:
        webhook = webhook_from_settings(settings)
        if webhook is None:
            return dg.SkipReason(
                "LEDGER_ALERT_WEBHOOK_URL is not set: incidents and low balances are recorded but not posted."
            )
        with record_failures(databases, "sensor alert_deliveries"), translate_connection_errors(databases.warehouse):
            summary = deliver(databases.warehouse, webhook)
        if summary.last_error is not None:
            context.log.warning(
                f"Messages that the webhook did not accept: {summary.failed:,}. Last error: {summary.last_error}"
            )
            return dg.SkipReason(
                f"{summary.delivered:,} delivered, {summary.failed:,} to be retried. Last error: {summary.last_error}"
            )
        return dg.SkipReason(f"{summary.delivered:,} delivered." if summary.delivered else "No messages to deliver.")

    return [alert_deliveries]
