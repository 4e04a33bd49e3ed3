"""The limits of failed attempts: how often an address may show what is not accepted, and how much is kept of it."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

MOST_FAILURES = 10
WITHIN_SECONDS = 60.0
MOST_KEPT = 1000
_A_DAY = 24 * 3600.0
_ADDRESSES = 10_000


@dataclass(frozen=True)
class Verdict:
    """What a limit says of a failure.

    Attributes:
        wait_seconds: After how many seconds one may fail again; 0: it was not too often.
        is_news: Whether it was too often for the first time since all was forgotten.
    """

    wait_seconds: int = 0
    is_news: bool = False


@dataclass
class _Failures:
    """When an address failed of late, and whether it was told that this was too often."""

    times: deque[float] = field(default_factory=deque)
    told: bool = False


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
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = Lock()

    def failed(self, address: str) -> Verdict:
        """Note a failure, unless the address has failed too often."""
        now = self._clock()
        with self._lock:
            of_late = self._failures.setdefault(address, _Failures())
            times = of_late.times
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._most:
                is_news, of_late.told = not of_late.told, True
                return Verdict(int(times[0] + self._seconds - now) + 1, is_news)
            of_late.told = of_late.told and bool(times)
            times.append(now)
            self._failures.move_to_end(address)
            while len(self._failures) > _ADDRESSES:
                self._failures.popitem(last=False)
        return Verdict()

    def forget(self) -> None:
        """Forgive every address."""
        with self._lock:
            self._failures.clear()


@dataclass(frozen=True)
class Refused:
    """How somebody unknown is refused.

    Attributes:
        wait_seconds: After how many seconds they may try again; 0: at once.
        is_kept: Whether it is to be written down.
    """

    wait_seconds: int
    is_kept: bool


class StrangerLimit:
    """How often people whom nobody knows are refused an act, and how much of that is written down.

    So many from an address, then once that it was too often; and of all together so many a day, since addresses cost
    nothing: nobody may fill a disk before they have shown who they are.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._each = FailureLimit(clock=clock)
        self._all = FailureLimit(MOST_KEPT, _A_DAY, clock)

    def refused(self, address: str) -> Refused:
        """Note that somebody was refused."""
        verdict = self._each.failed(address)
        if verdict.wait_seconds and not verdict.is_news:
            return Refused(verdict.wait_seconds, is_kept=False)
        return Refused(verdict.wait_seconds, is_kept=self._all.failed("").wait_seconds == 0)

    def forget(self) -> None:
        """Forgive everybody."""
        self._each.forget()
        self._all.forget()
