"""Parser of numbers, moments and JSON in unclean text: returns exact values or raises `UnusableError` with the reason.

The rules are those of docs/rules.md, "Moments, months, numbers". This module is independent of tables.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ledger_pipelines.domain import INTEGER_DIGITS, MAX_DECIMALS
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason

#: The usual number: within all limits, and the same in JSON, Decimal and PostgreSQL.
_PLAIN_NUMBER = re.compile(rf"-?(?:0|[1-9][0-9]{{0,{INTEGER_DIGITS - 1}}})(?:\.[0-9]{{1,{MAX_DECIMALS}}})?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_MOMENT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,6})?")
_BRACKET_OR_STRING = re.compile(r'[\[{]|[\]}]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_MAX_NUMBER_LENGTH = 400
#: Limit of MySQL's JSON columns. Python's own limit depends on its version and on the depth of the calling stack.
MAX_JSON_DEPTH = 100
_MAX_ENCODED_DEPTH = 50


class UnusableError(Exception):
    """A value makes its row or entry unusable.

    Attributes:
        reason: The rejection reason; the message is its English text.
        year_month: Month of the row, if it is known and within the partitions.
    """

    def __init__(self, code: ReasonCode, *, year_month: str | None = None, **params: object) -> None:
        self.reason = RejectionReason.of(code, **{name: to_storable(str(value)) for name, value in params.items()})
        super().__init__(str(self.reason))
        self.year_month = year_month

    def in_month(self, year_month: str) -> "UnusableError":
        """Return the same error for a row of a known month."""
        return UnusableError(self.reason.code, year_month=year_month, **self.reason.params)


class _JsonNumber(str):
    """Text of a JSON number that has not been converted to a value yet."""

    __slots__ = ()


# Made once: json.loads and json.dumps make a decoder and an encoder for each call with options.
_decode = json.JSONDecoder(parse_float=_JsonNumber, parse_int=_JsonNumber, parse_constant=_JsonNumber).decode
_encode_text = json.JSONEncoder(ensure_ascii=False).encode


def parse_json(text: str | None) -> Any:
    """Parse JSON and unwrap JSON strings that hold JSON; return ``None`` for ``None`` and blank text.

    Numbers are returned as text (`_JsonNumber`), to keep every digit; convert them with `parse_number`.

    Raises:
        UnusableError: the text is not JSON, or nested deeper than `MAX_JSON_DEPTH`.
    """
    value: Any = text
    while isinstance(value, str) and not isinstance(value, _JsonNumber):
        if not value.strip():
            return None
        if _is_nested_too_deeply(value):
            raise UnusableError(ReasonCode.NESTED_TOO_DEEPLY, limit=MAX_JSON_DEPTH)
        try:
            value = _decode(value)
        except ValueError as error:
            raise UnusableError(ReasonCode.NOT_JSON, error=error) from None
    return value


def _is_nested_too_deeply(text: str) -> bool:
    """Return whether lists and objects in JSON text are nested deeper than `MAX_JSON_DEPTH`."""
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return False
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        match token[0][0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
        if depth > MAX_JSON_DEPTH:
            return True
    return False


def is_missing(value: object) -> bool:
    """Return whether a value is missing by the rules: ``None`` or blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def parse_number(value: object, name: str) -> Decimal | None:
    """Parse a number; return ``None`` if the value is missing.

    Args:
        value: Value from `parse_json` or from a database column.
        name: Name of the value in error messages.

    Raises:
        UnusableError: the value is not a number, or exceeds the limits of the ledger's numbers.
    """
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value):
        return Decimal(value)
    if is_missing(value):
        return None
    if isinstance(value, Decimal):
        parsed = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        parsed = Decimal(repr(value))  # a column that is not DECIMAL: keep the digits that the database shows
    else:
        if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
            raise UnusableError(ReasonCode.NOT_A_NUMBER, column=name, value=quote_value(value))
        parsed = Decimal(value.strip())
    exponent = parsed.as_tuple().exponent
    if not isinstance(exponent, int):
        raise UnusableError(ReasonCode.NOT_A_NUMBER, column=name, value=quote_value(value))
    if -exponent > MAX_DECIMALS:
        raise UnusableError(ReasonCode.TOO_MANY_DECIMALS, column=name, limit=MAX_DECIMALS, value=quote_value(value))
    if parsed and parsed.adjusted() >= INTEGER_DIGITS:
        limit = f"10^{INTEGER_DIGITS}"
        raise UnusableError(ReasonCode.OUT_OF_RANGE, column=name, limit=limit, value=quote_value(value))
    return parsed


def parse_moment(value: object, name: str, zone: ZoneInfo) -> datetime | None:
    """Parse a moment, in ``zone`` unless the text has an offset; return ``None`` if the value is missing.

    Raises:
        UnusableError: the value is not a moment, or the calendar does not have it.
    """
    if is_missing(value):
        return None
    found = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnusableError(ReasonCode.NOT_A_MOMENT, column=name, value=quote_value(value))
    date, time, offset = found["date"], found["time"] or "00:00", found["offset"] or ""
    try:
        parsed = datetime.fromisoformat(f"{date}T{time}{offset}")
        return parsed.replace(tzinfo=zone) if parsed.tzinfo is None else parsed.astimezone(zone)
    except (ValueError, OverflowError) as error:
        raise UnusableError(ReasonCode.NOT_IN_CALENDAR, column=name, value=quote_value(value), error=error) from None


def is_bare_date(value: object) -> bool:
    """Return whether the text of a moment has no time of day."""
    return isinstance(value, str) and len(value.strip()) == len("2025-03-31")


def truncate_to_second(value: datetime) -> datetime:
    """Truncate a moment to the second."""
    return value.replace(microsecond=0)


def add_clamped(value: datetime, by: timedelta) -> datetime:
    """Add ``by`` to a moment, or return the last moment of the calendar if the sum is beyond it.

    The application's users write 9999-12-31 for "until further notice".
    """
    try:
        return value + by
    except OverflowError:
        return datetime.max.replace(tzinfo=value.tzinfo)


def parse_period(entry: Mapping[str, Any], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start of a custom period, and its end as an exclusive bound.

    In the entry both ends are inclusive to the second; an end that is a bare date includes that day.

    Raises:
        UnusableError: an end is missing or unparsable, or the period ends before it starts.
    """
    start, end = (parse_moment(entry.get(name), name, zone) for name in ("start_date", "end_date"))
    if start is None or end is None:
        raise UnusableError(ReasonCode.MISSING, column="start_date" if start is None else "end_date")
    inclusive = timedelta(days=1) if is_bare_date(entry["end_date"]) else timedelta(seconds=1)
    start, after = truncate_to_second(start), add_clamped(truncate_to_second(end), inclusive)
    if after <= start:
        raise UnusableError(ReasonCode.EMPTY_PERIOD, start=entry["start_date"], end=entry["end_date"])
    return start, after


def quote_value(value: object, longest: int = 60) -> str:
    """Return a value for a message: as JSON, cut to a readable length."""
    if isinstance(value, _JsonNumber | Decimal):
        text = str(value)
    elif isinstance(value, dict | list):
        text = encode_json(value)  # json.dumps fails at some depth
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return to_storable(text if len(text) <= longest else f"{text[:longest]}…")


def to_storable(text: str) -> str:
    """Replace characters that PostgreSQL cannot store: NUL by U+FFFD, a lone surrogate by a question mark."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def parse_text(value: object) -> str | None:
    """Return a free-text field as storable text, other JSON values as JSON, and a missing value as ``None``."""
    if value is None:
        return None
    return to_storable(value if isinstance(value, str) else encode_json(value))


def encode_json(value: object, depth: int = 0) -> str:
    """Encode a value from `parse_json` as JSON text, with every digit of its numbers.

    Values that PostgreSQL's jsonb cannot hold are written as text: overlong numbers with their digits, and values that
    are nested too deeply as "…".
    """
    if depth > _MAX_ENCODED_DEPTH:
        return '"…"'
    if isinstance(value, _JsonNumber):
        if _PLAIN_NUMBER.fullmatch(value):
            return str(value)
        plain = (
            len(value) <= _MAX_NUMBER_LENGTH
            and _JSON_NUMBER.fullmatch(value)
            and abs(_exponent(value)) <= _MAX_NUMBER_LENGTH
        )
        return str(value) if plain else json.dumps(str(value))
    if isinstance(value, str):
        return _encode_text(to_storable(value))
    if isinstance(value, Mapping):
        items = (f"{_encode_text(to_storable(key))}: {encode_json(item, depth + 1)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(encode_json(item, depth + 1) for item in value)}]"
    return json.dumps(value)


def _exponent(text: str) -> int:
    return int(text.lower().partition("e")[2] or 0)
