"""Rate limits, with a clock that the tests set."""

from threading import Thread

from ledger_pipelines.serving.access import limits
from ledger_pipelines.serving.access.limits import FailureRateLimiter, RefusalDecision, UnauthenticatedRateLimiter
from ledger_pipelines_tests.support.serving.fake_clock import FakeClock


def test_failures_within_the_window_are_limited() -> None:
    clock = FakeClock()
    limit = FailureRateLimiter(3, 60, clock)
    assert [limit.record_failure("a").wait_seconds for _ in range(4)] == [0, 0, 0, 61]
    clock.now = 30.5
    assert limit.record_failure("a").wait_seconds == 30
    clock.now = 60
    assert limit.record_failure("a").wait_seconds == 0


def test_the_window_slides() -> None:
    clock = FakeClock()
    limit = FailureRateLimiter(2, 60, clock)
    assert limit.record_failure("a").wait_seconds == 0
    clock.now = 50
    assert limit.record_failure("a").wait_seconds == 0
    clock.now = 60  # the first failure leaves the window, the second does not
    assert limit.record_failure("a").wait_seconds == 0
    assert limit.record_failure("a").wait_seconds == 51


def test_addresses_are_limited_separately() -> None:
    limit = FailureRateLimiter(1, 60, FakeClock())
    assert limit.record_failure("a").wait_seconds == 0
    assert limit.record_failure("a").wait_seconds > 0
    assert limit.record_failure("b").wait_seconds == 0


def test_memory_does_not_grow() -> None:
    limit = FailureRateLimiter(1, 60, FakeClock())
    for number in range(limits._MAX_ADDRESSES + 5):
        limit.record_failure(str(number))
    assert len(limit._failures) == limits._MAX_ADDRESSES
    assert limit.record_failure("0").wait_seconds == 0  # dropped: its last failure is the oldest
    assert limit.record_failure(str(limits._MAX_ADDRESSES)).wait_seconds > 0


def test_concurrent_failures_are_counted_exactly() -> None:
    limit = FailureRateLimiter(50, 60, FakeClock())
    waits: list[int] = []
    threads = [
        Thread(target=lambda: waits.extend(limit.record_failure("a").wait_seconds for _ in range(20))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.count(0) == 50


def test_exceeding_is_reported_once_until_the_window_is_empty() -> None:
    clock = FakeClock()
    limit = FailureRateLimiter(2, 60, clock)
    assert [limit.record_failure("a").newly_exceeded for _ in range(5)] == [False, False, True, False, False]
    clock.now = 59
    assert not limit.record_failure("a").newly_exceeded
    clock.now = 61
    assert [limit.record_failure("a").newly_exceeded for _ in range(4)] == [False, False, True, False]


def test_an_endless_flood_is_reported_once() -> None:
    clock = FakeClock()
    limit = FailureRateLimiter(2, 60, clock)
    decisions = []
    for second in range(600):
        clock.now = second
        decisions.append(limit.record_failure("a"))
    assert sum(decision.newly_exceeded for decision in decisions) == 1
    assert sum(decision.wait_seconds == 0 for decision in decisions) == 2 * 10


def test_refusals_of_an_address_are_audited_up_to_the_limit() -> None:
    limit = UnauthenticatedRateLimiter(FakeClock())
    refusals = [limit.record_refusal("a") for _ in range(limits.MAX_FAILURES + 5)]
    assert [refusal.is_audited for refusal in refusals] == [True] * (limits.MAX_FAILURES + 1) + [False] * 4
    assert [refusal.wait_seconds for refusal in refusals] == [0] * limits.MAX_FAILURES + [61] * 5
    assert limit.record_refusal("b") == RefusalDecision(0, is_audited=True)


def test_refusals_are_audited_up_to_the_daily_limit() -> None:
    clock = FakeClock()
    limit = UnauthenticatedRateLimiter(clock)
    audited = [limit.record_refusal(str(number)).is_audited for number in range(3 * limits.MAX_AUDITED_PER_DAY)]
    assert sum(audited) == limits.MAX_AUDITED_PER_DAY
    clock.now = 24 * 3600
    assert limit.record_refusal("again").is_audited
