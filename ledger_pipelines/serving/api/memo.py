"""Answers that are remembered for a while, because they sum up large tables."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

_Value = TypeVar("_Value")
_SHARE = 20
_LONGEST_SECONDS = 60.0


@dataclass
class _Remembered(Generic[_Value]):
    """What was found, and until when it counts."""

    value: _Value
    until: float


class Memo(Generic[_Value]):
    """Remembers what was found for as long as twenty times what finding it took, a minute at most.

    So a small ledger is asked each time, a large one spends a twentieth of its time at most, and nobody needs to say
    how large it is. While one finds it anew, others get what was found before; only the first makes others wait.

    Args:
        most: How many different things are remembered; the one that was found longest ago goes.
        clock: Tells the seconds.
    """

    def __init__(self, most: int = 32, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._found: OrderedDict[Hashable, _Remembered[_Value]] = OrderedDict()
        self._finding: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def get(self, key: Hashable, find: Callable[[], _Value]) -> _Value:
        """What was found for a key, or is now."""
        with self._lock:
            found, finding = self._found.get(key), self._finding.setdefault(key, Lock())
        if found is not None and self._clock() < found.until:
            return found.value
        if not finding.acquire(blocking=found is None) and found is not None:
            return found.value
        try:
            return self._find(key, find)
        finally:
            finding.release()

    def _find(self, key: Hashable, find: Callable[[], _Value]) -> _Value:
        with self._lock:
            found = self._found.get(key)
        started = self._clock()
        if found is not None and started < found.until:  # whoever was waited for has found it
            return found.value
        value = find()
        ended = self._clock()
        with self._lock:
            self._found[key] = _Remembered(value, ended + min(_SHARE * (ended - started), _LONGEST_SECONDS))
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                oldest, _ = self._found.popitem(last=False)
                self._finding.pop(oldest, None)
        return value
