"""What is said when a source cannot be read."""

from sqlalchemy import exc


class SourceError(Exception):
    """The source cannot be read as it must be; the message says what, where and what to do."""


def first_line(error: exc.DBAPIError) -> str:
    """The driver's own words, one line of them, as a sentence."""
    text = " ".join(str(argument) for argument in getattr(error.orig, "args", ()) if argument) or str(error.orig)
    line = text.strip().splitlines()[0] if text.strip() else type(error.orig).__name__
    return line if line.endswith(".") else f"{line}."
