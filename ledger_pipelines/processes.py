"""Processes as they can be told apart for ever: by their id and the moment at which they started."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """A process of this machine. Ids come back, an id with its start does not."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return started_at(self.pid) == self.started


def process_of(pid: int) -> ProcessId | None:
    """The process that has an id now; None if there is none."""
    started = started_at(pid)
    return None if started is None else ProcessId(pid, started)


def started_at(pid: int) -> str | None:
    """When a process started, in words that differ from those of any other that had its id; None if it is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except (OSError, UnicodeDecodeError):
        return None
    fields = status.rpartition(")")[2].split()  # the name before may hold blanks and parentheses
    return None if fields[0] == "Z" else fields[19]  # proc(5): the state is field 3, starttime field 22


def _started_by_ps(pid: int) -> str | None:
    """The same where there is no /proc."""
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None
