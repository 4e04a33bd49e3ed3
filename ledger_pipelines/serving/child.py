"""One child process of `ledger up`: its own group, its output in a log file, its warnings also told to a person."""

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

from ledger_pipelines.processes import ProcessId, process_of

LOG_BYTES = 10_000_000
LOG_FILES_KEPT = 3
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What a run does is in the web interface, event by event; that runs are looked after, every two seconds, is no news.
_NOISE = re.compile(r" - dagster - DEBUG - | - dagster\.daemon\.MonitoringDaemon - INFO - (Collected|Checking) ")
_AT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} - ")
# The daemon prints its own warnings twice: the second time by Python's root logger, after a database was away.
_WORTH_TELLING = re.compile(r" - (WARNING|ERROR|CRITICAL) - |^(WARNING|ERROR|CRITICAL):(?!dagster\.)|Error: ")
# A sensor that fails does so every few seconds, in three lines without the reason, which its ticks show.
_TOLD_BY_TICKS = re.compile(r" - dagster\.daemon\.SensorDaemon - ERROR - |SensorExecutionError: ")
_LONGEST_WAIT = 30.0
_STABLE_SECONDS = 60.0
_STOP_SECONDS = 10.0


@dataclass
class Child:
    """A program that is to run until it is told to stop.

    Attributes:
        name: of the program and of its log file.
        command: its arguments.
        environment: all of it.
        folder: in which it runs.
        log: its log file.
        tell: told of warnings and errors, and of its end.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    tell: Callable[[str], None]
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
        self._logger.addHandler(_LogFile(self.log, self.tell))

    def start(self) -> None:
        """Start it, in a group of its own: what a terminal sends to ours must not reach it."""
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
        """Its process, as it can be found again; None if it does not run."""
        return None if self.process is None else process_of(self.process.pid)

    @property
    def ended(self) -> int | None:
        """Its exit code if it has ended, negative for a signal; None while it runs."""
        return None if self.process is None else self.process.poll()

    def must_restart(self) -> bool:
        """Whether it has died and it is time to start it again: the more often it died of late, the later."""
        code = self.ended
        if code is None:
            return False
        now = time.monotonic()
        if not self._start_after:
            end_group(self.process.pid if self.process else 0, signal.SIGKILL)
            if now - self._started_at > _STABLE_SECONDS:
                self._failures = 0
            wait = min(2.0**self._failures, _LONGEST_WAIT)
            self._failures += 1
            self._start_after = now + wait
            reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            last = f" Its last words: {self.last_line}" if self.last_line else ""
            self.tell(f"{self.name} died ({reason}); it is started again in {wait:.0f} s.{last} Log: {self.log}")
        if now < self._start_after:
            return False
        self._start_after = 0.0
        return True

    def ask_to_stop(self) -> None:
        """Send the signal to end to it and its own children; what it prints from now on is only logged."""
        self.is_stopping = True
        if self.process is not None:
            end_group(self.process.pid, signal.SIGTERM)

    def stop(self) -> None:
        """Wait until it and its own children have ended; kill what does not."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_SECONDS)
        deadline = time.monotonic() + _STOP_SECONDS
        while group_lives(self.process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        end_group(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._reader is not None:
            self._reader.join(timeout=1)
        for handler in self._logger.handlers:
            handler.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Copy the output to the log, plain, and tell what a person should know."""
        if process.stdout is None:
            return
        with process.stdout as output:
            for line in output:
                self._take(line)

    def _take(self, line: str) -> None:
        """Log a line, and tell it if a person should know."""
        plain = _COLOURS.sub("", line).rstrip("\n")
        if _NOISE.search(plain):
            return
        self._logger.info("%s", plain)
        if plain.strip():
            self.last_line = plain.strip()
        if _WORTH_TELLING.search(plain) and not _TOLD_BY_TICKS.search(plain) and not self.is_stopping:
            self.tell(f"{self.name}: {_AT.sub('', plain.strip())}")


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log file that tells once that it cannot be written, and once that it can be again.

    Args:
        file: Where it is.
        tell: Told what a person should know.
    """

    def __init__(self, file: Path, tell: Callable[[str], None]) -> None:
        super().__init__(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8")
        self._tell = tell
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        lost = self._lost
        super().emit(record)
        if lost and lost == self._lost:
            self._lost = 0
            self._tell(f"{self.baseFilename} can be written again. It lacks {lost:,} lines.")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Count a line that could not be written; logging itself would print a traceback for each."""
        del record
        self._lost += 1
        if self._lost == 1:
            error = sys.exc_info()[1]
            reason = error.strerror if isinstance(error, OSError) else error
            self._tell(f"{self.baseFilename} cannot be written: {reason}")
        with suppress(OSError):  # of what it still holds; the next line opens the file again
            self.close()


def group_lives(leader: int) -> bool:
    """Whether any process of a group, or its leader, is left."""
    try:
        os.killpg(leader, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(leader: int, how: signal.Signals) -> None:
    """Send a signal to every process of a group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, how)
