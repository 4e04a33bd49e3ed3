"""Exact sums of decimals in Python, whose default context rounds to 28 digits."""

from collections.abc import Iterable
from decimal import Decimal, localcontext

from ledger_pipelines.domain import EXACT_CONTEXT


def exact_total(values: Iterable[Decimal], decimals: int) -> Decimal:
    """Return the sum of numbers with ``decimals`` decimal places; without values, 0 with as many places."""
    with localcontext(EXACT_CONTEXT):
        return sum(values, Decimal(0).scaleb(-decimals))
