"""Sums of exact numbers outside the database: Python's decimals round to 28 digits unless they are told otherwise."""

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

#: Room for every digit that the warehouse can hold.
EXACT = Context(prec=200)


def total(values: Iterable[Decimal], decimals: int) -> Decimal:
    """The sum of numbers that have so many decimals; 0 with as many if there are none."""
    with localcontext(EXACT):
        return sum(values, Decimal(0).scaleb(-decimals))
