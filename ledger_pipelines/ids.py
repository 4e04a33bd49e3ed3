"""Ids of the billing application: the range that the ledger uses, and the treatment of ids outside it.

The application's ids are BIGINT UNSIGNED in MySQL; the warehouse's are BIGINT. A row with an unusable id is rejected.
Its changes and its deletion are detected as for any other rejected row.
"""

from decimal import Decimal
from typing import Any, TypeGuard

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""Bounds of a BIGINT."""

UNSTORABLE_ID = 0
"""Placeholder, in a scope and in a queued change, for every customer id that does not fit into a BIGINT."""


def is_usable_id(value: object) -> TypeGuard[int]:
    """Return whether the ledger uses the id: an integer from 1 to `LARGEST`."""
    return isinstance(value, int) and 1 <= value <= LARGEST


def fits_bigint(value: object) -> TypeGuard[int]:
    """Return whether the id fits into a BIGINT."""
    return isinstance(value, int) and SMALLEST <= value <= LARGEST


def bigint_or_none(value: Any) -> int | None:
    """Return the id, or None if it does not fit into a BIGINT."""
    return value if fits_bigint(value) else None


def parse_id(text: str) -> Any:
    """Parse an id from text, such as the id of a row in `ops.rejected_rows`."""
    return integral_or_same(Decimal(text))


def integral_or_same(value: Decimal) -> Any:
    """Return a NUMERIC id as an integer; an id with decimals stays a Decimal, so that it keeps its identity."""
    return int(value) if value.is_finite() and value == value.to_integral_value() else value
