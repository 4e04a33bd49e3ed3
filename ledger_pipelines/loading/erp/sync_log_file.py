"""The log file of the syncs, `logs/sync.log` under LEDGER_HOME: one line per event."""

import fcntl
import logging
from contextlib import closing
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ledger_pipelines.settings import Settings

_BYTES = 5_000_000
_FILES_KEPT = 5


def sync_log_path(settings: Settings) -> Path:
    """Return the path of the log file."""
    return settings.home / "logs" / "sync.log"


def append_line(settings: Settings, message: str) -> None:
    """Append a line with the time in the company's zone; a file that cannot be written only causes a warning.

    Several processes write to the file, and any of them may have to rotate it. Each therefore opens it for one line
    under a lock.
    """
    file = sync_log_path(settings)
    line = f"{datetime.now(settings.zone):%Y-%m-%d %H:%M:%S %z} {' / '.join(message.splitlines())}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with closing(_Handler(file, maxBytes=_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")) as handler:
                handler.emit(logging.LogRecord("sync", logging.INFO, "", 0, "%s", (line,), None))
    except OSError as error:
        logging.getLogger(__name__).warning("cannot write %s (%s); lost line: %s", file, error.strerror, line)


class _Handler(RotatingFileHandler):
    """Log handler that raises its errors; the standard one prints a traceback instead."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Raise the current error."""
        del record
        raise  # logging calls this method from its except block
