"""What pages remember for a moment, because it is asked for often and takes long to find."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from ledger_pipelines.serving.api.memo import Memo
from ledger_pipelines.serving.dashboard.dagster_state import Checks


@dataclass(frozen=True)
class Remembered:
    """What pages remember for a moment.

    Attributes:
        checks: What Dagster's checks said when it was last asked.
    """

    checks: Memo[Checks] = field(default_factory=Memo)


def _remembered(request: Request) -> Remembered:
    remembered: Remembered = request.app.state.remembered
    return remembered


Remembers = Annotated[Remembered, Depends(_remembered)]
"""The parameter by which a page gets what is remembered."""
