"""Signals: what the tests and benchmarks start must be able to hear them."""

import signal


def hear_interrupts() -> None:
    """Hear SIGINT again if this process was started deaf to it, as a shell without job control does in the background.

    Dagster, executing a run, would make it deaf to SIGTERM likewise. What it starts inherits both, and is ended by
    neither.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
