"""Waiting for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], problem: Callable[[], object] = lambda: "", *, seconds: float = 60) -> T:
    """Wait until a condition returns a true value, and return the value; after some seconds, fail with the problem."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, problem()
        time.sleep(0.05)
    return found
