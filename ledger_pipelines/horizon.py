"""Months of the ledger: their keys (``2025-03``), their boundaries in the company's time zone, and the horizon.

This module holds calendar arithmetic on month keys without any library. Dagster's partitions are in
``defs/partitions.py``.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ledger_pipelines.errors import LedgerError

MONTH_PATTERN = "[0-9]{4}-(0[1-9]|1[0-2])"
"""Regular expression of a month key."""


class MonthError(LedgerError, ValueError):
    """A text is not a month, or the month lies outside the horizon; the message says what is expected."""

    http_status = 422


def is_month(text: str) -> bool:
    """Return whether ``text`` is a month key."""
    return re.fullmatch(MONTH_PATTERN, text) is not None


def parse_month(text: str) -> str:
    """Return ``text`` as a month key.

    Raises:
        MonthError: The text does not have the form ``YYYY-MM``.
    """
    if not is_month(text):
        raise MonthError(f"{text!r} is not a month: expected YYYY-MM, for example 2025-03")
    return text


def month_of(moment: datetime, zone: ZoneInfo) -> str:
    """Return the month of an aware moment in ``zone``; on the first and last days of the calendar, in its own zone."""
    try:
        local = moment.astimezone(zone)
    except OverflowError:
        local = moment
    return f"{local.year:04d}-{local.month:02d}"


def shift_month(month: str, by: int) -> str:
    """Return the month ``by`` months after ``month`` (before, if negative).

    The result is counted in months, so day 31 cannot overflow into another month.
    """
    ordinal = int(month[:4]) * 12 + int(month[5:]) - 1 + by
    return f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}"


def month_start(month: str, zone: ZoneInfo) -> datetime:
    """Return the first moment of ``month`` in ``zone``."""
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=zone)


def months_between(first: str, last: str) -> tuple[str, ...]:
    """Return the months from ``first`` to ``last``, both included; none if ``last`` is earlier."""
    months = []
    while first <= last:
        months.append(first)
        first = shift_month(first, 1)
    return tuple(months)


@dataclass(frozen=True)
class Horizon:
    """Months of the ledger: from the first month of the partitions to the current one, both included."""

    first: str
    current: str
    zone: ZoneInfo

    @classmethod
    def at(cls, moment: datetime, *, first: str, zone: ZoneInfo) -> "Horizon":
        """Return the horizon whose current month is the month of ``moment``."""
        return cls(first=parse_month(first), current=month_of(moment, zone), zone=zone)

    @property
    def months(self) -> tuple[str, ...]:
        """Months of the horizon, in order."""
        return months_between(self.first, self.current)

    def require_month(self, month: str) -> str:
        """Return ``month`` if it lies in the horizon.

        Raises:
            MonthError: It is not a month, or lies outside the horizon; the message names the limit and the setting.
        """
        parse_month(month)
        if month > self.current:
            raise MonthError(f"{month} is in the future: the current month is {self.current}")
        if month < self.first:
            raise MonthError(
                f"{month} is before {self.first}, the first month of the partitions; "
                "set LEDGER_FIRST_MONTH to an earlier month"
            )
        return month


@dataclass(frozen=True)
class Scope:
    """Months and customers of one run; without ``customers``, all customers.

    ``months`` is sorted and not empty. `ids.UNSTORABLE_ID` in ``customers`` stands for all customers whose ids do not
    fit into a BIGINT.
    """

    months: tuple[str, ...]
    customers: tuple[int, ...] | None = None

    @property
    def covers_all_customers(self) -> bool:
        """Whether the scope covers every customer."""
        return self.customers is None

    def covers(self, months: Collection[str], customers: Collection[int] | None) -> bool:
        """Return whether the scope includes these months of these customers (None: all customers)."""
        if not set(months) <= set(self.months):
            return False
        return self.customers is None or (customers is not None and set(customers) <= set(self.customers))
