"""Ids of the billing application: which of them the ledger computes with, and what it keeps of the others.

The application's ids are BIGINT UNSIGNED in MySQL, the warehouse's are BIGINT. A row with an id that is none of ours is
rejected, and noticed, corrected and deleted like any other rejected row.
"""

from decimal import Decimal
from typing import Any, TypeGuard

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""What a BIGINT holds."""

NOBODY = 0
"""Stands, in a scope of customers and in a queued change, for every customer id that a BIGINT does not hold."""


def is_usable(value: object) -> TypeGuard[int]:
    """Return True for an id that the ledger computes with: a whole number from 1 to `LARGEST`."""
    return isinstance(value, int) and 1 <= value <= LARGEST


def fits(value: object) -> TypeGuard[int]:
    """Return True for an id that a BIGINT holds."""
    return isinstance(value, int) and SMALLEST <= value <= LARGEST


def held(value: Any) -> int | None:
    """Return the id, or None where a BIGINT does not hold it."""
    return value if fits(value) else None


def of_text(text: str) -> Any:
    """Return the id that a text is, such as `ops.rejected_rows` names a row by."""
    return whole(Decimal(text))


def whole(value: Decimal) -> Any:
    """Return a NUMERIC id as an integer; one with decimals, which no other type could tell apart, stays as it is."""
    return int(value) if value.is_finite() and value == value.to_integral_value() else value
