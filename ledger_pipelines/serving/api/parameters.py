"""The parameters of requests, each declared once: what it may be, and what is said if it is not."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fastapi import Path, Query
from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ledger_pipelines.horizon import Horizon, MonthError, parse_month
from ledger_pipelines.serving.api.errors import wrong
from ledger_pipelines.warehouse.sync_logs import Status, SyncType

_GREATEST_ID = 2**63 - 1
_GREATEST_PAGE = 1_000_000
#: How many items a page has unless somebody asks for more or fewer.
PER_PAGE = 10
_GREATEST_PER_PAGE = 100
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")

#: How decimals are written.
Decimals = Literal["number", "string"]


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds; whoever gives another is told what is expected."""

    low: int
    high: int

    def parse(self, value: object) -> int:
        """The number.

        Raises:
            ValueError: it is none, or out of bounds.
        """
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise ValueError(f"expected a whole number from {self.low} to {self.high}")
        return value

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads it."""
        return core_schema.no_info_before_validator_function(self.parse, core_schema.int_schema())

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What OpenAPI says of it."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class OneOf:
    """One of some words; whoever gives another is told which there are."""

    words: tuple[str, ...]

    def parse(self, value: object) -> object:
        """The word.

        Raises:
            ValueError: it is none of them.
        """
        if value not in self.words:
            raise ValueError(f"expected {', '.join(self.words[:-1])} or {self.words[-1]}")
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads it."""
        return core_schema.no_info_before_validator_function(self.parse, handler(source))


class Blank:
    """Something that may be left out; an empty parameter (`?status=`) counts as left out."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads it."""
        return core_schema.no_info_before_validator_function(lambda value: value or None, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What OpenAPI says of it."""
        given = [part for part in handler(schema)["anyOf"] if part != {"type": "null"}]
        return {"anyOf": [*given, {"type": "string", "maxLength": 0}]}


Month = Annotated[
    str,
    AfterValidator(parse_month),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{4}-(0[1-9]|1[0-2])$", "examples": ["2025-03"]}),
]
"""A month key, 2025-03."""

_Id = Annotated[int, Whole(1, _GREATEST_ID)]

CustomerId = Annotated[_Id, Path(alias="id", description="The customer: users.id of the billing application")]

YearMonth = Annotated[
    Month | None, Blank(), Query(description="The month, YYYY-MM; not given: the current one, in WIB")
]

StartMonth = Annotated[
    Month | None, Blank(), Query(description="The first month, YYYY-MM; not given: the first month of all")
]

Year = Annotated[
    Annotated[int, Whole(1970, 2999)] | None, Blank(), Query(description="Not given: the current one, in WIB")
]

PerPage = Annotated[
    Annotated[int, Whole(1, _GREATEST_PER_PAGE)] | None,
    Blank(),
    Query(description=f"How many a page has; usually {PER_PAGE}"),
]

Page = Annotated[
    Annotated[int, Whole(1, _GREATEST_PAGE)] | None, Blank(), Query(description="Which page, from 1; usually 1")
]

Only = Annotated[
    Annotated[Literal["all", "mismatches"], OneOf(("all", "mismatches"))] | None,
    Blank(),
    Query(description="Only customers whose balances differ, or (usually) all"),
]

OnlyAccounts = Annotated[
    Annotated[Literal["all", "mismatches", "unmatched"], OneOf(("all", "mismatches", "unmatched"))] | None,
    Blank(),
    Query(
        description="Only accounts that do not match (mismatches), only those of them that have customers or business "
        "partners alone (unmatched), or (usually) all"
    ),
]

SyncId = Annotated[_Id | None, Blank(), Query(description="The sync; not given: the latest")]

OnlySync = Annotated[
    _Id | None, Blank(), Query(alias="sync_id", description="Only this sync; not given: whichever runs")
]

Days = Annotated[
    Annotated[int, Whole(1, 36_500)] | None, Blank(), Query(description="Syncs started in so many days; usually 7")
]

SyncStatus = Annotated[
    Annotated[Status, OneOf(get_args(Status))] | None, Blank(), Query(description="Only syncs of this status")
]

OfType = Annotated[
    Annotated[SyncType, OneOf(get_args(SyncType))] | None, Blank(), Query(description="Only syncs started so")
]

DecimalsAs = Annotated[
    Annotated[Decimals, OneOf(get_args(Decimals))],
    Query(description="How decimals are written: as JSON numbers with exactly their digits, or as strings"),
]


def in_horizon(horizon: Horizon, name: str, month: str) -> None:
    """See that a month lies in the partitions.

    Raises:
        ApiError: it does not; the parameter is named.
    """
    try:
        horizon.check(month)
    except MonthError as error:
        raise wrong(name, str(error)) from error
