"""Records of the billing application as pandas frames, validated by pandera.

The schemas are derived from `rules`. A row that fails a check is rejected with the rule's reason, so the warehouse
never relies on the normalising code alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from ledger_pipelines.rejection_reasons import RejectionReason
from ledger_pipelines.sources import validation
from ledger_pipelines.sources.billing.rules import ColumnRule, Record, RecordRules, missing, not_unique


@dataclass(frozen=True)
class ValidationResult:
    """Result of a validation: the rows that pass, and the reasons of the others by position."""

    rows: pd.DataFrame
    failures: dict[int, RejectionReason]


@cache
def pandera_schema(rules: RecordRules) -> pa.DataFrameSchema:
    """Return the pandera schema of the rules; the name of a check is the position of its rule.

    Moments and decimals are of dtype object, because numpy's own types would round them.
    """
    columns = {
        name: pa.Column(
            object,
            checks=[_check(str(n), rule) for n, rule in enumerate(rules.column_rules) if rule.column == name],
            nullable=False,
        )
        for name in rules.columns
    }
    return pa.DataFrameSchema(columns, unique=list(rules.unique))


def _check(name: str, rule: ColumnRule) -> pa.Check:
    return pa.Check(lambda series: series.map(rule.is_valid).astype(bool), error=name, name=name)


def validate_records(rules: RecordRules, records: Sequence[Record]) -> ValidationResult:
    """Put one or more records of one kind into a frame and check each against the rules."""
    frame = pd.DataFrame(list(records), columns=list(records[0]._fields), dtype=object)
    try:
        return ValidationResult(validation.validate_frame(pandera_schema(rules), frame), {})
    except SchemaErrors as errors:
        found: dict[int, tuple[int, str]] = {}
        for case in errors.failure_cases.itertuples():
            if case.index is None or pd.isna(case.index):
                raise
            failure = (_rank(rules, str(case.check), str(case.column)), str(case.column))
            found[int(case.index)] = min(found.get(int(case.index), failure), failure)
        failures = {
            position: _reason(rules, rank, column, records[position]) for position, (rank, column) in found.items()
        }
        return ValidationResult(frame.drop(index=list(failures)), failures)


def _rank(rules: RecordRules, check: str, column: str) -> int:
    """Return the position of a failed check: the rules, then the other required columns, then uniqueness."""
    if check == "multiple_fields_uniqueness":
        return len(rules.column_rules) + 1
    if check == "not_nullable":
        places = [number for number, rule in enumerate(rules.column_rules) if rule.column == column]
        return min(places, default=len(rules.column_rules))
    return int(check)


def _reason(rules: RecordRules, rank: int, column: str, record: Record) -> RejectionReason:
    if rank > len(rules.column_rules):
        return not_unique(rules)
    if rank == len(rules.column_rules):
        return missing(column)
    return rules.column_rules[rank].reason(getattr(record, column))
