"""Cache with a time to live for results that aggregate large tables."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

_Value = TypeVar("_Value")
_TTL_FACTOR = 20
_MAX_TTL_SECONDS = 60.0


@dataclass(frozen=True)
class _CachedValue(Generic[_Value]):
    """Cached value and the time at which it expires."""

    value: _Value
    expires_at: float


@dataclass
class _KeyLock:
    """Lock of one key, and the number of threads that hold it or wait for it."""

    lock: Lock = field(default_factory=Lock)
    users: int = 0


class TtlCache(Generic[_Value]):
    """Cache whose values live twenty times as long as their computation took, at most a minute.

    A small ledger is queried almost every time; a large one spends at most a twentieth of its time on these queries.
    No setting for the ledger's size is needed.

    One thread at a time computes a key. Meanwhile other threads get the expired value, unless it expired more than a
    minute ago. Without such a value they wait, and get the value that the first thread computes.

    Args:
        max_entries: Number of keys to cache; the least recently computed one is evicted.
        clock: Returns the time in seconds.
    """

    def __init__(self, max_entries: int = 32, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries, self._clock = max_entries, clock
        self._values: OrderedDict[Hashable, _CachedValue[_Value]] = OrderedDict()
        self._key_locks: dict[Hashable, _KeyLock] = {}
        self._lock = Lock()

    def get(self, key: Hashable, compute: Callable[[], _Value]) -> _Value:
        """Return the cached value of a key, or compute and cache it."""
        with self._lock:
            cached = self._values.get(key)
        now = self._clock()
        if cached is not None and now < cached.expires_at:
            return cached.value
        with self._key_lock(key) as key_lock:
            stale = cached if cached is not None and now < cached.expires_at + _MAX_TTL_SECONDS else None
            if not key_lock.lock.acquire(blocking=stale is None) and stale is not None:
                return stale.value
            try:
                with self._lock:
                    newer = self._values.get(key)
                # A value that another thread computed after this call began will do, even if it has expired.
                return newer.value if newer is not None and newer is not cached else self._compute(key, compute)
            finally:
                key_lock.lock.release()

    def _compute(self, key: Hashable, compute: Callable[[], _Value]) -> _Value:
        started = self._clock()
        value = compute()
        ended = self._clock()
        with self._lock:
            self._values[key] = _CachedValue(value, ended + min(_TTL_FACTOR * (ended - started), _MAX_TTL_SECONDS))
            self._values.move_to_end(key)
            while len(self._values) > self._max_entries:
                self._values.popitem(last=False)
        return value

    @contextmanager
    def _key_lock(self, key: Hashable) -> Iterator[_KeyLock]:
        """Yield the lock of a key, which exists only while a thread uses it."""
        with self._lock:
            key_lock = self._key_locks.setdefault(key, _KeyLock())
            key_lock.users += 1
        try:
            yield key_lock
        finally:
            with self._lock:
                key_lock.users -= 1
                if not key_lock.users:
                    del self._key_locks[key]
