"""The limit of failed attempts: how often an address may show what is not accepted."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

MOST_FAILURES = 10
WITHIN_SECONDS = 60.0
_ADDRESSES = 10_000


class FailureLimit:
    """Remembers when addresses failed of late, in memory that does not grow: the address that failed longest ago goes.

    Args:
        most: How many failures an address has.
        seconds: Within how many seconds.
        clock: Tells the seconds.
    """

    def __init__(
        self,
        most: int = MOST_FAILURES,
        seconds: float = WITHIN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def failed(self, address: str) -> int:
        """Note a failure; 0, or after how many seconds the address may fail again if it has done so too often."""
        now = self._clock()
        with self._lock:
            times = self._failures.setdefault(address, deque())
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return int(times[0] + self._seconds - now) + 1
            times.append(now)
            self._failures.move_to_end(address)
            while len(self._failures) > _ADDRESSES:
                self._failures.popitem(last=False)
        return 0
