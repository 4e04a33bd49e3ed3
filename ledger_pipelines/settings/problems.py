"""Error messages of wrong settings, which never contain a secret."""

import difflib
import re
from collections.abc import Iterable

from ledger_pipelines.errors import LedgerError

_SHOWN_ITEM = re.compile(r"(https?://)?[^/?#]*/?[0-9]{0,3}")


class SettingsError(LedgerError):
    """The settings cannot be used; the message names each wrong variable, its problem and a correct example."""

    retry_after = False


def suggest_name(name: str, known: list[str]) -> str:
    """Return a suggestion for an unknown variable name."""
    nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.7)
    return f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"


def quoted(value: object) -> str:
    """Return the wrong value in quotes; empty for a value that may be a URL with a password in the wrong variable."""
    text = str(value)
    return "" if "://" in text or "@" in text else f"'{text}' "


def named_item(item: str, value: str) -> str:
    """Return a wrong item of a list; "an item" if the list may contain a URL with a password, or with a secret path."""
    return item if "@" not in value and _SHOWN_ITEM.fullmatch(item) else "an item"


def settings_message(problems: Iterable[str]) -> str:
    """Return one message for all problems."""
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return (
        f"The settings cannot be used:\n{lines}\n"
        "Settings are environment variables, or lines of the file .env in the project's folder; "
        ".env.example lists them all."
    )
