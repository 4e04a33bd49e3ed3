"""What processes tell a person on the terminal: each message once a minute, a full disk in one sentence."""

import time
from collections.abc import Callable
from threading import Lock

_REPEAT_SECONDS = 60.0
_NO_SPACE = "No space left on device"
DISK_FULL = (
    f"The disk is full ({_NO_SPACE}): nothing can be computed or logged. Make room; everything then goes on by itself."
)


class Announcer:
    """Tell what several processes print, without repeating it.

    A full disk or an absent database makes each process print the same fault many times a second.

    Args:
        tell: Told each message that is new.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: dict[str, float] = {}
        self._lock = Lock()

    def __call__(self, message: str) -> None:
        """Tell a message, unless it was told within the last minute."""
        message = DISK_FULL if _NO_SPACE in message else message
        now = time.monotonic()
        with self._lock:
            self._told = {text: at for text, at in self._told.items() if now - at < _REPEAT_SECONDS}
            is_new = message not in self._told
            self._told.setdefault(message, now)
        if is_new:
            self._tell(message)
