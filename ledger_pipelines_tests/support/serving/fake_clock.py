"""Clock that a test sets."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Seconds that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now
