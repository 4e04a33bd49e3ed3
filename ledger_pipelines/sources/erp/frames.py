"""Rows of an ERP table as pandas frames, validated by a pandera schema derived from the catalogue.

A sync converts up to a million rows of dozens of columns. So each column is handled as a whole, and value by value only
if it holds unusual values.
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

from ledger_pipelines import ids
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.sources.erp.catalogue import ErpTable, Kind
from ledger_pipelines.sources.erp.values import PLAIN, convert
from ledger_pipelines.sources.validation import validate_frame
from ledger_pipelines.sources.values import UnusableError, to_storable

#: Maximum length of a text; a longer one is a document or a fault.
LONGEST_TEXT = 100_000
_MOMENTS = frozenset((datetime, type(None)))

RawRow = tuple[Any, ...]


@dataclass(frozen=True)
class Frame:
    """Chunk of an ERP table after conversion and validation.

    Attributes:
        rows: All rows of the chunk, with values converted to their column's kind (None if that failed).
        days: Day of each row: the first month column that is not null; None if all are null, and in snapshots.
        failures: Rejection reasons of unusable rows, by position.
    """

    rows: pd.DataFrame
    days: Sequence[date | None]
    failures: dict[int, RejectionReason]


def frame(table: ErpTable, chunk: Sequence[RawRow]) -> Frame:
    """Convert and validate a chunk of raw rows with values in the catalogue's order of columns."""
    unusable: dict[str, dict[int, RejectionReason]] = {}
    columns: dict[str, Sequence[Any]] = {}
    for column, values in zip(table.columns, zip(*chunk, strict=True), strict=True):
        columns[column.name], unusable[column.name] = _converted(column.kind, values, column.name)
    failures = {position: reason for of in reversed(unusable.values()) for position, reason in of.items()}
    rows = pd.DataFrame({name: pd.Series(of_column, dtype=object) for name, of_column in columns.items()}, copy=False)
    try:
        validate_frame(schema(table), rows)
    except SchemaErrors as errors:
        for case in errors.failure_cases.itertuples():
            if case.index is None or pd.isna(case.index):
                raise
            position, name = int(case.index), str(case.column)
            if (fault := _fault(columns[name][position])) is None:
                raise
            failures.setdefault(position, RejectionReason.of(fault[0], column=name, **fault[1]))
    return Frame(rows, _days(table, columns, unusable), failures)


def _converted(kind: Kind, values: Sequence[Any], column: str) -> tuple[Sequence[Any], dict[int, RejectionReason]]:
    """Convert values to their kind; return them with the reasons of unusable ones by position (None replaces these)."""
    types = set(map(type, values))
    if types <= PLAIN[kind]:
        return values, {}
    if kind is Kind.DATE and types <= _MOMENTS:
        # Thousands of timestamps fall on hundreds of days: each distinct one is converted, held and written only once.
        days = {moment: moment and moment.date() for moment in set(values)}
        return list(map(days.__getitem__, values)), {}
    made, unusable = list(values), dict[int, RejectionReason]()
    for position, value in enumerate(values):
        try:
            made[position] = convert(kind, value, column)
        except UnusableError as error:
            made[position], unusable[position] = None, error.reason
    return made, unusable


def _days(
    table: ErpTable, columns: Mapping[str, Sequence[Any]], unusable: Mapping[str, Mapping[int, RejectionReason]]
) -> list[date | None]:
    """Return the day of each row; None if the value that decides it is unusable, because any day would be a guess."""
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
    """Return the schema for the converted rows of a table.

    The schema does not declare the object dtype of the columns. To compare dtypes, pandera tries to import a library
    that is not installed, once per column, which takes a twentieth of the time.
    """
    return pa.DataFrameSchema(
        {column.name: pa.Column(None, checks=_CHECKS[column.kind], nullable=True) for column in table.columns}
    )


def raw_row(table: ErpTable, row: RawRow) -> str:
    """Return a source row as JSON, with numbers and dates as text."""
    values = zip(table.names, row, strict=True)
    return json.dumps({name: _raw(value) for name, value in values}, ensure_ascii=False)


def name_of(table: ErpTable, row: RawRow) -> str:
    """Return the name of a row for people: the values of its key columns that are not null."""
    of = dict(zip(table.names, row, strict=True))
    return ", ".join(f"{name}={_raw(of[name])}" for name in table.key if of[name] is not None)[:200]


def _raw(value: Any) -> str | bool | None:
    if value is None or isinstance(value, bool):
        return value
    return to_storable(value.hex() if isinstance(value, bytes) else str(value))


def _fault(value: Any) -> tuple[ReasonCode, dict[str, object]] | None:
    """Return code and parameters of the reason that rejects a value of its column's kind; None if it is usable."""
    if isinstance(value, str):
        if "\x00" in value:
            return ReasonCode.CONTAINS_NUL, {}
        if len(value) > LONGEST_TEXT:
            return ReasonCode.TOO_LONG, {"limit": f"{LONGEST_TEXT:,}"}
        return None if _encodable(value) else (ReasonCode.LONE_SURROGATE, {})
    if isinstance(value, Decimal) and not value.is_finite():
        return ReasonCode.NOT_FINITE, {}
    if isinstance(value, int) and not _within(value):
        return ReasonCode.OUT_OF_RANGE, {"limit": "2^63", "value": value}
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
    return -ids.LARGEST <= value <= ids.LARGEST


def _check(all_are_usable: Callable[[Sequence[Any]], bool]) -> pa.Check:
    """Return a check of a whole column that looks at single values only if one of them is unusable.

    Args:
        all_are_usable: Returns whether all values are usable; called without None, empty text and 0, which always are.
    """

    def check(series: "pd.Series[Any]") -> "bool | pd.Series[bool]":
        if all_are_usable(list(filter(None, series.tolist()))):
            return True
        return series.map(lambda value: _fault(value) is None).astype(bool)

    # pandas treats a Decimal NaN as missing, but it must not pass as NULL; the check itself skips the usable values.
    return pa.Check(check, name="usable", ignore_na=False)


_CHECKS = {
    Kind.TEXT: [_check(_texts_are_usable)],
    Kind.DECIMAL: [_check(lambda numbers: all(map(Decimal.is_finite, numbers)))],
    Kind.INTEGER: [_check(lambda numbers: not numbers or (_within(min(numbers)) and _within(max(numbers))))],
    Kind.DATE: [],
    Kind.BOOLEAN: [],
}
