"""The process that executes a run: tags by which whoever finds the run can tell whether it lives, and end it.

Dagster marks runs as ended without looking whether their process has, and knows nothing of runs of our own commands.
"""

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress

import dagster as dg
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy import exc

from ledger_pipelines.processes import ProcessId, process_of

_HOST, _PID, _STARTED, _RUN = (f"ledger/{name}" for name in ("host", "pid", "process_started", "process_of_run"))
#: The tag of a run that a code server launched, with the address of that.
CODE_SERVER_TAG = ".dagster/grpc_info"
#: What Dagster's storage raises when its database is away.
STORAGE_ERRORS = (exc.DBAPIError, DagsterPostgresException)


def process_tags(run_id: str, process: ProcessId) -> dict[str, str]:
    """Tags that say which process of this machine executes a run."""
    return {
        _HOST: socket.gethostname(),
        _PID: str(process.pid),
        _STARTED: process.started,
        _RUN: run_id,  # a run that is executed again inherits the tags of the first
    }


def own_process_tags(run_id: str) -> dict[str, str]:
    """Tags that say that this very process executes a run."""
    return process_tags(run_id, process_of(os.getpid()) or ProcessId(os.getpid(), ""))


def process_executing(run: dg.DagsterRun) -> ProcessId | None:
    """The process that executes a run, or did; None if it is not known, or of another machine."""
    tags: Mapping[str, str] = run.tags
    if tags.get(_RUN) != run.run_id or tags.get(_HOST) != socket.gethostname():
        return None
    return ProcessId(int(tags[_PID]), tags[_STARTED])


def is_launched(run: dg.DagsterRun) -> bool:
    """Whether a code server launched the run, in a process that does nothing else; false for a command's own run."""
    return CODE_SERVER_TAG in run.tags


def send(process: ProcessId, number: signal.Signals) -> None:
    """Send a signal to a process, if it is still that one, and not this one."""
    if process.alive and process.pid != os.getpid():
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def end_process(run: dg.DagsterRun) -> None:
    """End what is left of a run that Dagster takes for ended.

    A process that was launched for it is killed: it has been asked before. A command is interrupted, as by Ctrl-C.
    """
    process = process_executing(run)
    if process is None:
        return
    if is_launched(run):
        send(process, signal.SIGKILL)
    elif run.status is dg.DagsterRunStatus.CANCELED:
        send(process, signal.SIGINT)
