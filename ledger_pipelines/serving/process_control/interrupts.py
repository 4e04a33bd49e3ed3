"""Termination signals of `ledger up`: the first one raises KeyboardInterrupt, all later ones are ignored.

A log-out or systemd sends SIGHUP and SIGTERM together. A second KeyboardInterrupt, raised while the first one is
handled, would leave processes running.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Handler of the termination signals of this process, as a context manager.

    Attributes:
        received: Whether a signal has arrived. Loops must check it: Python drops an exception raised in a finalizer.
    """

    def __init__(self) -> None:
        self.received = False
        self._deferred = False

    def __enter__(self) -> "Interrupts":
        # nohup starts a program with SIGHUP ignored; it must stay ignored.
        is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        numbers = [number for number in _TERMINATION_SIGNALS if not (number is signal.SIGHUP and is_nohup)]
        self._before = {number: signal.signal(number, self._interrupt) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Delay a signal that arrives in this context to its end, for example while a process is started and recorded.

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
        """Ignore all further signals, while everything is being stopped."""
        self.received = True

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        is_first, self.received = not self.received, True
        if is_first and not self._deferred:
            raise KeyboardInterrupt
