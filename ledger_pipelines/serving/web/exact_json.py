"""JSON responses in which every decimal keeps exactly the digits of the database."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel

from ledger_pipelines.serving.web.parameters import Decimals


class ExactJsonResponse(Response):
    """Response of a model as JSON, with decimals as numbers (5.00 stays 5.00) or as strings."""

    media_type = "application/json"

    def __init__(self, content: BaseModel, decimals: Decimals = "number", **options: Any) -> None:
        self.decimals = decimals
        super().__init__(content, **options)

    def render(self, content: BaseModel) -> bytes:
        """Return the model as JSON."""
        return orjson.dumps(content.model_dump(by_alias=True), default=_ENCODERS[self.decimals])


def _as_number(value: object) -> orjson.Fragment:
    return orjson.Fragment(_digits(value))


def _digits(value: object) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not JSON serializable")
    return format(value, "f")


_ENCODERS: dict[Decimals, Callable[[object], object]] = {"number": _as_number, "string": _digits}
