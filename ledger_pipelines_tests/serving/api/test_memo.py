"""What is remembered, and for how long, with a clock of its own."""

from collections.abc import Callable
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


def test_while_one_finds_it_anew_others_get_what_was_found_before() -> None:
    clock = Clock()
    memo: Memo[int] = Memo(clock=clock)
    memo.get("a", finding(clock, 1, [1]))
    clock.now = 1000
    begun, go_on, found = Event(), Event(), list[int]()

    def slowly() -> int:
        begun.set()
        assert go_on.wait(10)
        return 2

    thread = Thread(target=lambda: found.append(memo.get("a", slowly)))
    thread.start()
    assert begun.wait(10)
    assert memo.get("a", lambda: 3) == 1
    go_on.set()
    thread.join()
    assert found == [2]


def test_the_first_makes_others_wait_and_is_asked_once() -> None:
    memo: Memo[int] = Memo(clock=lambda: 0.0)  # what took no time is not remembered, but for those who waited for it
    asked: list[int] = []
    begun, go_on = Event(), Event()

    def slowly() -> int:
        asked.append(1)
        begun.set()
        assert go_on.wait(10)
        return 7

    found: list[int] = []
    threads = [Thread(target=lambda: found.append(memo.get("a", slowly))) for _ in range(3)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert found == [7, 7, 7]
    assert 1 <= len(asked) <= 3
