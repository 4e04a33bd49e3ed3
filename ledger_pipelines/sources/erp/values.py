"""Conversion of the drivers' values to the kind of their column.

Each function converts one value that is not of its kind's type yet. For a number, a date or a boolean, blank text
counts as missing.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ledger_pipelines.rejection_reasons import ReasonCode
from ledger_pipelines.sources.erp.catalogue import Kind
from ledger_pipelines.sources.values import UnusableError, is_missing, quote_value

_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE](?P<exponent>[+-]?\d{1,9}))?", re.ASCII)
_MOST_DIGITS = 1_000
_TRUE = frozenset({"yes", "true", "1", "y"})
_FALSE = frozenset({"no", "false", "0", "n"})


def _text(value: Any, column: str) -> str:
    """Convert a value of a column that is not text at the source."""
    if isinstance(value, bytes | bytearray | memoryview):
        raise UnusableError(ReasonCode.BINARY, column=column)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _decimal(value: Any, column: str) -> Decimal | None:
    """Convert to a decimal with all digits; a float becomes the shortest decimal that identifies it, as displayed."""
    if is_missing(value):
        return None
    if isinstance(value, Decimal):
        return value
    found = None if isinstance(value, bool | bytes) else _NUMBER.fullmatch(str(value).strip())
    if found is None or abs(int(found["exponent"] or 0)) > _MOST_DIGITS or len(found[0]) > _MOST_DIGITS:
        raise UnusableError(ReasonCode.NOT_A_NUMBER, column=column, value=quote_value(str(value)))
    return Decimal(found[0])


def _integer(value: Any, column: str) -> int | None:
    if isinstance(value, bool):
        return int(value)
    parsed = _decimal(value, column)
    if parsed is not None and parsed != parsed.to_integral_value():
        raise UnusableError(ReasonCode.NOT_A_WHOLE_NUMBER, column=column, value=quote_value(str(value)))
    return None if parsed is None else int(parsed)


def _date(value: Any, column: str) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if is_missing(value):
        return None
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnusableError(ReasonCode.NOT_A_DATE, column=column, value=quote_value(str(value)))
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        raise UnusableError(ReasonCode.NOT_A_DATE, column=column, value=quote_value(value)) from None


def _boolean(value: Any, column: str) -> bool | None:
    if is_missing(value):
        return None
    text = str(value[-1] if isinstance(value, bytes) and value else value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise UnusableError(ReasonCode.NOT_A_BOOLEAN, column=column, value=quote_value(str(value)))


#: Types of each kind that need no conversion.
PLAIN: dict[Kind, frozenset[type]] = {
    Kind.TEXT: frozenset({str, type(None)}),
    Kind.INTEGER: frozenset({int, type(None)}),
    Kind.DECIMAL: frozenset({Decimal, type(None)}),
    Kind.DATE: frozenset({date, type(None)}),
    Kind.BOOLEAN: frozenset({bool, type(None)}),
}

_CONVERT: dict[Kind, Callable[[Any, str], Any]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.DATE: _date,
    Kind.BOOLEAN: _boolean,
}


def convert(kind: Kind, value: Any, column: str) -> Any:
    """Convert a value to the kind of its column.

    Raises:
        UnusableError: the value cannot be converted; the reason names the column.
    """
    return value if type(value) in PLAIN[kind] else _CONVERT[kind](value, column)
