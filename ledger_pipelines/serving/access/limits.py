"""Rate limits for refused tokens and refused commands, and the cap on how many refusals the audit log stores."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

MAX_FAILURES = 10
WINDOW_SECONDS = 60.0
MAX_AUDITED_PER_DAY = 1000
_DAY_SECONDS = 24 * 3600.0
_MAX_ADDRESSES = 10_000


@dataclass(frozen=True)
class LimitDecision:
    """Result of recording a failure.

    Attributes:
        wait_seconds: Seconds until the next failure is allowed; 0: the limit is not exceeded.
        newly_exceeded: Whether this failure is the first above the limit since the window was last empty.
    """

    wait_seconds: int = 0
    newly_exceeded: bool = False


@dataclass
class _Failures:
    """Recent failures of an address, and whether exceeding the limit has been reported."""

    times: deque[float] = field(default_factory=deque)
    reported: bool = False


class FailureRateLimiter:
    """Sliding-window limit on failures per address, in bounded memory.

    Beyond `_MAX_ADDRESSES` addresses, the address whose last failure is oldest is dropped.

    Args:
        limit: Failures allowed per address and window.
        seconds: Length of the window.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        limit: int = MAX_FAILURES,
        seconds: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = Lock()

    def record_failure(self, address: str) -> LimitDecision:
        """Record a failure of an address, unless the address is above the limit."""
        now = self._clock()
        with self._lock:
            recent = self._failures.setdefault(address, _Failures())
            times = recent.times
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._limit:
                newly_exceeded, recent.reported = not recent.reported, True
                return LimitDecision(int(times[0] + self._seconds - now) + 1, newly_exceeded)
            recent.reported = recent.reported and bool(times)
            times.append(now)
            self._failures.move_to_end(address)
            while len(self._failures) > _MAX_ADDRESSES:
                self._failures.popitem(last=False)
        return LimitDecision()


@dataclass(frozen=True)
class RefusalDecision:
    """How a command without a valid token is refused.

    Attributes:
        wait_seconds: Seconds until the address may try again; 0: immediately.
        is_audited: Whether the audit log stores the refusal.
    """

    wait_seconds: int
    is_audited: bool


class UnauthenticatedRateLimiter:
    """Limit on commands without a valid token, and on how many of them the audit log stores.

    The audit log stores up to `MAX_FAILURES` refusals per address and minute, then one entry for exceeding the limit.
    All addresses together get at most `MAX_AUDITED_PER_DAY` entries: addresses cost nothing, and a caller without a
    token must not be able to fill the disk.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_address = FailureRateLimiter(clock=clock)
        self._total = FailureRateLimiter(MAX_AUDITED_PER_DAY, _DAY_SECONDS, clock)

    def record_refusal(self, address: str) -> RefusalDecision:
        """Record a refused command of an address."""
        decision = self._per_address.record_failure(address)
        if decision.wait_seconds and not decision.newly_exceeded:
            return RefusalDecision(decision.wait_seconds, is_audited=False)
        return RefusalDecision(decision.wait_seconds, is_audited=self._total.record_failure("").wait_seconds == 0)
