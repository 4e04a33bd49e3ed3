"""Response models that all routes share; OpenAPI describes responses from them."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from ledger_pipelines.warehouse.queries.paging import ResultPage

_DIGITS = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}

ExactDecimal = Annotated[Decimal, WithJsonSchema(_DIGITS)]
"""Decimal with exactly its digits: a JSON number, or a string with `decimals=string`."""

YearMonthKey = Annotated[str, Field(examples=["2025-03"])]


class ResponseModel(BaseModel):
    """Base of all response models; built from the rows of the warehouse queries."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


class ErrorResponse(ResponseModel):
    """Body of every error response."""

    success: Literal[False] = False
    message: str = Field(description="What went wrong and what to do about it")
    errors: dict[str, list[str]] = Field(
        default_factory=dict, description="Messages by parameter; empty unless a parameter is invalid", examples=[{}]
    )


class Pagination(ResponseModel):
    """Position of a page within a list."""

    current_page: int
    last_page: int
    per_page: int
    total: int
    first: int | None = Field(
        alias="from", description="Number of the first item on the page, from 1; null if the page is empty"
    )
    last: int | None = Field(alias="to", description="Number of the last item on the page; null if the page is empty")


def pagination_of(page: ResultPage[Any]) -> Pagination:
    """Return the position of a page within its list."""
    return Pagination.model_validate(page.pagination())
