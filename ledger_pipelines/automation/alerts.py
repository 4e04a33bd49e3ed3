"""The sensor that posts incidents and low balances to the webhook."""

import dagster as dg

from ledger_pipelines.automation.failures import failures_recorded
from ledger_pipelines.delivery.alerts import deliver
from ledger_pipelines.delivery.webhook import webhook_of
from ledger_pipelines.resources import Databases
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.engine import reachable


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Return the sensor that posts incidents and low balances; no run waits for it or fails by it."""

    @dg.sensor(
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Post the open incidents of ops.incidents and the low balances of ledger.balance_alerts to "
            "LEDGER_ALERT_WEBHOOK_URL, each at least once."
        ),
    )
    def alert_deliveries(context: dg.SensorEvaluationContext, databases: dg.ResourceParam[Databases]) -> dg.SkipReason:
        webhook = webhook_of(settings)
        if webhook is None:
            return dg.SkipReason(
                "LEDGER_ALERT_WEBHOOK_URL is not set: incidents and low balances are recorded, and posted nowhere."
            )
        with failures_recorded(databases, "sensor alert_deliveries"), reachable(databases.warehouse):
            done = deliver(databases.warehouse, webhook)
        if done.last_error is not None:
            context.log.warning(f"{done.failed:,} messages were not accepted by the webhook: {done.last_error}")
            return dg.SkipReason(f"{done.delivered:,} delivered; {done.failed:,} later again: {done.last_error}")
        return dg.SkipReason(f"{done.delivered:,} delivered." if done.delivered else "No message waits.")

    return [alert_deliveries]
