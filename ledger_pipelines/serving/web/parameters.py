"""Types of the request parameters: validation, error messages and OpenAPI descriptions."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fastapi import Path, Query
from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ledger_pipelines import ids
from ledger_pipelines.horizon import MONTH_PATTERN, Horizon, MonthError, parse_month
from ledger_pipelines.serving.web.errors import invalid_parameter
from ledger_pipelines.warehouse.tables.erp import SyncStatus, SyncType

_MAX_PAGE = 1_000_000
DEFAULT_PER_PAGE = 10
_MAX_PER_PAGE = 100
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")

#: JSON representation of decimals.
Decimals = Literal["number", "string"]


@dataclass(frozen=True)
class WholeNumber:
    """Validator for a whole number within bounds."""

    low: int
    high: int

    def parse(self, value: object) -> int:
        """Return the number.

        Raises:
            ValueError: not a whole number, or out of bounds; the message gives the bounds.
        """
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise ValueError(f"expected a whole number from {self.low} to {self.high}")
        return value

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema for validation."""
        return core_schema.no_info_before_validator_function(self.parse, core_schema.int_schema())

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema for OpenAPI."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class OneOf:
    """Validator for one of several words."""

    choices: tuple[str, ...]

    def parse(self, value: object) -> object:
        """Return the word.

        Raises:
            ValueError: not one of the words; the message lists them.
        """
        if value not in self.choices:
            raise ValueError(f"expected {', '.join(self.choices[:-1])} or {self.choices[-1]}")
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema for validation."""
        return core_schema.no_info_before_validator_function(self.parse, handler(source))


class EmptyAsNone:
    """Validator of an optional parameter; an empty one (`?status=`) counts as not given."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema for validation."""
        return core_schema.no_info_before_validator_function(lambda value: value or None, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema for OpenAPI."""
        alternatives = [part for part in handler(schema)["anyOf"] if part != {"type": "null"}]
        return {"anyOf": [*alternatives, {"type": "string", "maxLength": 0}]}


Month = Annotated[
    str,
    AfterValidator(parse_month),
    WithJsonSchema({"type": "string", "pattern": f"^{MONTH_PATTERN}$", "examples": ["2025-03"]}),
]
"""Month key, such as 2025-03."""

Id = Annotated[int, WholeNumber(1, ids.LARGEST)]

CustomerId = Annotated[Id, Path(alias="id", description="The customer's id: `users.id` of the billing application")]

YearMonth = Annotated[
    Month | None, EmptyAsNone(), Query(description="Month (YYYY-MM, WIB). Default: the ledger's current month")
]

StartMonth = Annotated[
    Month | None,
    EmptyAsNone(),
    Query(description="First month to recalculate (YYYY-MM, WIB). Default: the first month of the ledger"),
]

Year = Annotated[
    Annotated[int, WholeNumber(1970, 2999)] | None,
    EmptyAsNone(),
    Query(description="Year. Default: the year of the ledger's current month"),
]

PerPage = Annotated[
    Annotated[int, WholeNumber(1, _MAX_PER_PAGE)] | None,
    EmptyAsNone(),
    Query(description=f"Number of items per page. Default: {DEFAULT_PER_PAGE}"),
]

Page = Annotated[
    Annotated[int, WholeNumber(1, _MAX_PAGE)] | None,
    EmptyAsNone(),
    Query(description="Page number, from 1. Default: 1"),
]

ComparisonFilter = Annotated[
    Annotated[Literal["all", "mismatches"], OneOf(("all", "mismatches"))] | None,
    EmptyAsNone(),
    Query(description="`mismatches`: only customers whose balances differ. Default: `all`"),
]

AccountFilter = Annotated[
    Annotated[Literal["all", "mismatches", "unmatched"], OneOf(("all", "mismatches", "unmatched"))] | None,
    EmptyAsNone(),
    Query(
        description="`mismatches`: only accounts that do not match. `unmatched`: only customers without a business "
        "partner and business partners without a customer. Default: `all`"
    ),
]

SyncId = Annotated[Id | None, EmptyAsNone(), Query(description="Id of the sync. Default: the latest sync")]

CancelSyncId = Annotated[
    Id | None, EmptyAsNone(), Query(alias="sync_id", description="Cancel only this sync. Default: the running sync")
]

Days = Annotated[
    Annotated[int, WholeNumber(1, 36_500)] | None,
    EmptyAsNone(),
    Query(description="Number of days to look back. Default: 7"),
]

SyncStatusFilter = Annotated[
    Annotated[SyncStatus, OneOf(get_args(SyncStatus))] | None, EmptyAsNone(), Query(description="Filter by status")
]

SyncTypeFilter = Annotated[
    Annotated[SyncType, OneOf(get_args(SyncType))] | None,
    EmptyAsNone(),
    Query(description="Filter by type: started by a user (`manual`) or by the schedule (`scheduled`)"),
]

DecimalsParameter = Annotated[
    Annotated[Decimals, OneOf(get_args(Decimals))],
    Query(description="Representation of decimals: JSON numbers with exactly their digits, or strings"),
]


def check_month_in_horizon(horizon: Horizon, name: str, month: str) -> None:
    """Check that a month lies within the ledger's horizon.

    Raises:
        ApiError: the month is outside the horizon (422 for the parameter `name`).
    """
    try:
        horizon.require_month(month)
    except MonthError as error:
        raise invalid_parameter(name, str(error)) from error
