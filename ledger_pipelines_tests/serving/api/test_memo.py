"""What is remembered, and for how long, with a clock of its own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import pytest

from ledger_pipelines.serving.api.memo import Memo
from ledger_pipelines_tests.serving.access.test_limits import Clock


def finding(clock: Clock, seconds: float, values: list[int]) -> Callable[[], int]:
    """Something that takes its time, and finds one value after the other."""

    def find() -> int:
        clock.now += seconds
        return values.pop(0)

    return find


def test_what_took_long_is_remembered_longer() -> None:
    clock = Clock()
    memo: Memo[int] = Memo(clock=clock)
    assert memo.get("a", finding(clock, 1, [1])) == 1
    clock.now = 20.9
    assert memo.get("a", finding(clock, 1, [2])) == 1
    clock.now = 21
    assert memo.get("a", finding(clock, 1, [2])) == 2


def test_nothing_is_remembered_longer_than_a_minute() -> None:
    clock = Clock()
    memo: Memo[int] = Memo(clock=clock)
    memo.get("a", finding(clock, 100, [1]))
    clock.now += 60
    assert memo.get("a", finding(clock, 1, [2])) == 2


def test_each_key_by_itself_and_the_oldest_goes() -> None:
    clock = Clock()
    memo: Memo[int] = Memo(most=2, clock=clock)
    for number, key in enumerate("abc"):
        assert memo.get(key, finding(clock, 1, [number])) == number
    assert memo.get("c", finding(clock, 1, [9])) == 2
    assert memo.get("a", finding(clock, 1, [9])) == 9


def test_what_fails_is_not_remembered() -> None:
    memo: Memo[int] = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.get("a", lambda: 1 // 0)
    assert memo.get("a", lambda: 1) == 1


@dataclass
class Slow:
    """Somebody who finds a value, but not before being told to go on."""

    value: int
    asked: int = 0
    begun: Event = field(default_factory=Event)
    go_on: Event = field(default_factory=Event)

    def find(self) -> int:
        """Find it."""
        self.asked += 1
        self.begun.set()
        assert self.go_on.wait(10)
        return self.value


@contextmanager
def asking(memo: Memo[int], key: str, *finds: Callable[[], int]) -> Iterator[list[int]]:
    """Ask for a key at once, each in a thread of its own; what they get, once the context is left."""
    found: list[int] = []
    threads = [Thread(target=lambda find=find: found.append(memo.get(key, find))) for find in finds]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for thread in threads:
            thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def wait_for(memo: Memo[int], key: str, askers: int) -> None:
    """Wait until so many ask for a key that is being found."""
    deadline = time.monotonic() + 10
    while memo._finders[key].askers < askers:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_while_one_finds_it_anew_others_get_what_was_found_before() -> None:
    clock, slow = Clock(), Slow(2)
    memo: Memo[int] = Memo(clock=clock)
    memo.get("a", finding(clock, 1, [1]))  # counts for twenty seconds
    clock.now = 80
    with asking(memo, "a", slow.find) as found:
        assert slow.begun.wait(10)
        assert memo.get("a", lambda: 3) == 1
        slow.go_on.set()
    assert found == [2]


def test_nobody_gets_what_is_old() -> None:
    """What was found an hour ago is no answer, not even while somebody finds it anew."""
    clock, slow = Clock(), Slow(2)
    memo: Memo[int] = Memo(clock=clock)
    memo.get("a", finding(clock, 1, [1]))
    clock.now = 82
    with asking(memo, "a", slow.find) as first:
        assert slow.begun.wait(10)
        with asking(memo, "a", lambda: 3) as second:
            wait_for(memo, "a", 2)
            slow.go_on.set()
    assert (first, second) == ([2], [2])


def test_the_first_makes_others_wait_and_is_asked_once() -> None:
    """What took no time is not remembered, but for those who waited for it."""
    memo: Memo[int] = Memo(clock=lambda: 0.0)
    slow = Slow(7)
    with asking(memo, "a", *[slow.find] * 3) as found:
        wait_for(memo, "a", 3)
        slow.go_on.set()
    assert (found, slow.asked) == ([7, 7, 7], 1)
    slow.value = 8
    assert memo.get("a", slow.find) == 8


def test_who_waited_for_one_who_failed_finds_it_itself() -> None:
    memo: Memo[int] = Memo()
    begun, go_on = Event(), Event()

    def fail() -> int:
        begun.set()
        assert go_on.wait(10)
        raise ZeroDivisionError

    def swallow() -> int:
        with pytest.raises(ZeroDivisionError):
            memo.get("a", fail)
        return 0

    failing = Thread(target=swallow)
    failing.start()
    assert begun.wait(10)
    with asking(memo, "a", lambda: 5) as found:
        wait_for(memo, "a", 2)
        go_on.set()
    failing.join(10)
    assert found == [5]


def test_nothing_is_kept_of_those_who_asked() -> None:
    memo: Memo[int] = Memo(most=1)
    for number in range(10):
        memo.get(number, lambda: 1)
    with pytest.raises(ZeroDivisionError):
        memo.get("failing", lambda: 1 // 0)
    assert (len(memo._found), memo._finders) == (1, {})
