"""The cache: time to live, eviction and concurrent computation, with a clock that the tests set."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import pytest

from ledger_pipelines.serving.web.cache import TtlCache
from ledger_pipelines_tests.support.serving.fake_clock import FakeClock
from ledger_pipelines_tests.support.waiting import wait_until


def computing(clock: FakeClock, seconds: float, values: list[int]) -> Callable[[], int]:
    """Return a function that takes some seconds of the clock and returns one value after the other."""

    def compute() -> int:
        clock.now += seconds
        return values.pop(0)

    return compute


def test_values_live_twenty_times_their_computation() -> None:
    clock = FakeClock()
    cache: TtlCache[int] = TtlCache(clock=clock)
    assert cache.get("a", computing(clock, 1, [1])) == 1
    clock.now = 20.9
    assert cache.get("a", computing(clock, 1, [2])) == 1
    clock.now = 21
    assert cache.get("a", computing(clock, 1, [2])) == 2


def test_values_live_a_minute_at_most() -> None:
    clock = FakeClock()
    cache: TtlCache[int] = TtlCache(clock=clock)
    cache.get("a", computing(clock, 100, [1]))
    clock.now += 60
    assert cache.get("a", computing(clock, 1, [2])) == 2


def test_the_oldest_key_is_evicted() -> None:
    clock = FakeClock()
    cache: TtlCache[int] = TtlCache(max_entries=2, clock=clock)
    for number, key in enumerate("abc"):
        assert cache.get(key, computing(clock, 1, [number])) == number
    assert cache.get("c", computing(clock, 1, [9])) == 2
    assert cache.get("a", computing(clock, 1, [9])) == 9


def test_failures_are_not_cached() -> None:
    cache: TtlCache[int] = TtlCache()
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 // 0)
    assert cache.get("a", lambda: 1) == 1


@dataclass
class Slow:
    """Computation that waits until a test lets it return."""

    value: int
    calls: int = 0
    begun: Event = field(default_factory=Event)
    go_on: Event = field(default_factory=Event)

    def compute(self) -> int:
        """Wait for the test, then return the value."""
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(10)
        return self.value


@contextmanager
def getting(cache: TtlCache[int], key: str, *computations: Callable[[], int]) -> Iterator[list[int]]:
    """Get a key concurrently, one thread per computation; the list has the results when the context is left."""
    found: list[int] = []
    threads = [Thread(target=lambda compute=compute: found.append(cache.get(key, compute))) for compute in computations]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for thread in threads:
            thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def wait_for_users(cache: TtlCache[int], key: str, users: int) -> None:
    """Wait until this number of threads uses the lock of a key."""
    wait_until(lambda: cache._key_locks[key].users >= users)


def test_other_threads_get_the_expired_value_during_a_computation() -> None:
    clock, slow = FakeClock(), Slow(2)
    cache: TtlCache[int] = TtlCache(clock=clock)
    cache.get("a", computing(clock, 1, [1]))  # lives twenty seconds
    clock.now = 80
    with getting(cache, "a", slow.compute) as found:
        assert slow.begun.wait(10)
        assert cache.get("a", lambda: 3) == 1
        slow.go_on.set()
    assert found == [2]


def test_value_expired_over_a_minute_ago_is_not_returned() -> None:
    """Other threads wait for the new value instead."""
    clock, slow = FakeClock(), Slow(2)
    cache: TtlCache[int] = TtlCache(clock=clock)
    cache.get("a", computing(clock, 1, [1]))
    clock.now = 82
    with getting(cache, "a", slow.compute) as first:
        assert slow.begun.wait(10)
        with getting(cache, "a", lambda: 3) as second:
            wait_for_users(cache, "a", 2)
            slow.go_on.set()
    assert (first, second) == ([2], [2])


def test_waiting_threads_get_the_first_threads_value() -> None:
    """A value whose computation took no time expires immediately, except for waiting threads."""
    cache: TtlCache[int] = TtlCache(clock=lambda: 0.0)
    slow = Slow(7)
    with getting(cache, "a", *[slow.compute] * 3) as found:
        wait_for_users(cache, "a", 3)
        slow.go_on.set()
    assert (found, slow.calls) == ([7, 7, 7], 1)
    slow.value = 8
    assert cache.get("a", slow.compute) == 8


def test_a_thread_that_waited_for_a_failure_computes_itself() -> None:
    cache: TtlCache[int] = TtlCache()
    begun, go_on = Event(), Event()

    def fail() -> int:
        begun.set()
        assert go_on.wait(10)
        raise ZeroDivisionError

    def swallow() -> int:
        with pytest.raises(ZeroDivisionError):
            cache.get("a", fail)
        return 0

    failing = Thread(target=swallow)
    failing.start()
    assert begun.wait(10)
    with getting(cache, "a", lambda: 5) as found:
        wait_for_users(cache, "a", 2)
        go_on.set()
    failing.join(10)
    assert found == [5]


def test_key_locks_are_removed() -> None:
    cache: TtlCache[int] = TtlCache(max_entries=1)
    for number in range(10):
        cache.get(number, lambda: 1)
    with pytest.raises(ZeroDivisionError):
        cache.get("failing", lambda: 1 // 0)
    assert (len(cache._values), cache._key_locks) == (1, {})
