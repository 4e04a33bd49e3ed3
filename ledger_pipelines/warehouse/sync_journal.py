"""The log file of the syncs, `logs/sync.log` under LEDGER_HOME: one line an event, for people and their tools."""

import fcntl
import logging
from contextlib import closing
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ledger_pipelines.settings import Settings

_BYTES = 5_000_000
_FILES_KEPT = 5


def journal_file(settings: Settings) -> Path:
    """Where it is."""
    return settings.home / "logs" / "sync.log"


def note(settings: Settings, message: str) -> None:
    """Add a line with the time in the company's zone.

    Several processes write here, and each may be the one that has to begin a new file; so each opens it for the one
    line, while the others wait. A file that cannot be written to is no reason to let a sync fail.
    """
    file = journal_file(settings)
    line = f"{datetime.now(settings.zone):%Y-%m-%d %H:%M:%S %z} {' / '.join(message.splitlines())}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with closing(_Journal(file, maxBytes=_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")) as handler:
                handler.emit(logging.LogRecord("sync", logging.INFO, "", 0, "%s", (line,), None))
    except OSError as error:
        logging.getLogger(__name__).warning("%s cannot be written (%s); it would say: %s", file, error.strerror, line)


class _Journal(RotatingFileHandler):
    """A handler that raises what keeps it from writing; logging itself would print a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Raise the error at hand."""
        del record
        raise  # logging calls this while it handles the error
