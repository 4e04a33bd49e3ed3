"""Records of the billing application as pandas frames, validated by pandera.

The schemas state what every normalised row must fulfil. A row that does not is rejected with the name of the check
as its reason, so that nothing reaches the warehouse on the word of the normalising code alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from ledger_pipelines.sources.billing_records import CUSTOMER_ROLES, Customer, Deposit, Price, Reading

Record = Customer | Price | Deposit | Reading


def _each(test: Callable[[Any], bool], reason: str) -> pa.Check:
    return pa.Check(lambda series: series.map(test).astype(bool), error=reason, name=reason)


_DECIMAL = _each(lambda value: isinstance(value, Decimal) and value.is_finite(), "not a decimal number")
_AWARE = _each(lambda value: value.utcoffset() is not None, "a moment without a time zone")
_MONTH = pa.Check.str_matches(r"^[0-9]{4}-(0[1-9]|1[0-2])$")
_ID = _each(lambda value: isinstance(value, int) and value > 0, "the id is not a positive integer")
"""Moments and decimals are objects: numpy's own types would round them."""


def _required(*checks: pa.Check) -> pa.Column:
    return pa.Column(object, checks=list(checks), nullable=False)


CUSTOMERS = pa.DataFrameSchema(
    {
        "customer_id": _required(_ID),
        "role": _required(pa.Check.isin(CUSTOMER_ROLES)),
        "use_realtime_calculation": _required(),
    },
    unique=["customer_id"],
)
PRICES = pa.DataFrameSchema(
    {
        "customer_id": _required(_ID),
        "rule": _required(pa.Check.isin(["custom_period", "monthly"])),
        "valid_from": _required(_AWARE),
        "valid_to": _required(_AWARE),
    },
    unique=["customer_id", "position"],
)
DEPOSITS = pa.DataFrameSchema(
    {
        "customer_id": _required(_ID),
        "year_month": _required(_MONTH),
        "deposited_at": _required(_AWARE),
        "amount": _required(_DECIMAL),
        "amount_given": _required(_DECIMAL),
        "keterangan": _required(pa.Check.isin(["penambahan", "pengurangan"])),
    },
    unique=["customer_id", "deposited_at", "ordinal"],
)
READINGS = pa.DataFrameSchema(
    {
        "reading_id": _required(_ID),
        "customer_id": _required(_ID),
        "year_month": _required(_MONTH),
        "kind": _required(pa.Check.isin(["metered", "fob"])),
        "reading_at": _required(_AWARE),
        "volume": _required(_DECIMAL, _each(lambda value: value >= 0, "the volume is negative")),
    },
    unique=["reading_id"],
)


@dataclass(frozen=True)
class Validated:
    """A frame after validation: the rows that pass, and why each of the others does not, by position."""

    rows: pd.DataFrame
    failures: dict[int, str]


def validate(schema: pa.DataFrameSchema, records: Sequence[Record]) -> Validated:
    """Put records of one kind, at least one, into a frame and check each against the schema."""
    frame = pd.DataFrame(list(records), columns=list(records[0]._fields), dtype=object)
    try:
        return Validated(schema.validate(frame, lazy=True), {})
    except SchemaErrors as errors:
        failures: dict[int, str] = {}
        for case in errors.failure_cases.itertuples():
            if case.index is None or pd.isna(case.index):
                raise
            failures.setdefault(int(case.index), f"{case.check} ({case.column})")
        return Validated(frame.drop(index=list(failures)), failures)
