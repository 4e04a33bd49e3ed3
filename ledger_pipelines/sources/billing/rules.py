"""Rules that every parsed record must fulfil, declared once and without any library.

Large batches are checked as frames (`frames`), a few records one by one (`find_failures`). For three records,
building a frame and importing pandas would cost more than the rest of their processing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger_pipelines import ids
from ledger_pipelines.domain import ENTRY_RULES, DepositKind
from ledger_pipelines.horizon import is_month
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES, Customer, Deposit, MeterReading, Price
from ledger_pipelines.sources.values import quote_value

Record = Customer | Price | Deposit | MeterReading


@dataclass(frozen=True)
class ColumnRule:
    """Rule for the values of one column.

    Attributes:
        column: Name of the column.
        code: Code of the reason that rejects a value that breaks the rule.
        params: Values that the reason names, except the column and the value.
        is_valid: Returns whether a value fulfils the rule; never called with None, which such a column may not hold.
    """

    column: str
    code: ReasonCode
    is_valid: Callable[[Any], bool]
    params: tuple[tuple[str, object], ...] = ()

    def reason(self, value: object) -> RejectionReason:
        """Return the reason that rejects a value; a missing value is always rejected."""
        if is_null(value):
            return missing(self.column)
        return RejectionReason.of(self.code, column=self.column, value=quote_value(value), **dict(self.params))


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


def is_null(value: object) -> bool:
    """Return whether a value is None or NaN, which a frame treats as missing too."""
    return value is None or value != value


def missing(column: str) -> RejectionReason:
    """Return the reason that rejects a record without a value in a column."""
    return RejectionReason.of(ReasonCode.MISSING, column=column)


def not_unique(rules: RecordRules) -> RejectionReason:
    """Return the reason that rejects records with the same values in the unique columns."""
    return RejectionReason.of(ReasonCode.NOT_UNIQUE, columns=", ".join(rules.unique))


def _id(column: str) -> ColumnRule:
    return ColumnRule(column, ReasonCode.NOT_AN_ID, ids.is_usable_id, (("largest", ids.LARGEST),))


def _month(column: str) -> ColumnRule:
    return ColumnRule(column, ReasonCode.NOT_A_MONTH, lambda value: isinstance(value, str) and is_month(value))


def _aware(column: str) -> ColumnRule:
    return ColumnRule(column, ReasonCode.WITHOUT_TIME_ZONE, lambda value: value.utcoffset() is not None)


def _decimal(column: str) -> ColumnRule:
    return ColumnRule(column, ReasonCode.NOT_A_NUMBER, lambda value: isinstance(value, Decimal) and value.is_finite())


def _one_of(column: str, *values: str) -> ColumnRule:
    return ColumnRule(column, ReasonCode.NOT_ONE_OF, lambda value: value in values, (("allowed", ", ".join(values)),))


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
        ColumnRule("volume", ReasonCode.NEGATIVE, lambda value: not isinstance(value, Decimal) or value >= 0),
    ),
    unique=("reading_id",),
)


def find_failures(rules: RecordRules, records: Sequence[Record]) -> dict[int, RejectionReason]:
    """Return the rejection reasons of the records that break a rule, by position; all records are of one kind."""
    keys = [tuple(getattr(record, name) for name in rules.unique) for record in records]
    duplicates = {key for key, count in Counter(keys).items() if count > 1}
    found: dict[int, RejectionReason] = {}
    for position, (record, key) in enumerate(zip(records, keys, strict=True)):
        reason = _failure(rules, record) or (not_unique(rules) if key in duplicates else None)
        if reason is not None:
            found[position] = reason
    return found


def _failure(rules: RecordRules, record: Record) -> RejectionReason | None:
    for rule in rules.column_rules:
        value = getattr(record, rule.column)
        if is_null(value) or not rule.is_valid(value):
            return rule.reason(value)
    for name in rules.required:
        if getattr(record, name) is None:
            return missing(name)
    return None
