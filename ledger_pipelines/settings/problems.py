"""What is wrong with the settings, in words that never hold a secret."""

import difflib
from collections.abc import Iterable


class SettingsError(Exception):
    """The settings cannot be used; the message names each wrong variable, its fault and a right example."""


def instead_of(name: str, known: list[str]) -> str:
    """What to write instead of an unknown name."""
    nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.7)
    return f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"


def shown(value: object) -> str:
    """The wrong value, unless it may be a URL, with its password, that got into the wrong variable."""
    text = str(value)
    return "" if "://" in text or "@" in text else f"'{text}' "


def message(problems: Iterable[str]) -> str:
    """All problems as one text."""
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return (
        f"The settings cannot be used:\n{lines}\n"
        "Settings are environment variables, or lines of the file .env in the project's folder; "
        ".env.example lists them all."
    )
