"""The change queue: deduplication, order, retries, held changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse.ops import change_queue
from ledger_pipelines.warehouse.ops.change_queue import PendingChange, QueuedChange
from ledger_pipelines.warehouse.tables import pending_changes

MOMENT = datetime(2025, 3, 5, 7, 4, tzinfo=UTC)
CHANGE = QueuedChange("users", 1, 1, "2025-03", "as it was first", MOMENT)
AGAIN = replace(CHANGE, digest="as it is now")


def queued_rows(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return the rows of the queue, in order."""
    found = connection.execute(sa.select(pending_changes).order_by(pending_changes.c.number)).mappings()
    return [dict(row) for row in found]


def change_of(customer_id: int) -> QueuedChange:
    return replace(CHANGE, source_id=customer_id, customer_id=customer_id)


def customers_of(waiting: list[PendingChange]) -> list[int]:
    return [change.customer_id for change in waiting]


@pytest.mark.parametrize(
    ("second", "count"),
    [
        (CHANGE, 0),
        (AGAIN, 1),
        (replace(CHANGE, first_month="2025-02"), 1),
        (replace(CHANGE, first_month="2025-04"), 0),
        (replace(CHANGE, changed_at=MOMENT + timedelta(hours=1)), 0),
        (replace(CHANGE, customer_id=2), 1),
        (replace(CHANGE, source_table="data_pencatatan"), 1),
    ],
)
def test_enqueue_counts_new_and_different_changes(connection: sa.Connection, second: QueuedChange, count: int) -> None:
    assert change_queue.enqueue(connection, [CHANGE]) == 1
    assert change_queue.enqueue(connection, [second]) == count
    assert change_queue.enqueue(connection, [second]) == 0


def test_enqueue_nothing(connection: sa.Connection) -> None:
    assert change_queue.enqueue(connection, []) == 0


@pytest.mark.parametrize("months", [("2025-03", "2025-01"), ("2025-01", "2025-03")])
def test_enqueue_again_keeps_the_earliest_month(connection: sa.Connection, months: tuple[str, str]) -> None:
    change_queue.enqueue(connection, [replace(CHANGE, first_month=months[0])])
    change_queue.enqueue(connection, [replace(AGAIN, first_month=months[1])])
    (row,) = queued_rows(connection)
    assert row["first_month"] == "2025-01"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (MOMENT, MOMENT + timedelta(minutes=5), MOMENT),
        (MOMENT, None, MOMENT),
        (None, MOMENT, MOMENT),
        (MOMENT, MOMENT - timedelta(minutes=5), MOMENT - timedelta(minutes=5)),
    ],
)
def test_enqueue_again_keeps_the_earliest_time_of_change(
    connection: sa.Connection, first: datetime | None, second: datetime | None, expected: datetime
) -> None:
    change_queue.enqueue(connection, [replace(CHANGE, changed_at=first)])
    change_queue.enqueue(connection, [replace(AGAIN, changed_at=second)])
    (row,) = queued_rows(connection)
    assert row["changed_at"] == expected


def test_enqueue_again_moves_the_change_to_the_end(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [change_of(1), change_of(2)])
    change_queue.enqueue(connection, [AGAIN])
    assert [row["customer_id"] for row in queued_rows(connection)] == [2, 1]
    assert change_queue.newest_due(connection) == queued_rows(connection)[1]["number"]


def test_dequeue_returns_the_oldest_with_all_changes_of_their_customers(connection: sa.Connection) -> None:
    for number in (3, 1, 2):
        change_queue.enqueue(connection, [change_of(number)])
    change_queue.enqueue(connection, [replace(CHANGE, source_table="data_pencatatan", source_id=7, customer_id=3)])
    assert customers_of(change_queue.dequeue(connection, 2)) == [3, 1, 3]
    assert customers_of(change_queue.dequeue(connection, 1, of=[2, 99])) == [2]
    assert change_queue.dequeue(connection, 10, of=[]) == []


def test_dequeue_includes_failed_changes_of_the_same_customer(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [CHANGE])
    change_queue.mark_failed(connection, change_queue.dequeue(connection, 1), "no price")
    change_queue.enqueue(connection, [replace(CHANGE, source_id=8)])
    assert len(change_queue.dequeue(connection, 10)) == 2


def test_a_failed_change_waits_for_its_retry_unless_it_changes(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [change_of(1), change_of(2)])
    change_queue.mark_failed(connection, change_queue.dequeue(connection, 1), "no price")
    assert customers_of(change_queue.dequeue(connection, 1)) == [2]
    assert change_queue.newest_due(connection) == queued_rows(connection)[1]["number"]
    assert (queued_rows(connection)[0]["attempts"], queued_rows(connection)[0]["error"]) == (1, "no price")
    change_queue.enqueue(connection, [AGAIN])
    assert customers_of(change_queue.dequeue(connection, 10)) == [2, 1]


def test_retries_back_off_up_to_an_hour(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [CHANGE])
    delays = []
    for _ in range(12):
        (row,) = queued_rows(connection)
        change_queue.mark_failed(connection, [PendingChange(row["number"], 1, "2025-03", None, MOMENT)], "no price")
        (row,) = queued_rows(connection)
        now = connection.scalar(sa.select(sa.func.clock_timestamp()))
        delays.append(round((row["retry_at"] - now).total_seconds(), -1))
    assert delays == [30, 60, 120, 240, 480, 960, 1920, *[3600] * 5]


def test_a_held_change_waits_until_it_is_released(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [change_of(1), change_of(2)])
    change_queue.hold(connection, change_queue.dequeue(connection, 1))
    assert customers_of(change_queue.dequeue(connection, 10)) == [2]
    assert [change_queue.release(connection, [2]), change_queue.release(connection, [1, 2])] == [0, 1]
    assert customers_of(change_queue.dequeue(connection, 10)) == [1, 2]


def test_changes_that_wait_for_a_retry_become_due_for_some_customers(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [change_of(1), change_of(2)])
    change_queue.mark_failed(connection, change_queue.dequeue(connection, 2), "no price")
    assert change_queue.dequeue(connection, 10) == []
    change_queue.retry_now(connection, [2, 3])
    assert customers_of(change_queue.dequeue(connection, 10)) == [2]


def test_a_held_change_is_neither_failing_nor_waiting(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [CHANGE])
    (row,) = queued_rows(connection)
    assert (change_queue.has_failing(connection), change_queue.oldest_queued_at(connection)) == (
        False,
        row["noticed_at"],
    )
    waiting = change_queue.dequeue(connection, 1)
    change_queue.mark_failed(connection, waiting, "no price")
    assert (change_queue.has_failing(connection), change_queue.oldest_queued_at(connection)) == (True, None)
    change_queue.hold(connection, waiting)
    change_queue.retry_now(connection, [1])
    assert (change_queue.has_failing(connection), change_queue.oldest_queued_at(connection)) == (False, None)


def test_a_change_queued_again_is_not_removed(connection: sa.Connection) -> None:
    change_queue.enqueue(connection, [change_of(1), change_of(2)])
    dequeued = change_queue.dequeue(connection, 10)
    change_queue.enqueue(connection, [AGAIN])
    change_queue.mark_applied(connection, dequeued)
    assert [(row["customer_id"], row["digest"]) for row in queued_rows(connection)] == [(1, AGAIN.digest)]
