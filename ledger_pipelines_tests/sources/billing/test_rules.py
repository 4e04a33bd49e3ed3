"""Rules of records: single records and frames fail with the same reasons."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ledger_pipelines.rejection_reasons import RejectionReason
from ledger_pipelines.sources.billing import frames as billing_frames
from ledger_pipelines.sources.billing import rules as billing_rules
from ledger_pipelines.sources.billing.records import Customer, Deposit, MeterReading, Price
from ledger_pipelines.sources.billing.rules import Record, RecordRules

NOW = datetime(2025, 1, 1, tzinfo=UTC)
NAIVE = NOW.replace(tzinfo=None)
READING = MeterReading(1, 1, "2025-01", "fob", NOW, None, Decimal(1), None, None, None, None, None, None)
CUSTOMER = Customer(
    1, None, None, "fob", None, None, None, None, None, None, None, None, None,
    use_realtime_calculation=True, balance_last_updated_at=None, created_at=None, updated_at=None,
)  # fmt: skip
PRICE = Price(1, 0, "monthly", NOW, NOW, None, None, None, None, "{}")
DEPOSIT = Deposit(1, "2025-01", NOW, 0, Decimal(1), Decimal(1), "penambahan", None)


@pytest.mark.parametrize(
    ("rules", "record", "wrong", "reason"),
    [
        (
            billing_rules.READINGS,
            READING,
            {"reading_id": 0},
            f"reading_id is not a whole number from 1 to {2**63 - 1}: 0",
        ),
        (billing_rules.READINGS, READING, {"volume": Decimal(-1)}, "volume is negative: -1"),
        (billing_rules.READINGS, READING, {"volume": Decimal("NaN")}, "volume is missing"),
        (
            billing_rules.READINGS,
            READING,
            {"year_month": "2025-13"},
            'year_month is not a month: "2025-13"; expected YYYY-MM',
        ),
        (
            billing_rules.READINGS,
            READING,
            {"reading_at": NAIVE},
            f'reading_at has no time zone: "{NAIVE}"',
        ),
        (billing_rules.READINGS, READING, {"kind": None}, "kind is missing"),
        (billing_rules.READINGS, READING, {"kind": "x", "volume": Decimal(-1)}, 'kind is not one of metered, fob: "x"'),
        (billing_rules.CUSTOMERS, CUSTOMER, {"role": "demo"}, 'role is not one of customer, fob: "demo"'),
        (
            billing_rules.CUSTOMERS,
            CUSTOMER,
            {"use_realtime_calculation": None},
            "use_realtime_calculation is missing",
        ),
        (billing_rules.PRICES, PRICE, {"valid_to": NAIVE}, f'valid_to has no time zone: "{NAIVE}"'),
        (billing_rules.DEPOSITS, DEPOSIT, {"keterangan": "x"}, 'keterangan is not one of penambahan, pengurangan: "x"'),
        (billing_rules.DEPOSITS, DEPOSIT, {"amount": 1}, "amount is not a number: 1"),
    ],
)
def test_a_record_that_breaks_a_rule_fails(
    rules: RecordRules, record: Record, wrong: dict[str, Any], reason: str
) -> None:
    other = {name: 2 for name in rules.unique if name in {"reading_id", "customer_id"}}
    records = [record, record._replace(**(other | wrong))]
    assert texts(billing_rules.find_failures(rules, records)) == {1: reason}
    assert texts(billing_frames.validate_records(rules, records).failures) == {1: reason}


def texts(failures: dict[int, RejectionReason]) -> dict[int, str]:
    return {position: str(reason) for position, reason in failures.items()}


def test_duplicate_records_fail() -> None:
    records = [READING, READING._replace(reading_id=2), READING._replace(volume=Decimal(2))]
    expected = {0: "more than one row has the same reading_id", 2: "more than one row has the same reading_id"}
    assert texts(billing_rules.find_failures(billing_rules.READINGS, records)) == expected
    assert texts(billing_frames.validate_records(billing_rules.READINGS, records).failures) == expected


def test_valid_records_pass() -> None:
    for rules, record in (
        (billing_rules.READINGS, READING),
        (billing_rules.CUSTOMERS, CUSTOMER),
        (billing_rules.PRICES, PRICE),
        (billing_rules.DEPOSITS, DEPOSIT),
    ):
        assert billing_rules.find_failures(rules, [record]) == {}
        validated = billing_frames.validate_records(rules, [record])
        assert validated.failures == {}
        assert list(validated.rows.itertuples(index=False, name=None)) == [tuple(record)]
