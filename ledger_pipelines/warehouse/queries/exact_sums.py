"""Exact sums of decimals in Python, whose default context rounds to 28 digits."""

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

#: Enough digits for every number that the warehouse can hold.
EXACT_CONTEXT = Context(prec=200)


def exact_total(values: Iterable[Decimal], decimals: int) -> Decimal:
    """Return the sum of numbers with ``decimals`` decimal places; without values, 0 with as many places."""
    with localcontext(EXACT_CONTEXT):
        return sum(values, Decimal(0).scaleb(-decimals))
