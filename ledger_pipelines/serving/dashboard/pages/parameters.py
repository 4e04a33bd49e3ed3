"""Request parameters that only pages use."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from ledger_pipelines.serving.web.parameters import WholeNumber

PER_PAGE = 25

PageNumber = Annotated[int, WholeNumber(1, 1_000_000), Query(alias="page")]
"""Page number of a list, from 1."""

YearParameter = Annotated[int | None, WholeNumber(1970, 9999), Query()]
"""Year of the overview."""


def build_path(path: str, **parameters: object) -> str:
    """Return a path with its query parameters, without the empty ones."""
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path
