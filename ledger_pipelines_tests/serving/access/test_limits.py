"""The limit of failed attempts, with a clock of its own."""

from dataclasses import dataclass
from threading import Thread

from ledger_pipelines.serving.access import limits
from ledger_pipelines.serving.access.limits import FailureLimit


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_so_many_within_so_long() -> None:
    clock = Clock()
    limit = FailureLimit(3, 60, clock)
    assert [limit.failed("a") for _ in range(4)] == [0, 0, 0, 61]
    clock.now = 30.5
    assert limit.failed("a") == 30
    clock.now = 60
    assert limit.failed("a") == 0


def test_the_window_slides() -> None:
    clock = Clock()
    limit = FailureLimit(2, 60, clock)
    assert limit.failed("a") == 0
    clock.now = 50
    assert limit.failed("a") == 0
    clock.now = 60  # the first is forgotten, the second is not
    assert limit.failed("a") == 0
    assert limit.failed("a") == 51


def test_each_address_by_itself() -> None:
    limit = FailureLimit(1, 60, Clock())
    assert limit.failed("a") == 0
    assert limit.failed("a") > 0
    assert limit.failed("b") == 0


def test_memory_does_not_grow() -> None:
    limit = FailureLimit(1, 60, Clock())
    for number in range(limits._ADDRESSES + 5):
        limit.failed(str(number))
    assert len(limit._failures) == limits._ADDRESSES
    assert limit.failed("0") == 0  # forgotten: it failed longest ago
    assert limit.failed(str(limits._ADDRESSES)) > 0


def test_many_at_once() -> None:
    limit = FailureLimit(50, 60, Clock())
    waits: list[int] = []
    threads = [Thread(target=lambda: waits.extend(limit.failed("a") for _ in range(20))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.count(0) == 50
