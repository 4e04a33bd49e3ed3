"""Managed process of `ledger up`: own process group, output in a log file, warnings on the terminal, restarts."""

import logging
import logging.handlers
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from ledger_pipelines.processes import ProcessId, process_with_pid

LOG_BYTES = 10_000_000
LOG_FILES_KEPT = 3
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# The web UI shows each event of a run, and the daemon's monitoring of runs logs a line every two seconds.
_NOISE = re.compile(r" - dagster - DEBUG - | - dagster\.daemon\.MonitoringDaemon - INFO - (Collected|Checking) ")
_TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} - ")
# After a database was unreachable, the daemon prints its warnings twice: the second time through the root logger.
_REPORTED = re.compile(r" - (WARNING|ERROR|CRITICAL) - |^(WARNING|ERROR|CRITICAL):(?!dagster\.)|Error: ")
# A failing sensor logs three lines every few seconds, without the reason; its ticks show the reason.
_SHOWN_BY_TICKS = re.compile(r" - dagster\.daemon\.SensorDaemon - ERROR - |SensorExecutionError: ")
_MAX_BACKOFF_SECONDS = 30.0
_STABLE_SECONDS = 60.0
_STOP_SECONDS = 10.0


@dataclass
class ManagedProcess:
    """Program that runs until it is stopped, and is restarted when it dies.

    Attributes:
        name: Name of the program and of its log file.
        command: Program and arguments.
        environment: The whole environment.
        folder: Working directory.
        log: Log file.
        report: Called with each warning and error, and when the process dies.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    report: Callable[[str], None]
    process: subprocess.Popen[str] | None = None
    last_line: str = ""
    is_stopping: bool = False
    _failures: int = 0
    _started_at: float = 0.0
    _start_after: float = 0.0
    _reader: Thread | None = None
    _logger: logging.Logger = field(init=False)

    def __post_init__(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._logger = logging.Logger(self.name)
        self._logger.addHandler(_ReportingLogFile(self.log, self.report))

    def start(self) -> None:
        """Start the process in its own session: signals of the terminal must not reach it."""
        self.process = subprocess.Popen(
            list(self.command),
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._started_at = time.monotonic()
        self._reader = Thread(target=self._read, args=(self.process,), name=f"log of {self.name}", daemon=True)
        self._reader.start()

    @property
    def identity(self) -> ProcessId | None:
        """Identity of the process that survives pid reuse; None if it does not run."""
        return None if self.process is None else process_with_pid(self.process.pid)

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while the process runs or before it was started."""
        return None if self.process is None else self.process.poll()

    def should_restart(self) -> bool:
        """Return whether the process has died and its backoff has passed; the backoff doubles with each early death."""
        code = self.exit_code
        if code is None:
            return False
        now = time.monotonic()
        if not self._start_after:
            signal_group(self.process.pid if self.process else 0, signal.SIGKILL)
            if now - self._started_at > _STABLE_SECONDS:
                self._failures = 0
            wait = min(2.0**self._failures, _MAX_BACKOFF_SECONDS)
            self._failures += 1
            self._start_after = now + wait
            reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            last = f" Last output: {self.last_line}" if self.last_line else ""
            self.report(f"{self.name} died ({reason}); it will be restarted in {wait:.0f} s.{last} Log: {self.log}")
        if now < self._start_after:
            return False
        self._start_after = 0.0
        return True

    def terminate(self) -> None:
        """Send SIGTERM to the process and its children; log its further output without reporting it."""
        self.is_stopping = True
        if self.process is not None:
            signal_group(self.process.pid, signal.SIGTERM)

    def stop(self) -> None:
        """Wait until the process and its children have ended; kill those that do not end."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_SECONDS)
        deadline = time.monotonic() + _STOP_SECONDS
        while group_is_alive(self.process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._reader is not None:
            self._reader.join(timeout=1)
        for handler in self._logger.handlers:
            handler.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Copy the output to the log without colours, and report warnings and errors."""
        if process.stdout is None:
            return
        with process.stdout as output:
            for line in output:
                self._take(line)

    def _take(self, line: str) -> None:
        """Log a line, and report it if it is a warning or an error."""
        plain = _COLOURS.sub("", line).rstrip("\n")
        if _NOISE.search(plain):
            return
        self._logger.info("%s", plain)
        if plain.strip():
            self.last_line = plain.strip()
        if _REPORTED.search(plain) and not _SHOWN_BY_TICKS.search(plain) and not self.is_stopping:
            self.report(f"{self.name}: {_TIMESTAMP.sub('', plain.strip())}")


class _ReportingLogFile(logging.handlers.RotatingFileHandler):
    """Log file that reports once that it cannot be written, and once that it can be written again.

    Args:
        file: Path of the log file.
        report: Called with each message.
    """

    def __init__(self, file: Path, report: Callable[[str], None]) -> None:
        super().__init__(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8")
        self._report = report
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        lost = self._lost
        super().emit(record)
        if lost and lost == self._lost:
            self._lost = 0
            self._report(f"{self.baseFilename} can be written again. Lines missing from it: {lost:,}.")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Count a line that could not be written; logging itself would print a traceback for each."""
        del record
        self._lost += 1
        if self._lost == 1:
            error = sys.exc_info()[1]
            reason = error.strerror if isinstance(error, OSError) else error
            self._report(f"{self.baseFilename} cannot be written: {reason}")
        with suppress(OSError):  # from flushing its buffer; the next line opens the file again
            self.close()


def group_is_alive(leader: int) -> bool:
    """Return whether any process of a group is still alive."""
    try:
        os.killpg(leader, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def signal_group(leader: int, how: signal.Signals) -> None:
    """Send a signal to every process of a group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, how)
