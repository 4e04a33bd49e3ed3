"""Records of the billing application as pandas frames, validated by pandera.

The schemas are derived from `rules`. A row that fails a check is rejected with the check's name as the
reason, so the warehouse never relies on the normalising code alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from ledger_pipelines.sources import validation
from ledger_pipelines.sources.billing.rules import (
    NOT_NULLABLE,
    NOT_UNIQUE,
    ColumnRule,
    Record,
    RecordRules,
    format_reason,
)


@dataclass(frozen=True)
class ValidationResult:
    """Result of a validation: the rows that pass, and the reasons of the others by position."""

    rows: pd.DataFrame
    failures: dict[int, str]


@cache
def pandera_schema(rules: RecordRules) -> pa.DataFrameSchema:
    """Return the pandera schema of the rules.

    Moments and decimals are of dtype object, because numpy's own types would round them.
    """
    columns = {
        name: pa.Column(
            object, checks=[_check(rule) for rule in rules.column_rules if rule.column == name], nullable=False
        )
        for name in rules.columns
    }
    return pa.DataFrameSchema(columns, unique=list(rules.unique))


def _check(rule: ColumnRule) -> pa.Check:
    return pa.Check(lambda series: series.map(rule.is_valid).astype(bool), error=rule.reason, name=rule.reason)


def validate_records(rules: RecordRules, records: Sequence[Record]) -> ValidationResult:
    """Put one or more records of one kind into a frame and check each against the rules."""
    frame = pd.DataFrame(list(records), columns=list(records[0]._fields), dtype=object)
    try:
        return ValidationResult(validation.validate_frame(pandera_schema(rules), frame), {})
    except SchemaErrors as errors:
        found: dict[int, tuple[int, str]] = {}
        order = {rule.reason: number for number, rule in enumerate(rules.column_rules)}
        for case in errors.failure_cases.itertuples():
            if case.index is None or pd.isna(case.index):
                raise
            failure = _ranked_failure(rules, order, str(case.check), str(case.column))
            found[int(case.index)] = min(found.get(int(case.index), failure), failure)
        failures = {position: reason for position, (_, reason) in found.items()}
        return ValidationResult(frame.drop(index=list(failures)), failures)


def _ranked_failure(rules: RecordRules, order: dict[str, int], check: str, column: str) -> tuple[int, str]:
    """Return the rank of a failed check in the order of the rules, and the rejection reason."""
    if check == "multiple_fields_uniqueness":
        return len(rules.column_rules) * 2, format_reason(NOT_UNIQUE, rules.unique)
    if check == "not_nullable":
        places = [number for number, rule in enumerate(rules.column_rules) if rule.column == column]
        return min(places, default=len(rules.column_rules)), format_reason(NOT_NULLABLE, [column])
    return order.get(check, len(rules.column_rules)), format_reason(check, [column])
