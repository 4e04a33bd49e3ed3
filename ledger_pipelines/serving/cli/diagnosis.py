"""How the commands that test a connection print what they found, whichever source it is."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ledger_pipelines.serving.cli.console import print_table, say
from ledger_pipelines.sources.diagnosis import Finding, Level


def for_programs(found: Iterable[Any]) -> list[dict[str, Any]]:
    """Return findings, of whatever kind that has a level, as JSON objects."""
    return [asdict(finding) | {"level": finding.level.value} for finding in found]


def print_findings(title: str, findings: Sequence[Finding], *, can: str, cannot: str) -> None:
    """Print findings, and last the verdict, so that it is what stays on the screen.

    Args:
        title: Of the table.
        findings: In order.
        can: The verdict where no finding is an error.
        cannot: The verdict where one is.
    """
    rows = [(finding.level.value, finding.what, finding.found, finding.advice) for finding in findings]
    print_table(title, ("", "what", "found", "advice"), rows)
    levels = {finding.level for finding in findings}
    if Level.ERROR in levels:
        say(f"[bold red]{cannot}, see above.")
    elif Level.WARNING in levels:
        say(f"[bold yellow]{can}; see the warnings above.")
    else:
        say(f"[bold green]{can}.")
