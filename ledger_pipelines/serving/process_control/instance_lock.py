"""Lock that allows one `ledger up` per data folder, and cleanup of the processes that a killed one left running."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ledger_pipelines.processes import ProcessId
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.process_control.managed_process import group_is_alive, signal_group
from ledger_pipelines.settings import ensure_home

_KILL_SECONDS = 5.0
_BYTES = 4096


@dataclass
class InstanceLock:
    """The lock, held by this process: a file that lists the processes to stop with it.

    Attributes:
        file: The lock file.
        owns_database: Whether this process, or a killed predecessor, started the embedded server.
    """

    file: IO[str]
    owns_database: bool = False

    def record(self, children: Iterable[ProcessId | None]) -> None:
        """Record the processes to stop, so that the next start can stop them if this process is killed."""
        recorded = [asdict(child) for child in children if child is not None]
        state = {"pid": os.getpid(), "owns_database": self.owns_database, "children": recorded}
        # A single write in place, always of the same length: a kill or a full disk cannot leave half of it.
        os.pwrite(self.file.fileno(), json.dumps(state).ljust(_BYTES).encode(), 0)


@contextmanager
def hold_instance_lock(home: Path) -> Iterator[InstanceLock]:
    """Hold the lock of a data folder.

    The operating system releases the lock when its holder ends, even if it is killed.

    Raises:
        ServingError: another process holds the lock; the message names the process.
        SettingsError: the folder cannot be used.
    """
    ensure_home(home)
    path = home / "up.lock"
    path.touch()
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(
                f"ledger up is already running: process {_state(file).get('pid', 'unknown')}, data folder {home}. Stop "
                "it first (Ctrl-C or kill), or set LEDGER_HOME and other ports to run a second one."
            ) from None
        previous = _state(file)
        _end_orphans(previous)
        lock = InstanceLock(file, owns_database=previous.get("owns_database") is True)
        lock.record([])
        try:
            yield lock
        finally:
            # The next start must find the processes that are still running.
            if not lock.owns_database and not _children_alive(_state(file)):
                file.truncate(0)


def is_serving(home: Path) -> bool:
    """Return whether a `ledger up` runs for a data folder, or processes that a killed one left running."""
    lock = home / "up.lock"
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return bool(_children_alive(_state(file)))


def _state(file: IO[str]) -> dict[str, object]:
    """Return the content of the lock file; empty if it cannot be parsed."""
    file.seek(0)
    try:
        state = json.load(file)
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def _children_alive(state: dict[str, object]) -> list[ProcessId]:
    recorded = state.get("children")
    children = (
        [ProcessId(**child) for child in recorded if isinstance(child, dict)] if isinstance(recorded, list) else []
    )
    return [child for child in children if child.is_alive]


def _end_orphans(state: dict[str, object]) -> None:
    """End the child processes of a predecessor that was killed."""
    leaders = [child.pid for child in _children_alive(state)]
    for leader in leaders:
        signal_group(leader, signal.SIGTERM)
    deadline = time.monotonic() + _KILL_SECONDS
    while any(group_is_alive(leader) for leader in leaders) and time.monotonic() < deadline:
        time.sleep(0.05)
    for leader in leaders:
        signal_group(leader, signal.SIGKILL)
