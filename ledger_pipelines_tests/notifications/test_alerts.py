"""Deliveries: each alert is posted at least once, retried with a growing wait, and given up after three days."""

import json
import threading
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.notifications.alerts import deliver
from ledger_pipelines.notifications.webhook import Webhook
from ledger_pipelines.warehouse.tables import balance_alerts, customers
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.waiting import wait_until
from ledger_pipelines_tests.support.webhook_receiver import SECRET, Receiver

NO_DIGIT_IS_LOST = Decimal("-12345678901234567890.12")


@pytest.fixture
def warehouse(empty_warehouse: sa.Engine) -> sa.Engine:
    """Return the module's warehouse with one customer and no alerts."""
    with empty_warehouse.begin() as connection:
        connection.execute(sa.delete(balance_alerts))
        connection.execute(sa.delete(customers))
        connection.execute(
            sa.insert(customers).values(customer_id=1, name="Bu Siti", role="fob", use_realtime_calculation=True)
        )
    return empty_warehouse


def raise_alerts(warehouse: sa.Engine, *customer_ids: int, **columns: Any) -> None:
    """Record a low balance of each customer."""
    defaults = {"kind": "threshold", "balance": NO_DIGIT_IS_LOST, "threshold": 0, "days": 7, "run_id": "test"}
    with warehouse.begin() as connection:
        for customer_id in customer_ids:
            connection.execute(sa.insert(balance_alerts).values(defaults | columns | {"customer_id": customer_id}))


def rows(warehouse: sa.Engine) -> list[sa.RowMapping]:
    """Return the alerts, ordered by id."""
    with warehouse.connect() as connection:
        return list(connection.execute(sa.select(balance_alerts).order_by(balance_alerts.c.id)).mappings())


def come_due(warehouse: sa.Engine) -> list[timedelta]:
    """Make every waiting alert due now, and return the remaining waits."""
    waits = sa.select(balance_alerts.c.next_attempt_at - sa.func.now()).where(balance_alerts.c.delivered_at.is_(None))
    with warehouse.begin() as connection:
        found = list(connection.scalars(waits))
        connection.execute(sa.update(balance_alerts).values(next_attempt_at=sa.func.now()))
    return found


def test_an_accepted_alert_is_not_posted_again(warehouse: sa.Engine, receiver: Receiver) -> None:
    raise_alerts(warehouse, 1)
    webhook = Webhook(receiver.url, SECRET)
    assert deliver(warehouse, webhook, clock=lambda: 1_760_000_000.9).delivered == 1
    assert deliver(warehouse, webhook).delivered == 0
    (message,), (row,) = receiver.received, rows(warehouse)
    assert (message.headers["webhook-id"], message.headers["webhook-timestamp"]) == (str(row["event_id"]), "1760000000")
    posted = json.loads(message.body)
    assert posted["type"] == "balance_alert.raised"
    assert posted["data"] == {
        "event_id": str(row["event_id"]),
        "customer_id": 1,
        "customer_name": "Bu Siti",
        "kind": "threshold",
        "raised_at": row["raised_at"].isoformat(),
        "balance": str(NO_DIGIT_IS_LOST),
        "threshold": "0.00",
        "days_left": None,
        "days": 7,
        "cleared_at": None,
    }
    assert datetime.fromisoformat(posted["data"]["raised_at"]).utcoffset() == timedelta(hours=7)
    assert (row["attempts"], row["last_error"]) == (1, None)
    assert row["delivered_at"] >= row["raised_at"]


def test_failed_alert_is_retried_with_backoff_and_same_id(warehouse: sa.Engine, receiver: Receiver) -> None:
    raise_alerts(warehouse, 1)
    webhook = Webhook(receiver.url, SECRET)
    receiver.answers += [500] * 3 + [400] * 10
    waits = []
    for attempt in range(13):
        done = deliver(warehouse, webhook)
        assert (done.delivered, done.failed) == (0, 1)
        assert (
            done.last_error
            == rows(warehouse)[0]["last_error"]
            == f"status {500 if attempt < 3 else 400}: what the receiver says"
        )
        assert deliver(warehouse, webhook).failed == 0, "it is not due yet"
        waits += [round(wait.total_seconds() / 10) for wait in come_due(warehouse)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360, 360]
    assert deliver(warehouse, webhook).delivered == 1
    assert (rows(warehouse)[0]["attempts"], rows(warehouse)[0]["last_error"]) == (14, None)
    assert len({message.headers["webhook-id"] for message in receiver.received}) == 1


def test_a_refused_alert_does_not_delay_the_others(warehouse: sa.Engine, receiver: Receiver) -> None:
    raise_alerts(warehouse, 1, 2, 3)
    receiver.answers = [200, 422, 200]
    done = deliver(warehouse, Webhook(receiver.url, SECRET))
    assert (done.delivered, done.failed) == (2, 1)
    assert [row["delivered_at"] is not None for row in rows(warehouse)] == [True, False, True]


@pytest.mark.parametrize("answer", [503, "silence", "hang up", "http://127.0.0.1:1/elsewhere"])
def test_an_unavailable_receiver_ends_the_round(warehouse: sa.Engine, receiver: Receiver, answer: int | str) -> None:
    raise_alerts(warehouse, 1, 2, 3)
    receiver.answers = [answer]
    done = deliver(warehouse, Webhook(receiver.url, SECRET, timeout_seconds=1))
    assert (done.delivered, done.failed) == (0, 1)
    assert [row["attempts"] for row in rows(warehouse)] == [1, 0, 0]
    come_due(warehouse)
    assert deliver(warehouse, Webhook(receiver.url, SECRET)).delivered == 3


def test_an_alert_is_posted_again_after_the_process_died(
    warehouse: sa.Engine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_alerts(warehouse, 1)
    webhook = Webhook(receiver.url, SECRET)
    with monkeypatch.context() as patched:
        patched.setattr(Webhook, "post", _post_and_die)
        with pytest.raises(KeyboardInterrupt):
            deliver(warehouse, webhook)
    assert rows(warehouse)[0]["delivered_at"] is None
    come_due(warehouse)
    assert deliver(warehouse, webhook).delivered == 1
    ids = Counter(message.headers["webhook-id"] for message in receiver.received)
    assert list(ids.values()) == [2], "posted twice with the same id"


_post = Webhook.post


def _post_and_die(webhook: Webhook, *arguments: Any) -> None:
    _post(webhook, *arguments)
    raise KeyboardInterrupt


def test_concurrent_rounds_post_each_alert_once(warehouse: sa.Engine, receiver: Receiver) -> None:
    raise_alerts(warehouse, *range(1, 31))
    webhook = Webhook(receiver.url, SECRET)
    threads = [threading.Thread(target=deliver, args=(warehouse, webhook)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(json.loads(message.body)["data"]["customer_id"] for message in receiver.received) == [*range(1, 31)]


def test_no_transaction_is_open_while_the_receiver_is_slow(warehouse: sa.Engine, receiver: Receiver) -> None:
    raise_alerts(warehouse, 1)
    receiver.answers = ["silence"]
    posting = threading.Thread(target=deliver, args=(warehouse, Webhook(receiver.url, SECRET, timeout_seconds=5)))
    posting.start()
    wait_until(lambda: receiver.received)
    idle = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'")
    with warehouse.connect() as connection:
        assert connection.scalar(idle) == 0
    receiver.closing.set()
    posting.join()


def test_an_alert_is_given_up_after_three_days(warehouse: sa.Engine, receiver: Receiver) -> None:
    """A webhook that is set later does not receive old alerts."""
    now = datetime.now(WIB)
    raise_alerts(warehouse, 1, raised_at=now - timedelta(days=3, minutes=1))
    raise_alerts(warehouse, 2, raised_at=now - timedelta(days=2, hours=23))
    assert deliver(warehouse, Webhook(receiver.url, SECRET)).delivered == 1
    assert [row["attempts"] for row in rows(warehouse)] == [0, 1]


def test_a_round_ends_when_its_time_is_up(warehouse: sa.Engine, receiver: Receiver) -> None:
    raise_alerts(warehouse, 1)
    assert deliver(warehouse, Webhook(receiver.url, SECRET), seconds=0).delivered == 0
    assert receiver.received == []
