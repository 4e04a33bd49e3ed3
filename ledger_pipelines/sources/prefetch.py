"""Producers that run in their own thread, slightly ahead of the consumer, and end when the consumer stops.

A statement that runs in a driver cannot be interrupted; a thread that waits for a queue can. So the driver runs in a
thread of its own. The consumer stays interruptible, and cancels the statement at the server when it is interrupted.
This module is independent of databases.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

QUEUE_SIZE = 2
"""Capacity of the queue of finished items."""

_POLL_SECONDS = 0.2
_CANCEL_DEADLINE_SECONDS = 10.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class StatementTimeoutError(Exception):
    """The producer exceeded the timeout for one item."""


class _End:
    """Queue entry that marks the end of the items."""


@dataclass(frozen=True)
class _Failure:
    """Queue entry with the error that ended the producer."""

    error: BaseException


class _Worker(threading.Thread, Generic[T]):
    """Thread that runs the producer and puts its items, its end or its error into `items`."""

    def __init__(self, work: Callable[[], Iterator[T]]) -> None:
        super().__init__(name="source-reader", daemon=True)
        self._work = work
        self.items: queue.Queue[T | _End | _Failure] = queue.Queue(QUEUE_SIZE)
        self.stopped = threading.Event()
        self.busy_since: float | None = time.monotonic()

    def run(self) -> None:
        """Put every item into the queue, then the end or the error."""
        try:
            for item in self._work():
                self.busy_since = None
                if not self._put(item):
                    return
                self.busy_since = time.monotonic()
            ending: _End | _Failure = _End()
        except BaseException as error:  # noqa: BLE001 - any error is raised again in the consumer
            ending = _Failure(error)
        self.busy_since = None
        self._put(ending)

    def _put(self, item: T | _End | _Failure) -> bool:
        """Put an item into the queue when there is room; return False if the consumer has stopped."""
        while not self.stopped.is_set():
            try:
                self.items.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def prefetch(work: Callable[[], Iterator[T]], cancel: Callable[[], None], timeout_seconds: float) -> Generator[T]:
    """Yield the items of a producer that runs in its own thread, at most `QUEUE_SIZE` of them in advance.

    If the generator is closed or the consumer is interrupted, the producer is cancelled. The thread ends before the
    generator does.

    Args:
        work: Producer of the items.
        cancel: Cancels the producer's current operation from another thread; called repeatedly until the thread ends.
        timeout_seconds: Maximum time that the producer may take for one item.

    Raises:
        StatementTimeoutError: the producer exceeded the timeout.
        BaseException: any error of the producer.
    """
    worker = _Worker(work)
    worker.start()
    try:
        yield from _items(worker, timeout_seconds)
    finally:
        _stop(worker, cancel)


def run_with_timeout(work: Callable[[], T], cancel: Callable[[], None], timeout_seconds: float) -> T:
    """Return the result of a function that runs in its own thread; interrupted and cancelled as in `prefetch`.

    Raises:
        StatementTimeoutError: the function exceeded the timeout.
        BaseException: any error of the function.
    """
    with closing(prefetch(lambda: iter((work(),)), cancel, timeout_seconds)) as results:
        (result,) = results
    return result


@contextmanager
def run_beside(work: Callable[[], T], cancel: Callable[[], None]) -> Iterator[Callable[[], T]]:
    """Run a function in its own thread beside the block, which calls the yielded function to wait for its result.

    If the block ends before, the function is cancelled. The thread ends before the block does.

    Args:
        work: The function.
        cancel: Cancels the function's current operation from another thread; called repeatedly until the thread ends.
    """
    worker = _Worker(lambda: iter((work(),)))
    worker.start()

    def result() -> T:
        (found,) = _items(worker, math.inf)
        return found

    try:
        yield result
    finally:
        _stop(worker, cancel)


def _items(worker: _Worker[T], timeout_seconds: float) -> Iterator[T]:
    while True:
        try:
            item = worker.items.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            busy_since = worker.busy_since
            if busy_since is not None and time.monotonic() - busy_since > timeout_seconds:
                raise StatementTimeoutError from None
            continue
        if isinstance(item, _End):
            return
        if isinstance(item, _Failure):
            raise item.error
        yield item


def _stop(worker: _Worker[T], cancel: Callable[[], None]) -> None:
    """Cancel the producer until its thread ends, or until the deadline."""
    worker.stopped.set()
    deadline = time.monotonic() + _CANCEL_DEADLINE_SECONDS
    worker.join(_POLL_SECONDS if worker.busy_since is None else 0)
    while worker.is_alive() and time.monotonic() < deadline:
        try:
            cancel()
        except Exception as error:  # noqa: BLE001 - any driver's error; the deadline covers failed cancels
            _log.warning("The statement could not be cancelled: %s", type(error).__name__)
        worker.join(_POLL_SECONDS)
    if worker.is_alive():
        _log.warning(
            "A statement at the source did not end within %s s after it was cancelled.", int(_CANCEL_DEADLINE_SECONDS)
        )
