"""Rules that every parsed record must fulfil, declared once and without any library.

Large batches are checked as frames (`frames`), a few records one by one (`failure_messages`). For three records,
building a frame and importing pandas would cost more than the rest of their processing.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger_pipelines import ids
from ledger_pipelines.domain import ENTRY_RULES, DepositKind
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES, Customer, Deposit, MeterReading, Price

Record = Customer | Price | Deposit | MeterReading
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class ColumnRule:
    """Rule for the values of one column.

    Attributes:
        column: Name of the column.
        reason: Rejection reason of a value that breaks the rule.
        is_valid: Returns whether a value fulfils the rule; never called with None, which such a column may not hold.
    """

    column: str
    reason: str
    is_valid: Callable[[Any], bool]


@dataclass(frozen=True)
class RecordRules:
    """Rules for the records of one kind.

    Attributes:
        column_rules: Rules of single columns; the first one that a record breaks rejects it.
        unique: Columns whose combined values must be unique within a batch.
        required: Further columns that must hold a value.
    """

    column_rules: tuple[ColumnRule, ...]
    unique: tuple[str, ...]
    required: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that must hold a value, in order."""
        return tuple(dict.fromkeys([*(rule.column for rule in self.column_rules), *self.required]))


NOT_NULLABLE = "the value is missing"
NOT_UNIQUE = "given more than once"


def _id(column: str) -> ColumnRule:
    return ColumnRule(column, f"the id is not a whole number from 1 to {ids.LARGEST}", ids.is_usable_id)


def _month(column: str) -> ColumnRule:
    return ColumnRule(column, "not a month", lambda value: isinstance(value, str) and bool(_MONTH.fullmatch(value)))


def _aware(column: str) -> ColumnRule:
    return ColumnRule(column, "a moment without a time zone", lambda value: value.utcoffset() is not None)


def _decimal(column: str) -> ColumnRule:
    return ColumnRule(column, "not a decimal number", lambda value: isinstance(value, Decimal) and value.is_finite())


def _one_of(column: str, *values: str) -> ColumnRule:
    return ColumnRule(column, f"none of {', '.join(values)}", lambda value: value in values)


CUSTOMERS = RecordRules(
    (_id("customer_id"), _one_of("role", *CUSTOMER_ROLES)),
    unique=("customer_id",),
    required=("use_realtime_calculation",),
)
PRICES = RecordRules(
    (
        _id("customer_id"),
        _one_of("rule", *ENTRY_RULES),
        _aware("valid_from"),
        _aware("valid_to"),
    ),
    unique=("customer_id", "position"),
)
DEPOSITS = RecordRules(
    (
        _id("customer_id"),
        _month("year_month"),
        _aware("deposited_at"),
        _decimal("amount"),
        _decimal("amount_given"),
        _one_of("keterangan", *DepositKind),
    ),
    unique=("customer_id", "deposited_at", "ordinal"),
)
READINGS = RecordRules(
    (
        _id("reading_id"),
        _id("customer_id"),
        _month("year_month"),
        _one_of("kind", "metered", "fob"),
        _aware("reading_at"),
        _decimal("volume"),
        ColumnRule("volume", "the volume is negative", lambda value: not isinstance(value, Decimal) or value >= 0),
    ),
    unique=("reading_id",),
)


def find_failures(rules: RecordRules, records: Sequence[Record]) -> dict[int, str]:
    """Return the rejection reasons of the records that break a rule, by position; all records are of one kind."""
    keys = [tuple(getattr(record, name) for name in rules.unique) for record in records]
    duplicates = {key for key, count in Counter(keys).items() if count > 1}
    found: dict[int, str] = {}
    for position, (record, key) in enumerate(zip(records, keys, strict=True)):
        reason = _failure(rules, record) or (format_reason(NOT_UNIQUE, rules.unique) if key in duplicates else None)
        if reason is not None:
            found[position] = reason
    return found


def format_reason(reason: str, columns: Sequence[str]) -> str:
    """Return a rejection reason followed by the columns that caused it."""
    return f"{reason} ({', '.join(columns)})"


def _failure(rules: RecordRules, record: Record) -> str | None:
    for rule in rules.column_rules:
        value = getattr(record, rule.column)
        if value is None or value != value:  # NaN, which a frame treats as missing too
            return format_reason(NOT_NULLABLE, [rule.column])
        if not rule.is_valid(value):
            return format_reason(rule.reason, [rule.column])
    for name in rules.required:
        if getattr(record, name) is None:
            return format_reason(NOT_NULLABLE, [name])
    return None
