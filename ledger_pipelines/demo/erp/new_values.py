"""Random new values for cells of the demo's ERP, as a user, an interface or a mistake might enter them."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.demo.erp.faults import BOOLEAN_SPELLINGS, ODD_TEXTS

_FLAG_LENGTH = 10  # declared length of a boolean column
_MOST_DIGITS = 60  # digits of an intermediate result; more than any column holds
_TIMES = (time(), time(), time(7, 30), time(23, 59, 59))
_NEWEST_NUMBER = 2_000_000_000


def another_value(column: sa.Column[Any], old: Any, year_month: str, rng: Random) -> Any:
    """Return a value that differs from the old one and fits the column; it may be NULL.

    Args:
        column: the column to change.
        old: its present value.
        year_month: month of a date that replaces NULL.
        rng: random generator.
    """
    if old is None and isinstance(column.type, sa.Date | sa.DateTime):
        return moment_in(column, year_month, rng)
    suggestions = next(make for kind, make in _SUGGESTIONS if isinstance(column.type, kind))
    values = (*suggestions(column, old, rng), None)
    return rng.choice([value for value in values if value != old and _fits(column, value)])


def moment_in(column: sa.Column[Any], year_month: str, rng: Random) -> date:
    """Return a random date, or timestamp if the column is one, in a month."""
    day = date.fromisoformat(f"{year_month}-{rng.randint(1, 28):02d}")
    return datetime.combine(day, rng.choice(_TIMES)) if isinstance(column.type, sa.DateTime) else day


def new_key(column: sa.Column[Any], rng: Random) -> Any:
    """Return a key value that is almost certainly new."""
    number = rng.randrange(_NEWEST_NUMBER // 2, _NEWEST_NUMBER)
    return number if isinstance(column.type, sa.Integer) else f"NEW-{number}"


def _texts(column: sa.Column[Any], old: str | None, rng: Random) -> Sequence[str]:
    if getattr(column.type, "length", None) == _FLAG_LENGTH:
        return [*BOOLEAN_SPELLINGS, "perhaps"]
    texts = ["", f"Changed {rng.randrange(10_000)}"]
    if isinstance(column.type, sa.Unicode):
        texts.append(rng.choice(list(ODD_TEXTS.values())))
    return texts if old is None else [*texts, old.swapcase(), f"{old} ", old[:-1]]


def _numbers(_column: sa.Column[Any], old: int | None, rng: Random) -> Sequence[int]:
    return [(old or 0) + rng.randint(1, 9), -(old or 1)]


def _decimals(column: sa.Column[Any], old: Decimal | None, rng: Random) -> Sequence[Decimal]:
    """Return the next larger number, the negated number, zero, and a larger number; exact for any number of digits."""
    scale = getattr(column.type, "scale", 0) or 0
    value = Decimal(0) if old is None else old
    with localcontext(prec=_MOST_DIGITS):
        return [value + Decimal(1).scaleb(-scale), -value, Decimal(0), value + rng.randint(1, 500)]


def _dates(_column: sa.Column[Any], old: date, rng: Random) -> Sequence[date]:
    return [old + timedelta(days=rng.randint(1, 20)), old - timedelta(days=rng.randint(1, 20))]


_SUGGESTIONS: tuple[
    tuple[type[sa.types.TypeEngine[Any]], Callable[[sa.Column[Any], Any, Random], Sequence[Any]]], ...
] = (
    (sa.String, _texts),
    (sa.Integer, _numbers),
    (sa.Numeric, _decimals),
    (sa.DateTime, _dates),
    (sa.Date, _dates),
)


def _fits(column: sa.Column[Any], value: object) -> bool:
    """Return whether a value fits a column."""
    type_ = column.type
    if isinstance(value, str) and isinstance(type_, sa.String):
        return len(value) <= (type_.length or 0)
    if isinstance(value, Decimal) and isinstance(type_, sa.Numeric):
        return abs(value).adjusted() < (type_.precision or 0) - (type_.scale or 0)
    return True
