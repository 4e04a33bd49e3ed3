"""`ledger.balance_alerts` → a webhook: each alert at least once, with an id by which the receiver knows it again.

An alert is claimed by putting its next attempt off, in a transaction of its own; then it is posted; then the outcome is
noted. Whoever dies in between leaves an alert that is posted again when its time comes.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.delivery.webhook import DeliveryError, Webhook
from ledger_pipelines.warehouse.tables import balance_alerts, customers

_alert = balance_alerts.c
#: An alert that could not be delivered for so long is given up; it stays in the table.
_GIVE_UP = "3 days"
#: The first wait after an attempt; it doubles with each, up to the longest.
_FIRST_WAIT_SECONDS = 10
_LONGEST_WAIT_SECONDS = 3600
_DOUBLINGS = 10
_PAYLOAD = ("event_id", "customer_id", "kind", "raised_at", "balance", "threshold", "days_left", "days", "cleared_at")


@dataclass(frozen=True)
class Delivered:
    """What one round of deliveries came to.

    Attributes:
        delivered: Alerts that were accepted.
        failed: Alerts that were not, and will be posted again.
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
    """Post the alerts whose time has come, oldest first; several processes may do so at once.

    A round ends when none is left, when the time is up, or when the receiver takes none at all.

    Args:
        warehouse: The warehouse.
        webhook: Where to post them.
        seconds: No alert is begun after so many.
        clock: Seconds since 1970.
    """
    deadline = time.monotonic() + seconds
    delivered = failed = 0
    last_error: str | None = None
    while time.monotonic() < deadline and (claimed := _claim(warehouse)) is not None:
        try:
            webhook.post(str(claimed["event_id"]), int(clock()), body(claimed))
        except DeliveryError as error:
            _note(warehouse, claimed["id"], last_error=str(error))
            failed, last_error = failed + 1, str(error)
            if error.whole:
                break
        else:
            _note(warehouse, claimed["id"], last_error=None, delivered_at=sa.func.clock_timestamp())
            delivered += 1
    return Delivered(delivered, failed, last_error)


def body(alert: sa.RowMapping) -> bytes:
    """What is posted of an alert, as JSON; amounts are text, so that no digit is lost."""
    told = {name: _text(alert[name]) for name in _PAYLOAD} | {"customer_name": alert["name"]}
    return json.dumps({"type": "balance_alert.raised", "data": told}, ensure_ascii=False).encode()


def _text(value: Any) -> Any:
    if value is None or isinstance(value, int | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def waiting(connection: sa.Connection) -> int:
    """How many alerts are to be delivered, now or later."""
    return connection.scalar(sa.select(sa.func.count()).where(_undelivered())) or 0


def _undelivered() -> sa.ColumnElement[bool]:
    """An alert that is to be delivered still."""
    oldest = sa.func.now() - sa.literal_column(f"interval '{_GIVE_UP}'")
    return sa.and_(_alert.delivered_at.is_(None), _alert.raised_at > oldest)


def _claim(warehouse: sa.Engine) -> sa.RowMapping | None:
    """The next alert to post, its next attempt put off; None if there is none at the moment."""
    due = sa.or_(_alert.next_attempt_at.is_(None), _alert.next_attempt_at <= sa.func.now())
    next_one = (
        sa.select(_alert.id)
        .where(_undelivered(), due)
        .order_by(_alert.raised_at, _alert.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    doubled = sa.func.power(2, sa.func.least(_alert.attempts, _DOUBLINGS))
    wait = sa.func.least(_FIRST_WAIT_SECONDS * doubled, _LONGEST_WAIT_SECONDS) * sa.literal_column(
        "interval '1 second'"
    )
    claiming = (
        sa.update(balance_alerts)
        .values(attempts=_alert.attempts + 1, next_attempt_at=sa.func.now() + wait)
        .where(_alert.id == next_one.scalar_subquery())
        .returning(*balance_alerts.c)
        .cte("claimed")
    )
    named = sa.select(claiming, customers.c.name).outerjoin(
        customers, customers.c.customer_id == claiming.c.customer_id
    )
    with warehouse.begin() as connection:
        return connection.execute(named).mappings().one_or_none()


def _note(warehouse: sa.Engine, alert_id: int, **outcome: Any) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.update(balance_alerts).where(_alert.id == alert_id).values(**outcome))
