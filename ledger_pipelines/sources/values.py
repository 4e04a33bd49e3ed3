"""Numbers, moments and JSON out of dirty text: exact, or an `UnusableError` that says why not.

The rules are those of docs/rules.md, "Moments, months, numbers". Nothing here knows a table.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_MOMENT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_MOST_DIGITS_BEFORE_POINT = 15
_MOST_DECIMALS = 40
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,6})?")
_LONGEST_NUMBER = 400
_DEEPEST = 50


class UnusableError(Exception):
    """A value, or a row because of it, cannot be used; the message is the reason kept with the rejected row.

    Attributes:
        year_month: The month of the row, where it is known and within the partitions.
    """

    def __init__(self, reason: str, year_month: str | None = None) -> None:
        super().__init__(reason)
        self.year_month = year_month


class _JsonNumber(str):
    """The text of a JSON number, until somebody asks for its value."""

    __slots__ = ()


def parse_json(text: str | None) -> Any:
    """Parse JSON, unwrapping JSON strings that hold JSON; ``None`` and blank text are ``None``.

    Numbers come back as text (`_JsonNumber`), so that no digit is lost and none is computed before it is needed;
    read them with `number`.

    Raises:
        UnusableError: the text is not JSON.
    """
    value: Any = text
    while isinstance(value, str) and not isinstance(value, _JsonNumber):
        if not value.strip():
            return None
        try:
            value = json.loads(value, parse_float=_JsonNumber, parse_int=_JsonNumber, parse_constant=_JsonNumber)
        except (ValueError, RecursionError) as error:
            raise UnusableError(f"not JSON: {error}") from None
    return value


def is_missing(value: object) -> bool:
    """True for ``None`` and blank text: what the rules call missing."""
    return value is None or (isinstance(value, str) and not value.strip())


def number(value: object, name: str) -> Decimal | None:
    """The number that a value is, or ``None`` if it is missing.

    Args:
        value: A value out of `parse_json`, or out of a database column.
        name: What to call it in the message.

    Raises:
        UnusableError: it is not a number, or out of the range that the ledger computes with.
    """
    if is_missing(value):
        return None
    if isinstance(value, Decimal):
        parsed = value
    elif isinstance(value, int) and not isinstance(value, bool):  # a column of whole numbers; JSON's come as text
        parsed = Decimal(value)
    else:
        if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
            raise UnusableError(f"{name} is not a number: {shown(value)}")
        parsed = Decimal(value.strip())
    exponent = parsed.as_tuple().exponent
    if not isinstance(exponent, int):
        raise UnusableError(f"{name} is not a number: {shown(value)}")
    if -exponent > _MOST_DECIMALS:
        raise UnusableError(f"{name} has more than {_MOST_DECIMALS} decimals: {shown(value)}")
    if parsed and parsed.adjusted() >= _MOST_DIGITS_BEFORE_POINT:
        raise UnusableError(f"{name} is out of range (10^{_MOST_DIGITS_BEFORE_POINT} or more): {shown(value)}")
    return parsed


def moment(value: object, name: str, zone: ZoneInfo) -> datetime | None:
    """The moment that a text is, in ``zone`` unless it names an offset, or ``None`` if it is missing.

    Raises:
        UnusableError: it is not a moment, or one that the calendar does not have.
    """
    if is_missing(value):
        return None
    found = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnusableError(f"{name} is not a moment: {shown(value)}; expected YYYY-MM-DD HH:MM:SS")
    date, time, offset = found["date"], found["time"] or "00:00", found["offset"] or ""
    try:
        parsed = datetime.fromisoformat(f"{date}T{time}{offset}")
        return parsed.replace(tzinfo=zone) if parsed.tzinfo is None else parsed.astimezone(zone)
    except (ValueError, OverflowError) as error:
        raise UnusableError(f"{name} is not a moment: {shown(value)}; {error}") from None


def is_bare_date(value: object) -> bool:
    """True if a moment's text gives no time of day."""
    return isinstance(value, str) and len(value.strip()) == len("2025-03-31")


def whole_second(value: datetime) -> datetime:
    """The moment with its fraction of a second cut off."""
    return value.replace(microsecond=0)


def later(value: datetime, by: timedelta) -> datetime:
    """The moment ``by`` later, or the last one there is: some people write 9999-12-31 for "until further notice"."""
    try:
        return value + by
    except OverflowError:
        return datetime.max.replace(tzinfo=value.tzinfo)


def period(entry: Mapping[str, Any], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a custom period, and the first after it.

    Both ends are inclusive to the second; an end that is a bare date includes that day.

    Raises:
        UnusableError: an end is missing or unparsable, or the period ends before it starts.
    """
    start, end = (moment(entry.get(name), name, zone) for name in ("start_date", "end_date"))
    if start is None or end is None:
        raise UnusableError(f"{'start_date' if start is None else 'end_date'} is missing")
    inclusive = timedelta(days=1) if is_bare_date(entry["end_date"]) else timedelta(seconds=1)
    start, after = whole_second(start), later(whole_second(end), inclusive)
    if after <= start:
        raise UnusableError(f"the period ends before it starts: {entry['start_date']} to {entry['end_date']}")
    return start, after


def shown(value: object, longest: int = 60) -> str:
    """A value for a message: as JSON, cut to a readable length."""
    text = str(value) if isinstance(value, _JsonNumber) else json.dumps(value, ensure_ascii=False, default=str)
    return storable(text if len(text) <= longest else f"{text[:longest]}…")


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot store: NUL becomes U+FFFD, half a surrogate pair a question mark."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def text_of(value: object) -> str | None:
    """A free-text field as storable text; other JSON values as their JSON, missing ones as ``None``."""
    if value is None:
        return None
    return storable(value if isinstance(value, str) else encode(value))


def encode(value: object, depth: int = 0) -> str:
    """A value out of `parse_json` as JSON text again, its numbers digit for digit.

    What PostgreSQL's jsonb could not hold is written as text: numbers of absurd length and, in one character, what is
    nested absurdly deep.
    """
    if depth > _DEEPEST:
        return '"…"'
    if isinstance(value, _JsonNumber):
        plain = (
            len(value) <= _LONGEST_NUMBER and _JSON_NUMBER.fullmatch(value) and abs(_exponent(value)) <= _LONGEST_NUMBER
        )
        return str(value) if plain else json.dumps(str(value))
    if isinstance(value, str):
        return json.dumps(storable(value), ensure_ascii=False)
    if isinstance(value, Mapping):
        items = (
            f"{json.dumps(storable(key), ensure_ascii=False)}: {encode(item, depth + 1)}" for key, item in value.items()
        )
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(encode(item, depth + 1) for item in value)}]"
    return json.dumps(value)


def _exponent(text: str) -> int:
    return int(text.lower().partition("e")[2] or 0)
