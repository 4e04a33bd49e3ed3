"""Basic rules of docs/rules.md: JSON text, numbers, moments, months, rounding.

Nothing here depends on a decimal context: numbers are parsed digit by digit, arithmetic is done in
`Fraction`, and `rounded` builds a `Decimal` from its digits.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Final, NoReturn, TypeAlias

BLANKS: Final = " \t\r\n\f\v"
NUMBER_LIMIT: Final = 10**15
MAX_PLACES: Final = 40
MAX_JSON_DEPTH: Final = 100


@dataclass(frozen=True)
class Numeral:
    """JSON number (or one of the tokens NaN and Infinity) as written."""

    text: str


Json: TypeAlias = "bool | str | Numeral | list[Json] | dict[str, Json] | None"


class NotJsonError(ValueError):
    """Error for text of a JSON column that cannot be read."""


class NotANumberError(ValueError):
    """Error for a value that is present but not a number within the limits."""


class UnparsableError(ValueError):
    """Error for a value that is present but not a moment."""


def read_json(text: str) -> Json:
    """Return the value of a JSON column, unwrapped from strings that hold JSON; blank text is None.

    Raises:
        NotJsonError: the text, or the text inside it, is not JSON, or is nested deeper than 100 levels.
    """
    value: Json = text
    while isinstance(value, str):
        if not value.strip(BLANKS):
            return None
        try:
            value = json.loads(value, parse_float=Numeral, parse_int=Numeral, parse_constant=Numeral)
        except (ValueError, RecursionError) as problem:
            raise NotJsonError(text[:80]) from problem
        if depth(value) > MAX_JSON_DEPTH:
            raise NotJsonError(text[:80])
    return value


def depth(value: Json) -> int:
    """Return the number of lists and objects that are nested in the value, itself included."""
    levels, level = 0, [value]
    while level := [element for element in level if isinstance(element, list | dict)]:
        levels += 1
        level = [item for element in level for item in (element.values() if isinstance(element, dict) else element)]
    return levels


def write_json(value: Json) -> str:
    """Return the JSON text of a value; a number is written digit for digit."""
    if isinstance(value, Numeral):
        return value.text
    if isinstance(value, list):
        return "[" + ", ".join(write_json(element) for element in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {write_json(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def is_missing(value: Json) -> bool:
    """Return True if the value is missing: null (an absent key is read as null) or blank text."""
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<whole>[0-9]+)\.?(?P<part>[0-9]*)|\.(?P<bare>[0-9]+))(?:[eE](?P<exponent>[+-]?[0-9]{1,9}))?"
)


def number(value: Json) -> Decimal | None:
    """Return the number in a JSON number or text, with every digit; None if missing.

    Raises:
        NotANumberError: not a number, 10¹⁵ or more in magnitude, or more than 40 decimal places.
    """
    if is_missing(value):
        return None
    text = value.text if isinstance(value, Numeral) else value.strip(BLANKS) if isinstance(value, str) else ""
    match = _NUMBER.fullmatch(text)
    if match is None:
        _refuse(value)
    part = match["bare"] or match["part"] or ""
    digits = ((match["whole"] or "") + part).lstrip("0")
    places = len(part) - int(match["exponent"] or 0)
    whole_digits = len(digits) - places
    if places > MAX_PLACES or (digits and whole_digits > len(str(NUMBER_LIMIT)) - 1):
        _refuse(value)
    if digits and places < 0:
        digits += "0" * -places
    sign = 1 if match["sign"] == "-" else 0
    return Decimal((sign, tuple(int(digit) for digit in digits or "0"), -max(places, 0)))


def column_number(value: Decimal | None) -> Decimal | None:
    """Return the number of a database column, within the same limits; None if it is NULL.

    Raises:
        NotANumberError: as `number`.
    """
    return None if value is None else number(Numeral(str(value)))


def _refuse(value: Json) -> NoReturn:
    raise NotANumberError(str(value)[:80])


@dataclass(frozen=True)
class Moment:
    """Moment in the company's zone, and whether the text was a bare date."""

    at: datetime
    bare_date: bool

    @property
    def to_the_second(self) -> datetime:
        """Moment without its fraction of a second."""
        return self.at.replace(microsecond=0)

    @property
    def last_second(self) -> datetime:
        """Last second that the text includes: for a bare date the last second of that day."""
        return self.at.replace(hour=23, minute=59, second=59) if self.bare_date else self.to_the_second

    @property
    def month(self) -> str:
        """Month in the company's zone, 'YYYY-MM'."""
        return f"{self.at.year:04}-{self.at.month:02}"


_MOMENT = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?P<time>[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?)?"
    r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def moment(value: Json, zone: tzinfo) -> Moment | None:
    """Return the moment in a JSON text, converted to the zone; None if missing.

    Raises:
        UnparsableError: not text, of another form, or a date or time that does not exist.
    """
    if is_missing(value):
        return None
    match = _MOMENT.fullmatch(value.strip(BLANKS)) if isinstance(value, str) else None
    if match is None:
        raise UnparsableError(str(value)[:80])
    try:
        at = datetime(
            int(match["year"]),
            int(match["month"]),
            int(match["day"]),
            int(match["hour"] or 0),
            int(match["minute"] or 0),
            int(match["second"] or 0),
            int((match["fraction"] or "0").ljust(6, "0")),
            tzinfo=_offset(match["offset"]) or zone,
        )
        return Moment(at.astimezone(zone), bare_date=match["time"] is None)
    except (ValueError, OverflowError) as problem:
        raise UnparsableError(str(value)[:80]) from problem


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        raise UnparsableError(text)
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if text[0] == "-" else size)


_YEAR_MONTH = re.compile(r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])")


def is_year_month(value: Json) -> bool:
    """Return True if the value is text of the form YYYY-MM, year 0001 to 9999, month 01 to 12."""
    return isinstance(value, str) and _YEAR_MONTH.fullmatch(value) is not None


def months(first: str, last: str) -> Iterator[str]:
    """Yield every month from `first` to `last`, both included, 'YYYY-MM'."""
    start, end = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last))
    for index in range(start, end + 1):
        yield f"{index // 12:04}-{index % 12 + 1:02}"


def rounded(value: Fraction, places: int) -> Decimal:
    """Return the value with that many decimals, rounded half away from zero."""
    units = (abs(value) * 10**places * 2 + 1) // 2
    return Decimal((1 if value < 0 else 0, tuple(int(digit) for digit in str(units)), -places))
