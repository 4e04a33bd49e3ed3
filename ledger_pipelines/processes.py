"""Process identity that survives the reuse of pids: a pid and its start time."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """Process of this machine. Pids are reused; a pid with its start time is unique."""

    pid: int
    started: str

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return process_start_time(self.pid) == self.started


def process_with_pid(pid: int) -> ProcessId | None:
    """Return the process that has a pid now, or None."""
    started = process_start_time(pid)
    return None if started is None else ProcessId(pid, started)


def process_start_time(pid: int) -> str | None:
    """Return the start time of a process as an opaque text, which differs for every process with that pid.

    Returns:
        The text; None if the process is gone.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except (OSError, UnicodeDecodeError):
        return None
    fields = status.rpartition(")")[2].split()  # the process name before it may contain blanks and parentheses
    return None if fields[0] == "Z" else fields[19]  # proc(5): the state is field 3, starttime field 22


def _started_by_ps(pid: int) -> str | None:
    """Return the start time on systems without /proc."""
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None
