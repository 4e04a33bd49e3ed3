"""One `ledger up` at a time for a data folder, and the end of what an earlier one left behind when it was killed."""

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
from ledger_pipelines.serving.child import end_group, group_lives
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import make_home

_KILL_SECONDS = 5.0
_BYTES = 4096


@dataclass
class InstanceLock:
    """The lock, held by this process: a file that says who runs, and what is to be stopped with it.

    Attributes:
        file: the lock file.
        owns_database: whether the embedded server was started here, or by a predecessor that was killed.
    """

    file: IO[str]
    owns_database: bool = False

    def note(self, children: Iterable[ProcessId | None]) -> None:
        """Write down what is to be stopped, so that a successor can do it if this process is killed."""
        noted = [asdict(child) for child in children if child is not None]
        state = {"pid": os.getpid(), "owns_database": self.owns_database, "children": noted}
        # One write in place, always of the same length: neither a kill nor a full disk leaves half of it.
        os.pwrite(self.file.fileno(), json.dumps(state).ljust(_BYTES).encode(), 0)


@contextmanager
def only_one(home: Path) -> Iterator[InstanceLock]:
    """Hold the lock of a data folder.

    The lock is the system's own and vanishes with its holder, however that ends.

    Raises:
        ServingError: another process holds it; the message names it.
        SettingsError: the folder cannot be used.
    """
    make_home(home)
    path = home / "up.lock"
    path.touch()
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(
                f"It runs already: ledger up, process {_state(file).get('pid', 'unknown')}, with its data in {home}. "
                "Stop that one first (Ctrl-C, or kill), or set LEDGER_HOME and the ports to start another beside it."
            ) from None
        left = _state(file)
        _end_left_behind(left)
        lock = InstanceLock(file, owns_database=left.get("owns_database") is True)
        lock.note([])
        try:
            yield lock
        finally:
            # What still runs must be found by the next start.
            if not lock.owns_database and not _children_alive(_state(file)):
                file.truncate(0)


def anybody_serves(home: Path) -> bool:
    """Whether a `ledger up` runs for a data folder, or processes that one left behind when it was killed."""
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
    """What the file says; nothing where it says nothing that can be read."""
    file.seek(0)
    try:
        state = json.load(file)
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def _children_alive(state: dict[str, object]) -> list[ProcessId]:
    noted = state.get("children")
    children = [ProcessId(**child) for child in noted if isinstance(child, dict)] if isinstance(noted, list) else []
    return [child for child in children if child.alive]


def _end_left_behind(state: dict[str, object]) -> None:
    """End the children of a predecessor that was killed."""
    leaders = [child.pid for child in _children_alive(state)]
    for leader in leaders:
        end_group(leader, signal.SIGTERM)
    deadline = time.monotonic() + _KILL_SECONDS
    while any(group_lives(leader) for leader in leaders) and time.monotonic() < deadline:
        time.sleep(0.05)
    for leader in leaders:
        end_group(leader, signal.SIGKILL)
