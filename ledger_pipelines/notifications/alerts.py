"""Notifications of incidents and low balances to a webhook: their content, timing and order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields

import sqlalchemy as sa

from ledger_pipelines.notifications.queue import Message, NotificationQueue
from ledger_pipelines.notifications.webhook import DeliveryError, Webhook
from ledger_pipelines.warehouse.ops.incidents import IS_OPEN, OpenIncident, is_past_grace
from ledger_pipelines.warehouse.tables import balance_alerts, customers, incidents

_alert, _incident = balance_alerts.c, incidents.c
#: Age at which an undelivered alert is no longer posted; it stays in the table.
_OLDEST_ALERT = sa.func.now() - sa.literal_column("interval '3 days'")
_CUSTOMER_NAME = sa.select(customers.c.name).where(customers.c.customer_id == _alert.customer_id).scalar_subquery()

#: An incident that closes before it is announced is not posted; an open one is retried until accepted.
INCIDENTS = NotificationQueue(
    table=incidents,
    type="incident.opened",
    is_wanted=sa.and_(IS_OPEN, is_past_grace()),
    since=_incident.opened_at,
    data=(_incident.event_id, *(_incident[field.name] for field in fields(OpenIncident))),
)
ALERTS = NotificationQueue(
    table=balance_alerts,
    type="balance_alert.raised",
    is_wanted=_alert.raised_at > _OLDEST_ALERT,
    since=_alert.raised_at,
    data=(
        _alert.event_id,
        _alert.customer_id,
        _alert.kind,
        _alert.raised_at,
        _alert.balance,
        _alert.threshold,
        _alert.days_left,
        _alert.days,
        _alert.cleared_at,
        _CUSTOMER_NAME.label("customer_name"),
    ),
)


@dataclass(frozen=True)
class DeliverySummary:
    """Summary of one round of deliveries.

    Attributes:
        delivered: Number of accepted messages.
        failed: Number of messages that were not accepted and will be retried.
        last_error: Error of the last failed message.
    """

    delivered: int = 0
    failed: int = 0
    last_error: str | None = None


def deliver(
    warehouse: sa.Engine,
    webhook: Webhook,
    *,
    seconds: int = 20,
    clock: Callable[[], float] = time.time,
) -> DeliverySummary:
    """Post the messages that are due: incidents before low balances, each oldest first.

    A round ends when no message is due, when the time is up, or when the receiver accepts no message at all. Several
    processes may deliver at the same time.

    Args:
        warehouse: The warehouse.
        webhook: The receiver.
        seconds: Time after which no further message is started.
        clock: Returns the seconds since 1970.
    """
    deadline = time.monotonic() + seconds
    delivered = failed = 0
    last_error: str | None = None
    while time.monotonic() < deadline and (claimed := _next(warehouse)) is not None:
        queue, message = claimed
        try:
            webhook.post(message.event_id, int(clock()), message.body)
        except DeliveryError as error:
            queue.mark_failed(warehouse, message, str(error))
            failed, last_error = failed + 1, str(error)
            if error.affects_all:
                break
        else:
            queue.mark_delivered(warehouse, message)
            delivered += 1
    return DeliverySummary(delivered, failed, last_error)


def _next(warehouse: sa.Engine) -> tuple[NotificationQueue, Message] | None:
    """Claim the next message of all queues."""
    for queue in (INCIDENTS, ALERTS):
        if (message := queue.claim(warehouse)) is not None:
            return queue, message
    return None
