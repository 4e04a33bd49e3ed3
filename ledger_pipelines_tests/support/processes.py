"""Processes that tests and benchmarks start: their signals, and the run processes of a code server."""

import signal
from pathlib import Path


def restore_sigint_handler() -> None:
    """Restore the handler of SIGINT if this process ignores it, as background jobs of a shell without job control do.

    Otherwise Dagster, when it executes a run, would also ignore SIGTERM. Child processes inherit both, and neither
    signal would end them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run_pids(code_server: int) -> list[int]:
    """Return the ids of the run processes that a code server has started and that have not ended."""
    threads = Path(f"/proc/{code_server}/task").iterdir()  # a child is listed with the thread that started it
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
