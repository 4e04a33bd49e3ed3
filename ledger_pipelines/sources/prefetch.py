"""Work in a thread of its own, a little ahead of whoever waits for it, that ends when nobody waits any more.

A statement that runs in a driver cannot be interrupted; a thread that waits for a queue can. So the driver gets a
thread, and who waits stays free to be cancelled, and then has the statement cancelled at the server.
Nothing here knows a database.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

AHEAD = 2
"""How many items are made before the first of them is taken: one is ready, and one is at hand when it is taken."""

_LOOK_SECONDS = 0.2
_FAREWELL_SECONDS = 10.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class SilenceError(Exception):
    """The work has given nothing for longer than it may."""


class _End:
    """Stands in the queue for the end of the items."""


@dataclass(frozen=True)
class _Failure:
    """Stands in the queue for the error that ended the work."""

    error: BaseException


class _Worker(threading.Thread, Generic[T]):
    """Runs the work; its items, its end or its error are in `items`."""

    def __init__(self, work: Callable[[], Iterator[T]]) -> None:
        super().__init__(name="source-reader", daemon=True)
        self._work = work
        self.items: queue.Queue[T | _End | _Failure] = queue.Queue(AHEAD)
        self.stopped = threading.Event()
        self.busy_since: float | None = time.monotonic()

    def run(self) -> None:
        """Put every item into the queue, and then how it ended."""
        try:
            for item in self._work():
                self.busy_since = None
                if not self._put(item):
                    return
                self.busy_since = time.monotonic()
            ending: _End | _Failure = _End()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the items are taken
            ending = _Failure(error)
        self.busy_since = None
        self._put(ending)

    def _put(self, item: T | _End | _Failure) -> bool:
        """Put an item into the queue as soon as there is room; false if nobody wants it any more."""
        while not self.stopped.is_set():
            try:
                self.items.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def prefetched(work: Callable[[], Iterator[T]], cancel: Callable[[], None], silence_seconds: float) -> Generator[T]:
    """The items of some work that is done in a thread of its own, at most `AHEAD` of them in advance.

    If the generator is closed, or who waits for it is interrupted, what the work is waiting for is cancelled, and the
    thread has ended when the generator has.

    Args:
        work: Makes the items.
        cancel: Ends what the work is waiting for, from another thread; called again until the work has ended.
        silence_seconds: How long the work may take for one item.

    Raises:
        SilenceError: it took longer.
        BaseException: whatever the work raised.
    """
    worker = _Worker(work)
    worker.start()
    try:
        while True:
            try:
                item = worker.items.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                since = worker.busy_since
                if since is not None and time.monotonic() - since > silence_seconds:
                    raise SilenceError from None
                continue
            if isinstance(item, _End):
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        _end(worker, cancel)


def attended(work: Callable[[], T], cancel: Callable[[], None], silence_seconds: float) -> T:
    """The result of some work that is done in a thread of its own, as `prefetched` does it.

    Raises:
        SilenceError: it took longer than it may.
        BaseException: whatever the work raised.
    """
    with closing(prefetched(lambda: iter((work(),)), cancel, silence_seconds)) as results:
        (result,) = results
    return result


def _end(worker: _Worker[T], cancel: Callable[[], None]) -> None:
    """Wait until the thread has ended, and make sure that it does."""
    worker.stopped.set()
    deadline = time.monotonic() + _FAREWELL_SECONDS
    worker.join(_LOOK_SECONDS if worker.busy_since is None else 0)
    while worker.is_alive() and time.monotonic() < deadline:
        try:
            cancel()
        except Exception as error:  # noqa: BLE001 - of any driver; the deadline is for a cancellation that fails
            _log.warning("The statement could not be cancelled: %s", type(error).__name__)
        worker.join(_LOOK_SECONDS)
    if worker.is_alive():
        _log.warning("A statement at the source did not end within %s s of being cancelled.", int(_FAREWELL_SECONDS))
