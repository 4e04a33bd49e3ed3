"""Output of the commands that test a connection, for the billing application and the ERP."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ledger_pipelines.serving.cli.common.console import print_message, print_table
from ledger_pipelines.sources.diagnosis import Finding, FindingLevel


def findings_as_json(found: Iterable[Any]) -> list[dict[str, Any]]:
    """Return findings of any type that has a level as JSON objects."""
    return [asdict(finding) | {"level": finding.level.value} for finding in found]


def print_findings(title: str, findings: Sequence[Finding], *, success: str, failure: str) -> None:
    """Print findings, each with its advice on a new line, and the verdict last, so that it stays on the screen.

    Args:
        title: The title of the table.
        findings: The rows, in order.
        success: The verdict if no finding is an error.
        failure: The verdict if a finding is an error.
    """
    # Both are long: side by side, they would be narrow columns of a table that is wider than the terminal.
    rows = [(each.level.value, each.what, f"{each.found}\n{each.advice}".rstrip()) for each in findings]
    print_table(title, ("level", "what", "found, and what to do"), rows)
    levels = {finding.level for finding in findings}
    if FindingLevel.ERROR in levels:
        print_message(f"[bold red]{failure}; see the errors above.")
    elif FindingLevel.WARNING in levels:
        print_message(f"[bold yellow]{success}; see the warnings above.")
    else:
        print_message(f"[bold green]{success}.")
