"""The parameters of pages that the API does not have."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from ledger_pipelines.serving.api.parameters import Whole

PER_PAGE = 25

Number = Annotated[int, Whole(1, 1_000_000), Query(alias="page")]
"""The number of a page of a list, from 1."""

ChosenYear = Annotated[int | None, Whole(1970, 9999), Query()]
"""A year."""


def path_with(path: str, **parameters: object) -> str:
    """A path with those parameters that say something."""
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path
