"""Findings of a connection test, common to all sources."""

from dataclasses import dataclass
from enum import Enum

import sqlalchemy as sa


class FindingLevel(Enum):
    """Severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        level: Severity.
        what: Subject of the check.
        found: Observation.
        advice: Recommended action; empty if none is needed.
    """

    level: FindingLevel
    what: str
    found: str
    advice: str = ""


def option_advice(url: sa.URL, option: str, variable: str) -> str:
    """Return the advice, without a full stop, to give the URL of a setting an option.

    Args:
        url: The present URL.
        option: The option as it is written in a URL.
        variable: Name of the setting.
    """
    name, _, value = option.partition("=")
    if name in url.query:
        return f"Include {value} in the option {name} of {variable}"
    return f"Add {'&' if url.query else '?'}{option} to {variable}"
