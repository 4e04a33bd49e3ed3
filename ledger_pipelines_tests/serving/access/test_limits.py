"""The limit of failed attempts, with a clock of its own."""

from dataclasses import dataclass
from threading import Thread

from ledger_pipelines.serving.access import limits
from ledger_pipelines.serving.access.limits import FailureRateLimiter, Refused, UnauthenticatedRateLimiter


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_so_many_within_so_long() -> None:
    clock = Clock()
    limit = FailureRateLimiter(3, 60, clock)
    assert [limit.failed("a").wait_seconds for _ in range(4)] == [0, 0, 0, 61]
    clock.now = 30.5
    assert limit.failed("a").wait_seconds == 30
    clock.now = 60
    assert limit.failed("a").wait_seconds == 0


def test_the_window_slides() -> None:
    clock = Clock()
    limit = FailureRateLimiter(2, 60, clock)
    assert limit.failed("a").wait_seconds == 0
    clock.now = 50
    assert limit.failed("a").wait_seconds == 0
    clock.now = 60  # the first is forgotten, the second is not
    assert limit.failed("a").wait_seconds == 0
    assert limit.failed("a").wait_seconds == 51


def test_each_address_by_itself() -> None:
    limit = FailureRateLimiter(1, 60, Clock())
    assert limit.failed("a").wait_seconds == 0
    assert limit.failed("a").wait_seconds > 0
    assert limit.failed("b").wait_seconds == 0


def test_memory_does_not_grow() -> None:
    limit = FailureRateLimiter(1, 60, Clock())
    for number in range(limits._ADDRESSES + 5):
        limit.failed(str(number))
    assert len(limit._failures) == limits._ADDRESSES
    assert limit.failed("0").wait_seconds == 0  # forgotten: it failed longest ago
    assert limit.failed(str(limits._ADDRESSES)).wait_seconds > 0


def test_many_at_once() -> None:
    limit = FailureRateLimiter(50, 60, Clock())
    waits: list[int] = []
    threads = [Thread(target=lambda: waits.extend(limit.failed("a").wait_seconds for _ in range(20))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.count(0) == 50


def test_that_it_is_too_often_is_news_once_until_all_is_forgotten() -> None:
    clock = Clock()
    limit = FailureRateLimiter(2, 60, clock)
    assert [limit.failed("a").is_news for _ in range(5)] == [False, False, True, False, False]
    clock.now = 59
    assert not limit.failed("a").is_news
    clock.now = 61
    assert [limit.failed("a").is_news for _ in range(4)] == [False, False, True, False]


def test_a_flood_that_never_stops_is_news_once() -> None:
    clock = Clock()
    limit = FailureRateLimiter(2, 60, clock)
    verdicts = []
    for second in range(600):
        clock.now = second
        verdicts.append(limit.failed("a"))
    assert sum(verdict.is_news for verdict in verdicts) == 1
    assert sum(verdict.wait_seconds == 0 for verdict in verdicts) == 2 * 10


def test_of_strangers_so_many_are_kept_and_that_it_was_too_often() -> None:
    limit = UnauthenticatedRateLimiter(Clock())
    refused = [limit.refused("a") for _ in range(limits.MAX_FAILURES + 5)]
    assert [one.is_kept for one in refused] == [True] * (limits.MAX_FAILURES + 1) + [False] * 4
    assert [one.wait_seconds for one in refused] == [0] * limits.MAX_FAILURES + [61] * 5
    assert limit.refused("b") == Refused(0, is_kept=True)


def test_however_many_addresses_a_stranger_has_so_many_are_kept_a_day() -> None:
    clock = Clock()
    limit = UnauthenticatedRateLimiter(clock)
    kept = [limit.refused(str(number)).is_kept for number in range(3 * limits.MAX_AUDITED_PER_DAY)]
    assert sum(kept) == limits.MAX_AUDITED_PER_DAY
    clock.now = 24 * 3600
    assert limit.refused("again").is_kept
