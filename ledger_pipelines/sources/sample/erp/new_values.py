"""Another value for a cell of the demo's ERP: one that a person, an interface or a mistake might put there."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.sample.erp.dirt import BOOLEANS, WORDS

_FLAG_LENGTH = 10  # what is declared shorter or as short holds a boolean
_MOST_DIGITS = 60  # of an intermediate result; more than any column holds
_TIMES = (time(), time(), time(7, 30), time(23, 59, 59))
_NEWEST_NUMBER = 2_000_000_000


def another_value(column: sa.Column[Any], old: Any, year_month: str, rng: Random) -> Any:
    """A value other than the old one, to the last character, that the column has room for; NULL among them.

    Args:
        column: where it goes.
        old: what is there.
        year_month: the month in which a date comes that takes the place of NULL.
        rng: decides.
    """
    if old is None and isinstance(column.type, sa.Date | sa.DateTime):
        return moment_in(column, year_month, rng)
    suggestions = next(make for kind, make in _SUGGESTIONS if isinstance(column.type, kind))
    values = (*suggestions(column, old, rng), None)
    return rng.choice([value for value in values if value != old and _fits(column, value)])


def moment_in(column: sa.Column[Any], year_month: str, rng: Random) -> date:
    """A day of a month, or a moment in it, as the column is declared."""
    day = date.fromisoformat(f"{year_month}-{rng.randint(1, 28):02d}")
    return datetime.combine(day, rng.choice(_TIMES)) if isinstance(column.type, sa.DateTime) else day


def new_key(column: sa.Column[Any], rng: Random) -> Any:
    """A value for a key column that no row has yet, but for a very rare chance."""
    number = rng.randrange(_NEWEST_NUMBER // 2, _NEWEST_NUMBER)
    return number if isinstance(column.type, sa.Integer) else f"NEW-{number}"


def _texts(column: sa.Column[Any], old: str | None, rng: Random) -> Sequence[str]:
    if getattr(column.type, "length", None) == _FLAG_LENGTH:
        return [*BOOLEANS, "perhaps"]
    plain = ["", f"Changed {rng.randrange(10_000)}"]
    if isinstance(column.type, sa.Unicode):
        plain.append(rng.choice(list(WORDS.values())))
    return plain if old is None else [*plain, old.swapcase(), f"{old} ", old[:-1]]


def _numbers(_column: sa.Column[Any], old: int | None, rng: Random) -> Sequence[int]:
    return [(old or 0) + rng.randint(1, 9), -(old or 1)]


def _decimals(column: sa.Column[Any], old: Decimal | None, rng: Random) -> Sequence[Decimal]:
    """The smallest step up, another sign, nothing, or somewhat more; exact, however many digits there are."""
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
    """Whether a column has room for a value."""
    type_ = column.type
    if isinstance(value, str) and isinstance(type_, sa.String):
        return len(value) <= (type_.length or 0)
    if isinstance(value, Decimal) and isinstance(type_, sa.Numeric):
        return abs(value).adjusted() < (type_.precision or 0) - (type_.scale or 0)
    return True
