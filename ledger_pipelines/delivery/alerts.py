"""Incidents and low balances → a webhook: what is posted, when, and in which order."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.delivery.queue import Message, Queue
from ledger_pipelines.delivery.webhook import DeliveryError, Webhook
from ledger_pipelines.warehouse.incidents import OPEN, due
from ledger_pipelines.warehouse.tables import balance_alerts, customers, incidents

_alert, _incident = balance_alerts.c, incidents.c
#: An alert that was not delivered for this long is given up; it stays in the table.
_OLDEST_ALERT = sa.func.now() - sa.literal_column("interval '3 days'")
_CUSTOMER_NAME = sa.select(customers.c.name).where(customers.c.customer_id == _alert.customer_id).scalar_subquery()

#: An incident that is closed before it is announced is not posted; one that stays open is not given up.
INCIDENTS = Queue(
    table=incidents,
    type="incident.opened",
    is_wanted=sa.and_(OPEN, due()),
    since=_incident.opened_at,
    data=(
        _incident.event_id,
        _incident.id,
        _incident.kind,
        _incident.subject,
        _incident.customers,
        _incident.opened_at,
        _incident.last_seen_at,
        _incident.occurrences,
        _incident.owner,
        _incident.reason,
        _incident.what_to_do,
    ),
)
ALERTS = Queue(
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
class Delivered:
    """Summary of one round of deliveries.

    Attributes:
        delivered: Messages that were accepted.
        failed: Messages that were not, and will be posted again.
        last_error: Why, of the last that failed.
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
) -> Delivered:
    """Post what is due: incidents first, then low balances, each the oldest first; several processes may do so at once.

    A round ends when nothing is left, when the time is up, or when the receiver takes nothing at all.

    Args:
        warehouse: The warehouse.
        webhook: Where to post it.
        seconds: No message is begun after this time.
        clock: Seconds since 1970.
    """
    deadline = time.monotonic() + seconds
    delivered = failed = 0
    last_error: str | None = None
    while time.monotonic() < deadline and (claimed := _next(warehouse)) is not None:
        queue, message = claimed
        try:
            webhook.post(message.event_id, int(clock()), message.body)
        except DeliveryError as error:
            queue.note_failed(warehouse, message, str(error))
            failed, last_error = failed + 1, str(error)
            if error.whole:
                break
        else:
            queue.note_delivered(warehouse, message)
            delivered += 1
    return Delivered(delivered, failed, last_error)


def _next(warehouse: sa.Engine) -> tuple[Queue, Message] | None:
    """Claim the next message of all queues."""
    for queue in (INCIDENTS, ALERTS):
        if (message := queue.claim(warehouse)) is not None:
            return queue, message
    return None
