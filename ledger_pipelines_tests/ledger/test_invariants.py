"""Each invariant holds on a valid ledger and finds violations; each data check finds its rows."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.ledger.checks import DATA_CHECKS, INVARIANTS, CheckScope, evaluate
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline

VIOLATIONS = {
    "balances_add_up": [
        "UPDATE {balances} SET closing_balance = closing_balance + 0.01 WHERE {march}",
        "UPDATE {balances} SET total_deposits = total_deposits - 0.01 WHERE {march}",
    ],
    "months_chain": [
        "UPDATE {balances} SET opening_balance = 0, closing_balance = 0 WHERE {march}",
        "DELETE FROM {balances} WHERE {march}",
        "UPDATE {balances} SET opening_balance = 1 WHERE customer_id = 1 AND year_month = '2025-02'",
    ],
    "months_reach_the_last": ["DELETE FROM {balances} WHERE customer_id = 1 AND year_month = '2025-06'"],
    "sums_match_rows": [
        "UPDATE {balances} SET total_purchases = total_purchases + 0.01 WHERE {march}",
        "UPDATE {balances} SET total_deposits = total_deposits + 0.01 WHERE {march}",
        "UPDATE {balances} SET total_volume_sm3 = total_volume_sm3 + 0.0001 WHERE {march}",
        "DELETE FROM {transactions} WHERE data_pencatatan_id = 1",
        "DELETE FROM billing.deposits WHERE customer_id = 1",
        "DELETE FROM {balances} WHERE customer_id = 1",
    ],
    "nothing_stale": [
        "INSERT INTO ledger.stale_months (table_name, year_month, customer_id) VALUES ('x', '2025-03', 1)",
        "INSERT INTO ledger.stale_months (table_name, year_month) VALUES ('x', '2025-03')",
    ],
    "every_reading_accounted_for": [
        "DELETE FROM {transactions} WHERE data_pencatatan_id = 1",
        "UPDATE {transactions} SET volume_flow_meter = volume_flow_meter + 1 WHERE data_pencatatan_id = 1",
        "UPDATE {transactions} SET customer_id = 2 WHERE data_pencatatan_id = 1",
        "DELETE FROM ops.rejected_rows WHERE asset = 'transaction_calculations'",
    ],
    "no_transaction_without_reading": [
        "DELETE FROM billing.meter_readings WHERE reading_id = 1",
        "UPDATE billing.meter_readings SET year_month = '2025-04' WHERE reading_id = 1",
        "UPDATE billing.meter_readings SET customer_id = 2 WHERE reading_id = 1",
    ],
    "amounts_follow_factors": [
        "UPDATE {transactions} SET total_harga = total_harga + 0.01 WHERE data_pencatatan_id = 1",
        "UPDATE {transactions} SET volume_sm3 = volume_sm3 - 0.0001 WHERE data_pencatatan_id = 1",
        "UPDATE {transactions} SET harga_per_m3 = harga_per_m3 + 1 WHERE data_pencatatan_id = 1",
    ],
    "months_match_moments": [
        "UPDATE {transactions} SET transaction_date = '2025-02-28 23:59:59+07' WHERE data_pencatatan_id = 1",
        "UPDATE {transactions} SET transaction_date = '2025-04-01 00:00:00+07' WHERE data_pencatatan_id = 1",
        "UPDATE billing.deposits SET deposited_at = '2025-02-28 16:59:59+00' WHERE customer_id = 1",
    ],
}
"""By invariant: statements that violate it for customer 1."""


def metered(reading_id: int, customer_id: int, waktu: str, volume: object) -> dict[str, object]:
    """Return a metered reading."""
    data = {"pembacaan_awal": {"waktu": waktu}, "pembacaan_akhir": {}, "volume_flow_meter": volume}
    return reading_row(reading_id, customer_id, json.dumps(data))


@pytest.fixture(scope="module")
def valid(shared_pipeline: Pipeline) -> Pipeline:
    """Return a small ledger without violations."""
    price: dict[str, Any] = {"harga_per_meter_kubik": Decimal("100.00"), "koreksi_meter": Decimal("1.5")}
    users = (
        user_row(1, deposit_history='[{"date": "2025-03-01", "amount": 5000}]', **price),
        user_row(2, **price),
        user_row(3),
    )
    readings = (
        metered(1, 1, "2025-03-05 10:00", "10.5"),
        metered(2, 1, "2025-02-05 10:00", 20),
        metered(3, 2, "2025-03-05 10:00", 30),
        metered(4, 3, "2025-03-05 10:00", 40),
    )
    shared_pipeline.reset("2025-01", "2025-06")
    shared_pipeline.fill(SourceState(users, readings))
    shared_pipeline.run()
    return shared_pipeline


@pytest.fixture
def connection(valid: Pipeline) -> Iterator[sa.Connection]:
    """Yield a connection to the valid ledger and roll back afterwards."""
    with valid.warehouse.connect() as made:
        yield made
        made.rollback()


def count_violations(
    connection: sa.Connection, pipeline: Pipeline, name: str, customers: tuple[int, ...] | None
) -> int:
    """Return the number of violations that an invariant finds."""
    (invariant,) = (invariant for invariant in INVARIANTS if invariant.name == name)
    return evaluate(connection, invariant, CheckScope(pipeline.horizon, customers)).rows


@pytest.mark.parametrize("name", [invariant.name for invariant in INVARIANTS])
def test_valid_ledger_has_no_violation(connection: sa.Connection, valid: Pipeline, name: str) -> None:
    assert len(valid.ledger().transactions) == 3
    assert len(valid.ledger().balances) == 5 + 4
    for customers in (None, (1,), (1, 2, 3), (99,)):
        assert count_violations(connection, valid, name, customers) == 0


def test_every_invariant_has_violations() -> None:
    assert VIOLATIONS.keys() == {invariant.name for invariant in INVARIANTS}


@pytest.mark.parametrize(
    ("name", "statement"), [(name, statement) for name, statements in VIOLATIONS.items() for statement in statements]
)
def test_invariant_finds_violations(connection: sa.Connection, valid: Pipeline, name: str, statement: str) -> None:
    statement = (
        statement.replace("{balances}", str(tables.monthly_customer_balances))
        .replace("{transactions}", str(tables.transaction_calculations))
        .replace("{march}", "customer_id = 1 AND year_month = '2025-03'")
    )
    if "meter_readings SET year_month" in statement:
        connection.execute(
            sa.text(
                "CREATE TABLE IF NOT EXISTS billing.meter_readings_2025_04 "
                "PARTITION OF billing.meter_readings FOR VALUES IN ('2025-04')"
            )
        )
    assert connection.execute(sa.text(statement)).rowcount > 0
    assert count_violations(connection, valid, name, None) > 0
    customer = 3 if "rejected_rows" in statement else 1
    assert count_violations(connection, valid, name, (customer,)) > 0
    if "customer_id = 2" not in statement and "VALUES ('x', '2025-03')" not in statement:
        assert count_violations(connection, valid, name, (2,)) == 0


IMPLAUSIBLE_READINGS = (
    reading_row(1, 1, '{"waktu": "2025-03-01 10:00", "volume_sm3": 10}'),
    metered(2, 4, "2025-03-05 10:00", 10),
    *(metered(10 + number, 2, f"2025-02-{number:02d} 10:00", 10) for number in range(1, 6)),
    metered(20, 2, "2025-03-05 10:00", 501),
    metered(21, 2, "2025-03-06 10:00", 500),
    metered(30, 3, "2025-03-05 10:00", 1),
    metered(31, 3, "2025-03-05T10:00:00", 2),
    metered(40, 1, "2025-03-07 10:00", 0),
    metered(50, 5, "2025-03-05 10:00", 1),
    metered(51, 6, "2025-03-05 10:00", 1),
)
PERIODS = [
    {"type": "custom_period", "start_date": "2025-05-01", "end_date": "2025-05-10", "harga_per_meter_kubik": 1},
    {"type": "custom_period", "start_date": "2025-05-10", "end_date": "2025-05-20", "harga_per_meter_kubik": 1},
    {"type": "custom_period", "start_date": "2025-05-21", "end_date": "2025-05-22", "harga_per_meter_kubik": 1},
    {"year_month": "2025-05", "harga_per_meter_kubik": 1},
    {"year_month": "2025-05", "harga_per_meter_kubik": 2},
]
EXPECTED: dict[str, tuple[dict[str, Any], ...]] = {
    "reading_of_the_other_kind": ({"reading_id": 1}, {"reading_id": 2}),
    "implausible_volume": ({"reading_id": 20},),
    "duplicate_start": ({"readings": [30, 31]},),
    "zero_volume": ({"reading_id": 40},),
    "price_or_factor_not_positive": ({"data_pencatatan_id": 50}, {"data_pencatatan_id": 51}),
    "overlapping_price_entries": ({"position": 1, "outranked_by": 0}, {"position": 4, "outranked_by": 3}),
}


def test_data_checks_find_only_their_rows(valid: Pipeline, pipeline: Pipeline) -> None:
    """The valid ledger has no findings; the other source has findings of every check."""
    with valid.warehouse.connect() as connection:
        for check in DATA_CHECKS:
            assert evaluate(connection, check, CheckScope(valid.horizon)).rows == 0
    price: dict[str, Any] = {"harga_per_meter_kubik": Decimal("100.00"), "koreksi_meter": Decimal("1.5")}
    users = (
        *(user_row(number, **price) for number in (1, 2, 3)),
        user_row(4, role="fob", pricing_history=json.dumps(PERIODS), **price),
        user_row(5, **price | {"harga_per_meter_kubik": Decimal(0)}),
        user_row(6, **price | {"koreksi_meter": Decimal("-1.5")}),
    )
    pipeline.reset("2025-01", "2025-06")
    pipeline.fill(SourceState(users, IMPLAUSIBLE_READINGS))
    pipeline.run()
    assert EXPECTED.keys() == {check.name for check in DATA_CHECKS}
    with pipeline.warehouse.connect() as connection:
        for check in DATA_CHECKS:
            rows = connection.execute(check.rows(CheckScope(pipeline.horizon))).mappings().all()
            expected = EXPECTED[check.name]
            columns = list(expected[0])
            assert sorted(str([row[name] for name in columns]) for row in rows) == sorted(
                str(list(row.values())) for row in expected
            )
            assert evaluate(connection, check, CheckScope(pipeline.horizon, (99,))).rows == 0
            found_customers = tuple({row["customer_id"] for row in rows})
            assert evaluate(connection, check, CheckScope(pipeline.horizon, found_customers)).rows == len(rows)
        for invariant in INVARIANTS:
            assert evaluate(connection, invariant, CheckScope(pipeline.horizon)).rows == 0
