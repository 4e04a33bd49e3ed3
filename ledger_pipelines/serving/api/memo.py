"""Answers that are remembered for a while, because they sum up large tables."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

_Value = TypeVar("_Value")
_SHARE = 20
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class _Remembered(Generic[_Value]):
    """What was found, and until when it counts."""

    value: _Value
    until: float


@dataclass
class _Finder:
    """Who finds a thing does so with this in hand; how many have it or wait for it."""

    lock: Lock = field(default_factory=Lock)
    askers: int = 0


class Memo(Generic[_Value]):
    """Remembers what was found for as long as twenty times what finding it took, a minute at most.

    So a small ledger is asked each time, a large one spends a twentieth of its time at most, and nobody needs to say
    how large it is. While one finds it anew, others get what was found before, unless that counts no more since more
    than a minute; then, and the first time, they wait, and get what the one before them found.

    Args:
        most: How many different things are remembered; the one that was found longest ago goes.
        clock: Tells the seconds.
    """

    def __init__(self, most: int = 32, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._found: OrderedDict[Hashable, _Remembered[_Value]] = OrderedDict()
        self._finders: dict[Hashable, _Finder] = {}
        self._lock = Lock()

    def get(self, key: Hashable, find: Callable[[], _Value]) -> _Value:
        """What was found for a key, or is now."""
        with self._lock:
            found = self._found.get(key)
        now = self._clock()
        if found is not None and now < found.until:
            return found.value
        with self._finder(key) as finder:
            old = found if found is not None and now < found.until + _LONGEST_SECONDS else None
            if not finder.lock.acquire(blocking=old is None) and old is not None:
                return old.value
            try:
                with self._lock:
                    newer = self._found.get(key)
                # What was found since this was asked will do, however short a time it counts.
                return newer.value if newer is not None and newer is not found else self._find(key, find)
            finally:
                finder.lock.release()

    def _find(self, key: Hashable, find: Callable[[], _Value]) -> _Value:
        started = self._clock()
        value = find()
        ended = self._clock()
        with self._lock:
            self._found[key] = _Remembered(value, ended + min(_SHARE * (ended - started), _LONGEST_SECONDS))
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return value

    @contextmanager
    def _finder(self, key: Hashable) -> Iterator[_Finder]:
        """The one finder of a key, as long as anybody asks for it: only one finds a thing at a time."""
        with self._lock:
            finder = self._finders.setdefault(key, _Finder())
            finder.askers += 1
        try:
            yield finder
        finally:
            with self._lock:
                finder.askers -= 1
                if not finder.askers:
                    del self._finders[key]
