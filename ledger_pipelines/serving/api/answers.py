"""What all answers have in common: the models from which OpenAPI describes them."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from ledger_pipelines.warehouse.questions.paging import Paged

_DIGITS = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}

Exact = Annotated[Decimal, WithJsonSchema(_DIGITS)]
"""A decimal, written with exactly its digits; as a string if `decimals=string` is asked for."""

YearMonthKey = Annotated[str, Field(examples=["2025-03"])]


class Answer(BaseModel):
    """The base of all answers; they are made of what the warehouse's questions give."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


class Refusal(Answer):
    """Whatever is not answered as asked."""

    success: Literal[False] = False
    message: str = Field(description="What is wrong, and what to do")
    errors: dict[str, list[str]] = Field(
        default_factory=dict, description="What is wrong with which parameter", examples=[{}]
    )


class Pagination(Answer):
    """Which part of a list this is."""

    current_page: int
    last_page: int
    per_page: int
    total: int
    first: int | None = Field(alias="from", description="Number of the page's first item, from 1; null if it has none")
    last: int | None = Field(alias="to", description="Number of its last item; null if it has none")


def pagination_of(page: Paged[Any]) -> Pagination:
    """Which part of a list a page is."""
    return Pagination.model_validate(page.pagination())
