"""Producers in a thread: items in order, bounded prefetch, and no thread left when the consumer stops."""

import threading
from collections.abc import Callable, Iterator

import pytest

from ledger_pipelines.sources.prefetch import QUEUE_SIZE, StatementTimeoutError, prefetch, run_beside, run_with_timeout

TIMEOUT_SECONDS = 20.0


def no_cancel() -> None:
    """Do not cancel anything."""


def no_thread_is_left() -> bool:
    """Return whether no thread of this module is left."""
    return all(thread.name != "source-reader" for thread in threading.enumerate())


def test_items_arrive_in_order() -> None:
    assert list(prefetch(lambda: iter(range(100)), no_cancel, TIMEOUT_SECONDS)) == list(range(100))
    assert run_with_timeout(lambda: 42, no_cancel, TIMEOUT_SECONDS) == 42
    assert no_thread_is_left()


def test_prefetch_is_bounded() -> None:
    made: list[int] = []
    full = threading.Event()

    def work() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == QUEUE_SIZE + 1:
                full.set()
            yield number

    items = prefetch(work, no_cancel, TIMEOUT_SECONDS)
    assert next(items) == 0
    assert full.wait(TIMEOUT_SECONDS), "the queue is filled before the consumer asks"
    items.close()
    # One item was taken, the queue is full, and the producer holds one more.
    assert made == list(range(QUEUE_SIZE + 2))
    assert no_thread_is_left()


def test_an_error_follows_the_items_before_it() -> None:
    def work() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    items = prefetch(work, no_cancel, TIMEOUT_SECONDS)
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)
    assert no_thread_is_left()


def hanging_producer() -> tuple[Callable[[], Iterator[int]], Callable[[], None], list[str]]:
    """Return a producer that yields one item and hangs until the third cancel, its cancel function, and their log."""
    released, done = threading.Event(), list[str]()

    def work() -> Iterator[int]:
        yield 1
        released.wait(TIMEOUT_SECONDS)
        done.append("ended")

    def cancel() -> None:
        done.append("cancelled")
        if done.count("cancelled") == 1:
            raise OSError("the server does not respond")
        if done.count("cancelled") == 3:
            released.set()

    return work, cancel, done


def test_a_hanging_producer_is_cancelled_until_it_ends() -> None:
    work, cancel, done = hanging_producer()
    items = prefetch(work, cancel, TIMEOUT_SECONDS)
    assert next(items) == 1
    items.close()
    assert done == ["cancelled", "cancelled", "cancelled", "ended"]
    assert no_thread_is_left()


def test_a_producer_beyond_the_timeout_is_cancelled() -> None:
    work, cancel, done = hanging_producer()
    items = prefetch(work, cancel, 0.1)
    assert next(items) == 1
    with pytest.raises(StatementTimeoutError):
        next(items)
    assert done[-1] == "ended"
    assert no_thread_is_left()


def test_a_function_runs_beside_the_block() -> None:
    met = threading.Barrier(2, timeout=TIMEOUT_SECONDS)
    with run_beside(met.wait, no_cancel) as result:
        met.wait()
        assert result() in {0, 1}
    assert no_thread_is_left()


def test_the_error_of_a_function_beside_is_raised_where_its_result_is_needed() -> None:
    with run_beside(lambda: 1 // 0, no_cancel) as result, pytest.raises(ZeroDivisionError):
        result()
    assert no_thread_is_left()


def test_a_function_beside_a_failing_block_is_cancelled() -> None:
    released = threading.Event()
    with (
        pytest.raises(KeyboardInterrupt),
        run_beside(lambda: released.wait(TIMEOUT_SECONDS), released.set),
    ):
        raise KeyboardInterrupt
    assert released.is_set()
    assert no_thread_is_left()
