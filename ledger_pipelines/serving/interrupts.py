"""Signals that end `ledger up`: the first one interrupts it, all later ones change nothing.

A log-out or systemd sends SIGHUP and SIGTERM together. A second KeyboardInterrupt, raised while the first one is
handled, would leave processes running.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """The ending signals of this process while the context is open.

    Attributes:
        received: Whether one has arrived. Python drops an exception that is raised inside a finalizer, so loops ask.
    """

    def __init__(self) -> None:
        self.received = False
        self._deferred = False

    def __enter__(self) -> "Interrupts":
        # nohup starts a program with SIGHUP ignored, and means it.
        is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        numbers = [number for number in _ENDING if not (number is signal.SIGHUP and is_nohup)]
        self._before = {number: signal.signal(number, self._interrupt) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Raise what arrives in this context at its end: between starting a process and noting it, for example.

        Raises:
            KeyboardInterrupt: a signal has arrived.
        """
        received = self.received
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.received and not received:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """Ignore all signals from now on: everything is being stopped."""
        self.received = True

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        is_first, self.received = not self.received, True
        if is_first and not self._deferred:
            raise KeyboardInterrupt
