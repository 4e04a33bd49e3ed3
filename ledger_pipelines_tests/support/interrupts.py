"""Signal handling for processes that tests and benchmarks start."""

import signal


def restore_sigint_handler() -> None:
    """Restore the handler of SIGINT if this process ignores it, as background jobs of a shell without job control do.

    Otherwise Dagster, when it executes a run, would also ignore SIGTERM. Child processes inherit both, and neither
    signal would end them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
