"""Messages of the processes on the terminal: each one at most once a minute, a full disk in one sentence."""

import time
from collections.abc import Callable
from threading import Lock

_REPEAT_SECONDS = 60.0
_NO_SPACE = "No space left on device"
DISK_FULL = (
    f"The disk is full ({_NO_SPACE}): nothing can be computed or logged. Free some space; `ledger up` then "
    "continues without a restart."
)


class MessageThrottle:
    """Printer of messages that drops repetitions.

    With a full disk or an unreachable database, each process reports the same error many times a second.

    Args:
        report: Called with each message that is not a repetition.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._reported: dict[str, float] = {}
        self._lock = Lock()

    def __call__(self, message: str) -> None:
        """Report a message, unless it was reported within the last minute."""
        message = DISK_FULL if _NO_SPACE in message else message
        now = time.monotonic()
        with self._lock:
            self._reported = {text: at for text, at in self._reported.items() if now - at < _REPEAT_SECONDS}
            is_new = message not in self._reported
            self._reported.setdefault(message, now)
        if is_new:
            self._report(message)
