"""Rules of docs/rules.md that Python and SQL, readers and writers share: prices, deposits, alerts, numbers."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context
from enum import StrEnum
from typing import Any

INTEGER_DIGITS = 15
"""Digits before the point that a number of the sources may have."""
MAX_DECIMALS = 40
"""Decimal places that a number of the sources may have."""
NUMBER_LIMIT = 10**INTEGER_DIGITS
"""A number, or a computed correction factor, of this magnitude or more does not count."""
AMOUNT_DIGITS = 4 * INTEGER_DIGITS
"""Digits of a stored amount or volume: enough for any product of three numbers, and for sums of such products."""
EXACT_CONTEXT = Context(prec=200, rounding=ROUND_HALF_UP)
"""Precision for every digit of a number or amount; Python's default context rounds to 28 digits."""


class PriceRule(StrEnum):
    """Rules that give a reading its price, by precedence: the first one with an entry at the reading's moment wins."""

    CUSTOM_PERIOD = "custom_period"
    MONTHLY = "monthly"
    DEFAULT = "default"

    @property
    def precedence(self) -> int:
        """Position among the rules; the smallest one wins."""
        return tuple(PriceRule).index(self)

    @property
    def label(self) -> str:
        """Name of the rule in English texts."""
        return self.replace("_", " ")


ENTRY_RULES = tuple(rule for rule in PriceRule if rule is not PriceRule.DEFAULT)
"""The rules of price entries; without an entry, the customer's default columns apply."""


class DepositKind(StrEnum):
    """Values of `keterangan` of a deposit entry, which determine the sign of its amount."""

    ADDITION = "penambahan"
    REDUCTION = "pengurangan"

    def signed(self, amount: Any, absolute: Callable[[Any], Any] = abs) -> Any:
        """Return an amount of an entry with the sign that it has in the balance.

        The sign of a Decimal is changed in the current context, which must hold all its digits.

        Args:
            amount: A number, or an SQL expression.
            absolute: Function that returns the absolute value of such an amount.
        """
        return -absolute(amount) if self is DepositKind.REDUCTION else amount


KIND_WITHOUT_KETERANGAN = DepositKind.ADDITION
"""Old entries have no `keterangan`."""


class AlertKind(StrEnum):
    """Measures of a low balance."""

    THRESHOLD = "threshold"
    DAYS_LEFT = "days_left"
