"""What pages remember for a moment, because it is asked for often and takes long to find."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from ledger_pipelines.serving.api.memo import Memo
from ledger_pipelines.serving.dashboard.dagster_state import DagsterState
from ledger_pipelines.warehouse.questions.year import Year


@dataclass(frozen=True)
class Remembered:
    """What pages remember for a moment.

    Attributes:
        years: The figures of a year, which add up every row of it.
        dagster: How Dagster was when it was last asked.
    """

    years: Memo[Year] = field(default_factory=Memo)
    dagster: Memo[DagsterState] = field(default_factory=Memo)


def _remembered(request: Request) -> Remembered:
    remembered: Remembered = request.app.state.remembered
    return remembered


Remembers = Annotated[Remembered, Depends(_remembered)]
"""The parameter by which a page gets what is remembered."""
