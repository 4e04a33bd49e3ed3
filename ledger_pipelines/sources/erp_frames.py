"""Rows of an ERP table as pandas frames, validated by a pandera schema made from the catalogue.

A million rows of dozens of columns go through here. So each column is handled at once, and looked at value by value
only where something about it is unusual.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from ledger_pipelines.sources.erp_tables import ErpTable, Kind
from ledger_pipelines.sources.erp_values import PLAIN, convert
from ledger_pipelines.sources.validation import validate
from ledger_pipelines.sources.values import UnusableError, storable

#: The longest text that is taken for text: what is longer is a document, or a fault.
LONGEST_TEXT = 100_000
_LARGEST_INTEGER = 2**63 - 1
_MOMENTS = frozenset((datetime, type(None)))

RawRow = tuple[Any, ...]


@dataclass(frozen=True)
class Frame:
    """A chunk of an ERP table after conversion and validation.

    Attributes:
        rows: All rows of the chunk, each value as its column's kind holds it (None where it could not be).
        days: Of each row the first of the month columns that is not null; None without any, and in snapshots.
        failures: Why rows cannot be used, by position.
    """

    rows: pd.DataFrame
    days: Sequence[date | None]
    failures: dict[int, str]


def frame(table: ErpTable, chunk: Sequence[RawRow]) -> Frame:
    """Convert and validate a chunk of raw rows, whose values are in the order of the catalogue's columns."""
    unusable: dict[str, dict[int, str]] = {}
    columns: dict[str, Sequence[Any]] = {}
    for column, values in zip(table.columns, zip(*chunk, strict=True), strict=True):
        columns[column.name], unusable[column.name] = _converted(column.kind, values)
    failures = {position: f"{name}: {why}" for name, of in reversed(unusable.items()) for position, why in of.items()}
    rows = pd.DataFrame({name: pd.Series(of_column, dtype=object) for name, of_column in columns.items()}, copy=False)
    try:
        validate(schema(table), rows)
    except SchemaErrors as errors:
        for case in errors.failure_cases.itertuples():
            if case.index is None or pd.isna(case.index):
                raise
            position, name = int(case.index), str(case.column)
            failures.setdefault(position, f"{name}: {_why_unusable(columns[name][position])}")
    return Frame(rows, _days(table, columns, unusable), failures)


def _converted(kind: Kind, values: Sequence[Any]) -> tuple[Sequence[Any], dict[int, str]]:
    """The values as their kind holds them, and by position why some cannot be (None stands in their place)."""
    types = set(map(type, values))
    if types <= PLAIN[kind]:
        return values, {}
    if kind is Kind.DATE and types <= _MOMENTS:
        # Thousands of moments, hundreds of days: what is made once for each is also held and written but once.
        days = {moment: moment and moment.date() for moment in set(values)}
        return list(map(days.__getitem__, values)), {}
    made, unusable = list(values), dict[int, str]()
    for position, value in enumerate(values):
        try:
            made[position] = convert(kind, value)
        except UnusableError as reason:
            made[position], unusable[position] = None, str(reason)
    return made, unusable


def _days(
    table: ErpTable, columns: Mapping[str, Sequence[Any]], unusable: Mapping[str, Mapping[int, str]]
) -> list[date | None]:
    """The day of each row; one that has an unusable value where its day would be has none, for it would be a guess."""
    days: list[date | None] = [None] * len(columns[table.names[0]])
    undatable: set[int] = set()
    for name in table.month_columns:
        undatable.update(position for position in unusable[name] if days[position] is None)
        days = [day or then for day, then in zip(days, columns[name], strict=True)]
    for position in undatable:
        days[position] = None
    return days


@cache
def schema(table: ErpTable) -> pa.DataFrameSchema:
    """What the rows of a table must fulfil once they are converted.

    That the columns are of objects is not stated: to compare types, pandera looks for a library that is not installed,
    anew for each column, and a twentieth of the time goes there.
    """
    return pa.DataFrameSchema(
        {column.name: pa.Column(None, checks=_CHECKS[column.kind], nullable=True) for column in table.columns}
    )


def raw_row(table: ErpTable, row: RawRow) -> str:
    """A row as the source holds it, as JSON, numbers and dates as text."""
    values = zip(table.names, row, strict=True)
    return json.dumps({name: _raw(value) for name, value in values}, ensure_ascii=False)


def name_of(table: ErpTable, row: RawRow) -> str:
    """What a row is called: the values of its identifying columns, as far as it has them."""
    of = dict(zip(table.names, row, strict=True))
    return ", ".join(f"{name}={_raw(of[name])}" for name in table.key if of[name] is not None)[:200]


def _raw(value: Any) -> str | bool | None:
    if value is None or isinstance(value, bool):
        return value
    return storable(value.hex() if isinstance(value, bytes) else str(value))


def _why_unusable(value: Any) -> str | None:
    """What is wrong with a value of its column's kind; None if nothing is."""
    if isinstance(value, str):
        if "\x00" in value:
            return "contains NUL"
        if len(value) > LONGEST_TEXT:
            return f"longer than {LONGEST_TEXT:,} characters"
        return None if _encodable(value) else "half a character (a lone surrogate)"
    if isinstance(value, Decimal) and not value.is_finite():
        return "not a finite number"
    if isinstance(value, int) and not _within(value):
        return "out of range (64 bits)"
    return None


def _texts_are_usable(texts: Sequence[str]) -> bool:
    together = "".join(texts)
    is_short = len(together) <= LONGEST_TEXT or max(map(len, texts)) <= LONGEST_TEXT
    return is_short and "\x00" not in together and _encodable(together)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _within(value: int) -> bool:
    return -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER


def _check(all_are_usable: Callable[[Sequence[Any]], bool]) -> pa.Check:
    """A check that looks at a whole column at once, and at each value only if one of them is not usable.

    Args:
        all_are_usable: Whether the values of a column are; it is spared those that always are: None, empty text and 0.
    """

    def check(series: "pd.Series[Any]") -> "bool | pd.Series[bool]":
        if all_are_usable(list(filter(None, series.tolist()))):
            return True
        return series.map(lambda value: _why_unusable(value) is None).astype(bool)

    # A Decimal that is NaN is "not available" to pandas, and must not pass as NULL: what to skip is said above.
    return pa.Check(check, name="usable", ignore_na=False)


_CHECKS = {
    Kind.TEXT: [_check(_texts_are_usable)],
    Kind.DECIMAL: [_check(lambda numbers: all(map(Decimal.is_finite, numbers)))],
    Kind.INTEGER: [_check(lambda numbers: not numbers or (_within(min(numbers)) and _within(max(numbers))))],
    Kind.DATE: [],
    Kind.BOOLEAN: [],
}
