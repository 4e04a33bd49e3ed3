"""Processes of the embedded PostgreSQL: detection of a running server, and the end of processes left by a crash."""

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
"""The address that the server listens on."""

_ORPHAN_SECONDS = 3.0


@dataclass(frozen=True)
class RunningServer:
    """The running server of a data folder, from its `postmaster.pid`."""

    pid: int
    port: int | None
    ready: bool


def running_server(data: Path) -> RunningServer | None:
    """Return the running server of a data folder, or None.

    `postmaster.pid` outlives a server that was killed, and its pid may have been reused. The process must therefore
    also be a PostgreSQL server of this data folder.

    Raises:
        PermissionError: the folder belongs to another user.
    """
    try:
        lines = [line.strip() for line in (data / "postmaster.pid").read_text().split("\n")]
        pid = int(lines[0])
    except (FileNotFoundError, ValueError):
        return None
    arguments = _command_line(pid)
    if Path(arguments[0]).name != "postgres" or str(data) not in arguments:
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else None
    return RunningServer(pid, port, ready="ready" in lines[7:8])


def end_orphans(cluster_name: str) -> None:
    """Wait until the processes of a killed server end, and kill those that do not notice its death.

    A busy session notices it only when it next waits. Until then no new server can start.
    """
    title = f"postgres: {cluster_name}: "
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while orphans := [pid for pid in _process_ids() if _command_line(pid)[0].startswith(title)]:
        if time.monotonic() > deadline:
            for pid in orphans:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def port_is_taken(port: int) -> bool:
    """Return whether a port of the loopback interface is in use or cannot be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _command_line(pid: int) -> list[str]:
    """Return the command line of a process, or its title; one empty text if the process does not exist."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return [""]


def _process_ids() -> list[int]:
    """Return the ids of all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
