"""The process that executes a run, identified by tags of the run, to check whether it lives and to end it.

Dagster marks runs as ended without checking their process, and does not track the processes of the project's commands.
"""

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress

import dagster as dg
from sqlalchemy import exc

from ledger_pipelines.dagster_internals import DagsterPostgresException
from ledger_pipelines.processes import ProcessId, process_with_pid

_HOST, _PID, _STARTED, _RUN = (f"ledger/{name}" for name in ("host", "pid", "process_started", "process_of_run"))
#: Dagster's tag of a run that a code server launched; the value holds the address of the code server.
CODE_SERVER_TAG = ".dagster/grpc_info"
#: Statuses of runs that have not ended.
UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]
#: Errors of Dagster's storage when its database is unavailable.
STORAGE_ERRORS = (exc.DBAPIError, DagsterPostgresException)


def process_tags(run_id: str, process: ProcessId) -> dict[str, str]:
    """Return tags that identify the process of this machine that executes a run."""
    return {
        _HOST: socket.gethostname(),
        _PID: str(process.pid),
        _STARTED: process.started,
        _RUN: run_id,  # a re-executed run inherits the tags of its parent, so the run itself must be named
    }


def own_process_tags(run_id: str) -> dict[str, str]:
    """Return tags that identify this process as the one that executes a run."""
    return process_tags(run_id, process_with_pid(os.getpid()) or ProcessId(os.getpid(), ""))


def executing_process(run: dg.DagsterRun) -> ProcessId | None:
    """Return the process that executes or executed a run; None if it is unknown or on another machine."""
    tags: Mapping[str, str] = run.tags
    if tags.get(_RUN) != run.run_id or tags.get(_HOST) != socket.gethostname():
        return None
    return ProcessId(int(tags[_PID]), tags[_STARTED])


def is_launched(run: dg.DagsterRun) -> bool:
    """Return whether a code server launched the run in a process of its own; False for a run inside a command."""
    return CODE_SERVER_TAG in run.tags


def send_signal(process: ProcessId, number: signal.Signals) -> None:
    """Send a signal to a process if it still runs and is not this process."""
    if process.is_alive and process.pid != os.getpid():
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def end_process(run: dg.DagsterRun) -> None:
    """End the remaining process of a run that Dagster marked as ended.

    A process launched for the run is killed, because Dagster has already asked it to end. A command is interrupted, as
    by Ctrl-C.
    """
    process = executing_process(run)
    if process is None:
        return
    if is_launched(run):
        send_signal(process, signal.SIGKILL)
    elif run.status is dg.DagsterRunStatus.CANCELED:
        send_signal(process, signal.SIGINT)
