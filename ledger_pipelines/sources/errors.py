"""Errors raised while reading a source, and the messages of database drivers."""

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.settings import mask_url


class SourceError(LedgerError):
    """A source cannot be read correctly; the message says what failed, where, and what to do."""


class SourceInterruptedError(SourceError):
    """A read was interrupted, or its table changed meanwhile: lost connection, deadlock, lock timeout."""

    retryable = True


class SnapshotRefusedError(SourceError):
    """A view cannot be read in a snapshot although its database supports them; read it without."""


class SourceUnreachableError(SourceError):
    """Nothing answers at the source's address. A retry may succeed if it answered shortly before."""


def place(url: sa.URL) -> str:
    """Return the URL of a source for a message: without the password and without the driver's options."""
    return mask_url(url.set(query={}))


def driver_message(error: Exception) -> str:
    """Return the first line of a driver's message, as a sentence.

    Args:
        error: The driver's error, or SQLAlchemy's around it.
    """
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    text = " ".join(str(argument) for argument in getattr(original, "args", ()) if argument) or str(original)
    line = text.strip().splitlines()[0] if text.strip() else type(original).__name__
    return line if line.endswith(".") else f"{line}."


def error_message(error: Exception) -> str:
    """Return the text of an error; of a driver's error the first line, without the statement and its values."""
    text = driver_message(error) if isinstance(error, exc.DBAPIError) else str(error).strip()
    return text or type(error).__name__
