"""Work in a thread, a little ahead: in order, never far ahead, and gone when nobody waits for it."""

import threading
from collections.abc import Callable, Iterator

import pytest

from ledger_pipelines.sources.prefetch import AHEAD, SilenceError, attended, prefetched

PATIENCE = 20.0


def nothing() -> None:
    """Cancels nothing."""


def is_gone() -> bool:
    """Whether no thread of this module is left."""
    return all(thread.name != "source-reader" for thread in threading.enumerate())


def test_items_come_in_order_and_then_end() -> None:
    assert list(prefetched(lambda: iter(range(100)), nothing, PATIENCE)) == list(range(100))
    assert attended(lambda: 42, nothing, PATIENCE) == 42
    assert is_gone()


def test_work_is_only_a_little_ahead() -> None:
    made: list[int] = []
    full = threading.Event()

    def work() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == AHEAD + 1:
                full.set()
            yield number

    items = prefetched(work, nothing, PATIENCE)
    assert next(items) == 0
    assert full.wait(PATIENCE), "the queue is filled while nobody asks"
    items.close()
    # One was taken, as many wait as may, and one more was at hand.
    assert made == list(range(AHEAD + 2))
    assert is_gone()


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def work() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    items = prefetched(work, nothing, PATIENCE)
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)
    assert is_gone()


def hanging() -> tuple[Callable[[], Iterator[int]], Callable[[], None], list[str]]:
    """Work that gives one item and hangs until it is cancelled for the third time, and what was done to it."""
    released, done = threading.Event(), list[str]()

    def work() -> Iterator[int]:
        yield 1
        released.wait(PATIENCE)
        done.append("ended")

    def cancel() -> None:
        done.append("cancelled")
        if done.count("cancelled") == 1:
            raise OSError("the server does not listen")
        if done.count("cancelled") == 3:
            released.set()

    return work, cancel, done


def test_what_hangs_is_cancelled_until_it_ends() -> None:
    work, cancel, done = hanging()
    items = prefetched(work, cancel, PATIENCE)
    assert next(items) == 1
    items.close()
    assert done == ["cancelled", "cancelled", "cancelled", "ended"]
    assert is_gone()


def test_what_gives_nothing_for_too_long_is_cancelled() -> None:
    work, cancel, done = hanging()
    items = prefetched(work, cancel, 0.1)
    assert next(items) == 1
    with pytest.raises(SilenceError):
        next(items)
    assert done[-1] == "ended"
    assert is_gone()
