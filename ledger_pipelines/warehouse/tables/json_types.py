"""Types of fields of read models, with the JSON schemas that describe them in the API's document."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema

_DIGITS = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}

ExactDecimal = Annotated[Decimal, WithJsonSchema(_DIGITS)]
"""Decimal with exactly its digits: a JSON number, or a string with `decimals=string`."""

YearMonthKey = Annotated[str, Field(examples=["2025-03"])]
