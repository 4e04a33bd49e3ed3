"""Run processes of a code server on this machine."""

from pathlib import Path


def run_pids(code_server: int) -> list[int]:
    """Return the ids of the run processes that a code server has started and that have not ended."""
    threads = Path(f"/proc/{code_server}/task").iterdir()  # a child is listed with the thread that started it
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
