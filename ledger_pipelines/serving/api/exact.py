"""Answers as JSON in which every decimal has exactly the digits that the database has."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel

from ledger_pipelines.serving.api.parameters import Decimals


class ExactJson(Response):
    """A model as JSON: decimals as numbers of exactly their digits (5.00 is 5.00), or as text."""

    media_type = "application/json"

    def __init__(self, content: BaseModel, decimals: Decimals = "number", **options: Any) -> None:
        self.decimals = decimals
        super().__init__(content, **options)

    def render(self, content: BaseModel) -> bytes:
        """The model as JSON."""
        return orjson.dumps(content.model_dump(by_alias=True), default=_WRITERS[self.decimals])


def _as_number(value: object) -> orjson.Fragment:
    return orjson.Fragment(_digits(value))


def _digits(value: object) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return format(value, "f")


_WRITERS: dict[Decimals, Callable[[object], object]] = {"number": _as_number, "string": _digits}
