"""Balance comparison, reason by reason: data of the application, and the expected reasons of the difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.warehouse.ops.loaded_months import InputNotLoadedError
from ledger_pipelines.warehouse.queries.reconciliation import comparison
from ledger_pipelines.warehouse.queries.reconciliation.comparison import ComparedCustomer
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import DIFFERENCE_REASONS, balance_comparison
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.tables import execute

ANNA, BUDI = 11, 12
FIRST, CURRENT = "2025-01", "2025-03"
HUNDRED = '{"date": "2025-02-01", "amount": 100}'
BACK = '"keterangan": "Pengurangan"'


def customer(
    customer_id: int, deposited: str = "0", bought: str = "0", *, deposits: Sequence[str] = (), **columns: Any
) -> dict[str, Any]:
    """Return a fob customer who pays 10 rupiah for a Sm³, with the application's totals."""
    totals = {"total_deposit": Decimal(deposited), "total_purchases": Decimal(bought)}
    price = {"harga_per_meter_kubik": Decimal(10)}
    return user_row(customer_id, role="fob", deposit_history=f"[{', '.join(deposits)}]", **price | totals | columns)


def reading(reading_id: int, volume: str, bill: str, day: str = "2025-02-10", owner: int = ANNA) -> dict[str, Any]:
    """Return a reading with the application's bill."""
    data = f'{{"waktu": "{day} 08:00:00", "volume_sm3": "{volume}"}}'
    return reading_row(reading_id, owner, data) | {"harga_final": Decimal(bill)}


def run(pipeline: Pipeline, *users: dict[str, Any], readings: Sequence[dict[str, Any]] = ()) -> TableReport:
    """Load, recalculate and compare."""
    pipeline.fill(SourceState(users, tuple(readings)))
    pipeline.run()
    return run_comparison(pipeline)


def run_comparison(pipeline: Pipeline) -> TableReport:
    """Run the comparison."""
    with pipeline.warehouse.begin() as connection:
        return compare_balances(connection, "test")


def found(pipeline: Pipeline, **options: Any) -> list[ComparedCustomer]:
    """Return the result of the query function."""
    with pipeline.warehouse.connect() as connection:
        return comparison.balance_comparison(connection, **options)


@dataclass(frozen=True)
class Case:
    """Data of Anna in the application, and the expected difference with amount and rows of each reason."""

    name: str
    user: dict[str, Any]
    readings: tuple[dict[str, Any], ...]
    difference: str
    reasons: dict[str, tuple[str, int | None]]


CASES = (
    Case("equal", customer(ANNA, "100", "50", deposits=[HUNDRED]), (reading(1, "5", "50"),), "0.00", {}),
    Case("nothing at all", customer(ANNA), (), "0", {}),
    Case(
        "the cents of two bills",
        customer(ANNA, "100", "100.02", deposits=[HUNDRED]),
        (reading(1, "5.0004", "50.01"), reading(2, "5.0004", "50.01")),
        "0.02",
        {"rounding": ("0.02", 2)},
    ),
    Case(
        "a total that drifted by the cents of its bills",
        customer(ANNA, "0", "100.02"),
        (reading(1, "5", "50"), reading(2, "5", "50")),
        "0.02",
        {"rounding": ("0.02", None)},
    ),
    Case(
        "a total that drifted by more than its bills' cents",
        customer(ANNA, "0", "100.03"),
        (reading(1, "5", "50"), reading(2, "5", "50")),
        "0.03",
        {"application_total_stale": ("0.03", None)},
    ),
    Case(
        "a total without the latest bill",
        customer(ANNA, "0", "50"),
        (reading(1, "5", "50.01"), reading(2, "7", "70", "2025-02-11")),
        "-70.00",
        {"rounding": ("0.01", 1), "application_total_stale": ("-70.01", None)},
    ),
    Case(
        "a total that wrong bills do not explain",
        customer(ANNA, "0", "200"),
        (reading(1, "5", "50"), reading(2, "5", "30", "2025-02-11")),
        "100.00",
        {"billed_otherwise": ("-20", 1), "unexplained": ("120", None)},
    ),
    Case(
        "readings without a price",
        customer(ANNA, "0", "50", harga_per_meter_kubik=None),
        (reading(1, "5", "50"),),
        "50.00",
        {"readings_without_price": ("50", 1)},
    ),
    Case(
        "a rejected reading",
        customer(ANNA, "0", "81", deposits=[]),
        (reading(1, "5", "50"), reading(2, "lima", "31"), reading(3, "enam", "0")),
        "31.00",
        {"rejected_readings": ("31", 1)},
    ),
    Case(
        "a duplicate start that is not billed",
        customer(ANNA, "0", "50"),
        (reading(1, "5", "50"), reading(2, "7", "0")),
        "-70.00",
        {"duplicate_readings": ("-70", 1)},
    ),
    Case(
        "a duplicate start that is billed and not counted",
        customer(ANNA, "0", "50.01"),
        (reading(1, "5", "50"), reading(2, "7", "70")),
        "-69.99",
        {"rounding": ("0.01", None), "duplicate_readings": ("-70", None)},
    ),
    Case(
        "a duplicate start that is billed and counted is no difference",
        customer(ANNA, "0", "120"),
        (reading(1, "5", "50"), reading(2, "7", "70")),
        "0.00",
        {},
    ),
    Case(
        "a bill that differs from the rules",
        customer(ANNA, "0", "80"),
        (reading(1, "5", "50"), reading(2, "5", "30", "2025-02-11")),
        "-20.00",
        {"billed_otherwise": ("-20", 1)},
    ),
    Case(
        "a deposit without a date, and one in the future that was taken back",
        customer(
            ANNA,
            "180",
            deposits=[HUNDRED, '{"amount": "120"}', f'{{"date": "2031-01-01", "amount": 40, {BACK}}}'],
        ),
        (),
        "-80.00",
        {"rejected_deposits": ("-80", 2)},
    ),
    Case(
        "entries without an amount count as 0",
        customer(ANNA, "100", deposits=[HUNDRED, '{"date": "2025-02-01"}', "7", '{"amount": "x"}', '{"amount": 1e30}']),
        (),
        "0.00",
        {},
    ),
    Case(
        "deposits outside the list",
        customer(ANNA, "350.50", deposits=[HUNDRED]),
        (),
        "-250.50",
        {"deposits_outside_list": ("-250.50", None)},
    ),
    Case(
        "entries that were rounded",
        customer(ANNA, "0.66", deposits=['{"date": "2025-02-01", "amount": 0.335}'] * 2),
        (),
        "0.02",
        {"rounding": ("0.02", None)},
    ),
    Case(
        "an unreadable history",
        customer(ANNA, "100") | {"deposit_history": "{"},
        (),
        "-100",
        {"deposits_outside_list": ("-100", None)},
    ),
    Case(
        "reasons that cancel out match",
        customer(ANNA, "0", "50", deposits=['{"date": "2025-02-01", "amount": 30}']),
        (reading(1, "5", "50"), reading(2, "3", "0", "2025-02-11")),
        "0.00",
        {"billed_otherwise": ("-30", 1), "deposits_outside_list": ("30", None)},
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reasons_of_a_difference(ledger: Pipeline, case: Case) -> None:
    run(ledger, case.user, readings=case.readings)
    (anna,) = found(ledger)
    assert anna.difference == Decimal(case.difference)
    assert anna.stored_balance - anna.application_balance == anna.difference
    assert {reason.name: (reason.amount, reason.rows) for reason in anna.reasons} == {
        name: (Decimal(amount), rows) for name, (amount, rows) in case.reasons.items()
    }
    assert anna.matches is (abs(Decimal(case.difference)) < Decimal("0.01"))
    (stored,) = ledger.rows(balance_comparison)
    assert stored["reasons"] == ([] if anna.matches else [reason.name for reason in anna.reasons])


def test_every_reason_has_a_case() -> None:
    assert {name for case in CASES for name in case.reasons} == DIFFERENCE_REASONS.keys()


def test_match_is_less_than_a_cent(ledger: Pipeline) -> None:
    """A ledger balance has two decimals, but a total of the application may have more."""
    run(ledger, customer(ANNA, "0"))
    execute(ledger.warehouse, "UPDATE billing.customers SET total_deposit = 0.009999")
    run_comparison(ledger)
    assert [row.matches for row in found(ledger)] == [True]
    execute(ledger.warehouse, "UPDATE billing.customers SET total_deposit = 0.01")
    run_comparison(ledger)
    assert [(row.matches, row.difference) for row in found(ledger)] == [(False, Decimal("-0.01"))]


def test_unchanged_rows_keep_their_time(ledger: Pipeline) -> None:
    users = customer(ANNA, "100", deposits=[HUNDRED]), customer(BUDI, "5")
    first = run(ledger, *users)
    before = {row["customer_id"]: row for row in ledger.rows(balance_comparison)}
    assert (first.table, first.total.inserted) == ("ledger.balance_comparison", 2)
    assert first.counts.keys() == {""}
    assert run_comparison(ledger).total.changed == 0
    assert run(ledger, customer(ANNA, "101", deposits=[HUNDRED]), users[1]).total.updated == 1
    after = {row["customer_id"]: row for row in ledger.rows(balance_comparison)}
    assert after[BUDI] == before[BUDI]
    assert after[ANNA]["compared_at"] > before[ANNA]["compared_at"]
    assert run(ledger, users[0]).total.deleted == 1


def test_pages_and_sums(ledger: Pipeline) -> None:
    with ledger.warehouse.connect() as connection:
        never = comparison.comparison_summary(connection)
    assert (never.total_customers, str(never.difference), never.compared_at) == (0, "0", None)
    run(ledger, *(customer(number, "5" if number % 2 else "0") for number in range(1, 8)))
    assert [row.customer_id for row in found(ledger, limit=3, offset=2)] == [3, 4, 5]
    assert [row.customer_id for row in found(ledger, only_mismatches=True, limit=3, offset=1)] == [3, 5, 7]
    assert [row.customer_id for row in found(ledger, largest_first=True, limit=3, offset=2)] == [5, 7, 2]
    with ledger.warehouse.connect() as connection:
        summary = comparison.comparison_summary(connection)
    assert (summary.total_customers, summary.mismatching) == (7, 4)
    assert [summary.stored_balance, summary.application_balance, summary.difference] == [0, 20, -20]
    outside = {reason.name: f"{reason.amount} of {reason.customers}" for reason in summary.reasons if reason.amount}
    assert outside == {"deposits_outside_list": "-20.00 of 4"}
    assert summary.compared_at is not None


def test_customers_must_have_been_loaded(ledger: Pipeline) -> None:
    with pytest.raises(InputNotLoadedError, match="customers, which has never been loaded"):
        run_comparison(ledger)
