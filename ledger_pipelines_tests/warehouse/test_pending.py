"""What waits to be taken up: noted once, in order, put off and put aside, and never lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse import pending
from ledger_pipelines.warehouse.pending import Noticed, Waiting
from ledger_pipelines.warehouse.tables import pending_changes

MOMENT = datetime(2025, 3, 5, 7, 4, tzinfo=UTC)
CHANGE = Noticed("users", 1, 1, "2025-03", "as it was first", MOMENT)
AGAIN = replace(CHANGE, digest="as it is now")


def rows(connection: sa.Connection) -> list[dict[str, Any]]:
    """The changes that wait, in order."""
    found = connection.execute(sa.select(pending_changes).order_by(pending_changes.c.number)).mappings()
    return [dict(row) for row in found]


def of(number: int) -> Noticed:
    """A change of a customer."""
    return replace(CHANGE, source_id=number, customer_id=number)


def customers(waiting: list[Waiting]) -> list[int]:
    """Whom changes touch, in their order."""
    return [change.customer_id for change in waiting]


@pytest.mark.parametrize(
    ("second", "news"),
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
def test_what_waits_as_it_is_is_no_news(connection: sa.Connection, second: Noticed, news: int) -> None:
    assert pending.note(connection, [CHANGE]) == 1
    assert pending.note(connection, [second]) == news
    assert pending.note(connection, [second]) == 0


def test_nothing_is_no_news(connection: sa.Connection) -> None:
    assert pending.note(connection, []) == 0


@pytest.mark.parametrize("months", [("2025-03", "2025-01"), ("2025-01", "2025-03")])
def test_of_two_changes_of_a_row_the_earliest_month_stays(connection: sa.Connection, months: tuple[str, str]) -> None:
    pending.note(connection, [replace(CHANGE, first_month=months[0])])
    pending.note(connection, [replace(AGAIN, first_month=months[1])])
    (row,) = rows(connection)
    assert row["first_month"] == "2025-01"


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        (MOMENT, MOMENT + timedelta(minutes=5), MOMENT),
        (MOMENT, None, MOMENT),
        (None, MOMENT, MOMENT),
        (MOMENT, MOMENT - timedelta(minutes=5), MOMENT - timedelta(minutes=5)),
    ],
)
def test_a_change_waits_since_the_first_of_its_row(
    connection: sa.Connection, first: datetime | None, second: datetime | None, stays: datetime
) -> None:
    pending.note(connection, [replace(CHANGE, changed_at=first)])
    pending.note(connection, [replace(AGAIN, changed_at=second)])
    (row,) = rows(connection)
    assert row["changed_at"] == stays


def test_what_changes_again_queues_anew(connection: sa.Connection) -> None:
    pending.note(connection, [of(1), of(2)])
    pending.note(connection, [AGAIN])
    assert [row["customer_id"] for row in rows(connection)] == [2, 1]
    assert pending.newest(connection) == rows(connection)[1]["number"]


def test_the_oldest_are_taken_and_what_else_waits_for_their_customers(connection: sa.Connection) -> None:
    for number in (3, 1, 2):
        pending.note(connection, [of(number)])
    pending.note(connection, [replace(CHANGE, source_table="data_pencatatan", source_id=7, customer_id=3)])
    assert customers(pending.take(connection, 2)) == [3, 1, 3]
    assert customers(pending.take(connection, 1, of=[2, 99])) == [2]
    assert pending.take(connection, 10, of=[]) == []


def test_what_was_put_off_goes_with_what_else_its_customer_has(connection: sa.Connection) -> None:
    pending.note(connection, [CHANGE])
    pending.failed(connection, pending.take(connection, 1), "no price")
    pending.note(connection, [replace(CHANGE, source_id=8)])
    assert len(pending.take(connection, 10)) == 2


def test_what_was_put_off_is_not_tried_at_once_unless_it_changes(connection: sa.Connection) -> None:
    pending.note(connection, [of(1), of(2)])
    pending.failed(connection, pending.take(connection, 1), "no price")
    assert customers(pending.take(connection, 1)) == [2]
    assert pending.newest(connection) == rows(connection)[1]["number"]
    assert (rows(connection)[0]["attempts"], rows(connection)[0]["error"]) == (1, "no price")
    pending.note(connection, [AGAIN])
    assert customers(pending.take(connection, 10)) == [2, 1]


def test_it_is_tried_more_and_more_seldom_but_every_hour(connection: sa.Connection) -> None:
    pending.note(connection, [CHANGE])
    waits = []
    for _ in range(12):
        (row,) = rows(connection)
        pending.failed(connection, [Waiting(row["number"], 1, "2025-03", None, MOMENT)], "no price")
        (row,) = rows(connection)
        now = connection.scalar(sa.select(sa.func.clock_timestamp()))
        waits.append(round((row["retry_at"] - now).total_seconds(), -1))
    assert waits == [30, 60, 120, 240, 480, 960, 1920, *[3600] * 5]


def test_what_is_put_aside_waits_until_it_is_released(connection: sa.Connection) -> None:
    pending.note(connection, [of(1), of(2)])
    pending.hold(connection, pending.take(connection, 1))
    assert customers(pending.take(connection, 10)) == [2]
    assert [pending.release(connection, [2]), pending.release(connection, [1, 2])] == [0, 1]
    assert customers(pending.take(connection, 10)) == [1, 2]


def test_what_has_changed_again_is_not_done(connection: sa.Connection) -> None:
    pending.note(connection, [of(1), of(2)])
    taken = pending.take(connection, 10)
    pending.note(connection, [AGAIN])
    pending.done(connection, taken)
    assert [(row["customer_id"], row["digest"]) for row in rows(connection)] == [(1, AGAIN.digest)]
