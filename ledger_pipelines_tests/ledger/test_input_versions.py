"""Skipped months: each event that changes an input of a month makes a run of all customers compute it again."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope, shift_month
from ledger_pipelines.ledger import alerts, balances, prices, transactions
from ledger_pipelines.ledger.checks import INVARIANTS, CheckScope, evaluate
from ledger_pipelines.loading.billing.load import load_customers, load_deposits, load_prices, load_readings
from ledger_pipelines.loading.billing.staging import BillingLoad
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.month_turn import turn_month
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import (
    WIB,
    Pipeline,
    assert_row_counts_are_recorded,
    calculated_rows,
    describe_differences,
)
from ledger_pipelines_tests.support.tables import altered, execute
from ledger_pipelines_tests.support.waiting import wait_until

FIRST, CURRENT = "2025-01", "2025-04"
MONTHS = Horizon(FIRST, CURRENT, WIB).months
NONE: tuple[str, ...] = ()
GUARD = DeletionGuard(accept=True)
Row = dict[str, Any]


def reading(reading_id: int, customer_id: int, moment: str, volume: int = 10) -> Row:
    """Return a fob reading."""
    return reading_row(reading_id, customer_id, f'{{"waktu": "{moment}", "volume_sm3": "{volume}"}}')


def customer(customer_id: int, *deposits: str, price: int | None = 100, **columns: Any) -> Row:
    """Return a fob customer with a default price and deposits of 5000 rupiah at some days."""
    history = ", ".join(f'{{"date": "{day}", "amount": 5000}}' for day in deposits)
    defaults = {"role": "fob", "harga_per_meter_kubik": price, "deposit_history": f"[{history}]"}
    return user_row(customer_id, **defaults | columns)


#: Customer 3 has no price, so its reading of March is rejected.
BEFORE = SourceState(
    (customer(1, "2025-02-05"), customer(2), customer(3, price=None)),
    (
        reading(1, 1, "2025-01-03"),
        reading(2, 1, "2025-03-03"),
        reading(3, 2, "2025-02-03"),
        reading(4, 3, "2025-03-04"),
        reading(5, 2, "2025-02-20"),
    ),
)


def with_rows(users: Sequence[Row] = (), readings: Sequence[Row] = (), without: Sequence[int] = ()) -> SourceState:
    """Return the state ``BEFORE`` with rows replaced or added, by their ids, and without some readings."""
    all_users = {row["id"]: row for row in (*BEFORE.users, *users)}
    all_readings = {row["id"]: row for row in (*BEFORE.readings, *readings) if row["id"] not in without}
    return SourceState(tuple(all_users.values()), tuple(all_readings.values()))


@pytest.fixture
def computed(shared_pipeline: Pipeline) -> Pipeline:
    """Return the module's pipeline after it has computed the state ``BEFORE``."""
    shared_pipeline.reset(FIRST, CURRENT)
    shared_pipeline.fill(BEFORE)
    shared_pipeline.run()
    return shared_pipeline


def computed_months(reports: Sequence[TableReport]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the months of transactions and of balances that a recalculation did not skip."""
    of_transactions, of_balances = (tuple(sorted(report.counts.keys() - report.skipped)) for report in reports[-2:])
    return of_transactions, of_balances


def assert_equals_reference(pipeline: Pipeline, state: SourceState) -> None:
    """Assert that the ledger equals the reference, and that the recorded row counts are right."""
    horizon = pipeline.horizon
    expected = compute_ledger(state, first_month=horizon.first, current_month=horizon.current)
    assert describe_differences(pipeline.ledger(), expected) == []
    assert_row_counts_are_recorded(pipeline)


def test_unchanged_months_are_skipped_and_reported(computed: Pipeline) -> None:
    rows = calculated_rows(computed)
    before = computed.rows(tables.rejected_rows)
    transactions_report, balances_report = computed.run()[-2:]
    assert transactions_report.skipped == balances_report.skipped == set(MONTHS)
    assert {month: counts.unchanged for month, counts in transactions_report.counts.items()} == dict(
        zip(MONTHS, (1, 2, 1, 0), strict=True)
    )
    assert {month: counts.unchanged for month, counts in balances_report.counts.items()} == dict(
        zip(MONTHS, (1, 2, 2, 2), strict=True)
    )
    assert transactions_report.rejected == {"2025-03": 1}
    assert (transactions_report.total.changed, balances_report.total.changed) == (0, 0)
    assert calculated_rows(computed) == rows
    (earlier,), (later,) = before, computed.rows(tables.rejected_rows)
    assert earlier["first_seen"] == later["first_seen"]
    assert earlier["last_seen"] < later["last_seen"]


PRICED = '[{"year_month": "2025-03", "harga_per_meter_kubik": 7}]'


@pytest.mark.parametrize(
    ("after", "of_transactions", "of_balances"),
    [
        pytest.param(with_rows(readings=[reading(9, 1, "2025-02-09")]), MONTHS[1:2], MONTHS[1:], id="reading added"),
        pytest.param(with_rows(readings=[reading(2, 1, "2025-03-03", 11)]), MONTHS[2:3], MONTHS[2:], id="changed"),
        pytest.param(with_rows(without=[2]), MONTHS[2:3], MONTHS[2:], id="deleted"),
        pytest.param(
            with_rows(readings=[reading(2, 1, "2025-04-03")]), MONTHS[2:], MONTHS[2:], id="moved to another month"
        ),
        pytest.param(
            with_rows(readings=[reading(2, 2, "2025-03-03")]), MONTHS[2:3], MONTHS[2:], id="moved to another customer"
        ),
        pytest.param(with_rows([customer(2, "2025-03-08")]), NONE, MONTHS[2:], id="deposit added"),
        pytest.param(with_rows([customer(1, "2025-03-05")]), NONE, MONTHS[1:3], id="deposit moved"),
        pytest.param(with_rows([customer(1)]), NONE, MONTHS[1:], id="deposit removed"),
        pytest.param(with_rows([customer(1, "2025-02-05", pricing_history=PRICED)]), MONTHS, MONTHS[2:], id="entry"),
        pytest.param(with_rows([customer(2, price=5)]), MONTHS, MONTHS[1:], id="default price"),
        pytest.param(with_rows([customer(3, price=5)]), MONTHS, MONTHS[2:], id="rejected reading gets a price"),
        pytest.param(with_rows([customer(4)]), MONTHS, NONE, id="customer added"),
        pytest.param(with_rows([customer(2, role="admin")]), MONTHS, MONTHS[1:], id="customer removed"),
        pytest.param(with_rows([customer(2, name="PT Lain")]), NONE, NONE, id="no input"),
    ],
)
def test_months_with_changed_inputs_are_computed(
    computed: Pipeline, after: SourceState, of_transactions: tuple[str, ...], of_balances: tuple[str, ...]
) -> None:
    computed.fill(after)
    found = computed_months(computed.run())
    assert found == (of_transactions, of_balances)
    assert_equals_reference(computed, after)
    assert computed_months(computed.run()) == (NONE, NONE)


@contextmanager
def other_formula() -> Iterator[None]:
    """Change an expression of the formula: the digits of computed factors."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prices, "_FACTOR_DECIMALS", 6)
        transactions._formula.cache_clear()
        yield
    transactions._formula.cache_clear()


def test_a_changed_formula_computes_every_month(computed: Pipeline) -> None:
    with other_formula():
        assert computed_months(computed.run()) == (MONTHS, NONE)
        assert computed_months(computed.run()) == (NONE, NONE)
    assert computed_months(computed.run()) == (MONTHS, NONE)


def test_a_changed_formula_of_balances_computes_every_month(
    computed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balances, "_formula", lambda: "another")
    assert computed_months(computed.run()) == (NONE, MONTHS)


def test_a_changed_time_zone_computes_every_month(computed: Pipeline) -> None:
    computed.horizon = replace(computed.horizon, zone=ZoneInfo("Asia/Makassar"))
    assert computed_months(computed.recalculate(Scope(MONTHS))) == (MONTHS, NONE)


def test_formula_versions_are_the_same_in_every_process() -> None:
    """A version that contains an address or the order of a set would never match again."""
    program = (
        "from zoneinfo import ZoneInfo; from ledger_pipelines.ledger import balances, transactions; "
        "print(transactions._formula(ZoneInfo('Asia/Jakarta')), balances._formula())"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [transactions._formula(WIB), balances._formula()]


def test_records_without_a_version_compute_every_month(computed: Pipeline) -> None:
    execute(computed.warehouse, sa.update(tables.loaded_months).values(computed_by=None, row_count=None))
    reports = computed.run()
    assert computed_months(reports) == (MONTHS, MONTHS)
    assert [report.total.changed for report in reports] == [0] * len(reports)
    assert computed_months(computed.run()) == (NONE, NONE)


def test_a_run_of_some_customers_records_no_month(shared_pipeline: Pipeline) -> None:
    shared_pipeline.reset(FIRST, CURRENT)
    shared_pipeline.fill(BEFORE)
    shared_pipeline.run(customers=[1, 2, 3])
    assert computed_months(shared_pipeline.run()) == (MONTHS, MONTHS)
    assert_equals_reference(shared_pipeline, BEFORE)


def test_a_run_of_some_customers_by_another_formula_removes_the_record(computed: Pipeline) -> None:
    with other_formula():
        computed.recalculate(Scope(MONTHS[1:3], (1,)))
    assert computed_months(computed.run()) == (MONTHS[1:3], NONE)


def test_months_of_which_some_customers_were_recalculated_with_their_change_stay_current(computed: Pipeline) -> None:
    """Real time loads and recalculates the customers of a change in one transaction."""
    after = with_rows([customer(1, "2025-02-05", price=7)], [reading(9, 1, "2025-02-09")], without=[2])
    computed.fill(after)
    scope = Scope(MONTHS, (1,))
    load = BillingLoad(BillingSource(computed.source, computed.horizon), scope, GUARD, "test", recalculated=True)
    with computed.warehouse.begin() as connection:
        for step in (load_customers, load_prices, load_deposits, load_readings):
            step(load, connection)
        transactions.recalculate_transactions(connection, scope, computed.horizon, "test", balances_follow=True)
        balances.recalculate_balances(connection, scope, computed.horizon, "test")
    assert_equals_reference(computed, after)
    assert computed_months(computed.run()) == (NONE, NONE)


def test_a_failed_recalculation_leaves_the_month_to_the_next(computed: Pipeline) -> None:
    after = with_rows(readings=[reading(9, 1, "2025-02-09")])
    computed.fill(after)
    scope = Scope(MONTHS)
    computed.load(scope)
    with computed.warehouse.connect() as connection:
        transactions.recalculate_transactions(connection, scope, computed.horizon, "test")
        connection.rollback()
    assert computed_months(computed.recalculate(scope)) == (MONTHS[1:2], MONTHS[1:])
    assert_equals_reference(computed, after)


@pytest.mark.parametrize("month", ["2025-03", "2025-04"])
def test_both_months_of_a_moved_reading_are_computed(computed: Pipeline, month: str) -> None:
    """A load of the old month, or of the new one, also changes the other."""
    after = with_rows(readings=[reading(2, 1, "2025-04-03")])
    computed.fill(after)
    computed.load(Scope((month,)))
    assert computed_months(computed.recalculate(Scope(MONTHS))) == (MONTHS[2:], MONTHS[2:])
    assert_equals_reference(computed, after)


def test_deposits_of_a_rejected_customer_change_months_outside_the_load(computed: Pipeline) -> None:
    with altered(
        computed.source,
        "ALTER TABLE users ALTER COLUMN harga_per_meter_kubik TYPE numeric(40, 2)",
        "ALTER TABLE users ALTER COLUMN harga_per_meter_kubik TYPE numeric(10, 2) USING 100",
    ):
        computed.fill(with_rows([customer(1, "2025-02-05", price=10**16)]))
        load = BillingLoad(BillingSource(computed.source, computed.horizon), Scope(MONTHS[3:]), GUARD, "test")
        with computed.warehouse.begin() as connection:
            load_deposits(load, connection)
    assert computed_months(computed.recalculate(Scope(MONTHS))) == (NONE, MONTHS[1:])


def test_a_month_that_has_begun_is_computed(computed: Pipeline) -> None:
    new = shift_month(CURRENT, 1)
    computed.horizon = replace(computed.horizon, current=new)
    with computed.warehouse.begin() as connection:
        app = BillingSource(computed.source, computed.horizon)
        assert turn_month(connection, app, GUARD, "test", alerts.DEFAULT_LIMITS) is not None
    assert computed_months(computed.run()) == ((new,), NONE)
    after = with_rows(readings=[reading(9, 1, f"{new}-02")])
    computed.fill(after)
    assert computed_months(computed.run()) == ((new,), (new,))
    assert_equals_reference(computed, after)


def test_a_first_month_that_moves_back_is_computed_and_carried_forward(computed: Pipeline) -> None:
    after = with_rows(readings=[reading(9, 1, "2024-12-09")])
    computed.fill(after)
    computed.horizon = replace(computed.horizon, first="2024-12")
    reports = computed.run()
    assert computed_months(reports) == (("2024-12",), ("2024-12", *MONTHS))
    assert {month: counts.unchanged for month, counts in reports[-1].counts.items()} == dict(
        zip(("2024-12", *MONTHS), (0, 0, 1, 1, 1), strict=True)
    )
    assert_equals_reference(computed, after)
    assert computed_months(computed.run()) == (NONE, NONE)


def test_rows_changed_in_the_warehouse_are_found_by_checks_and_by_a_run_of_every_month(computed: Pipeline) -> None:
    change = "UPDATE ledger.transaction_calculations SET total_harga = 1 WHERE data_pencatatan_id = 3"
    execute(computed.warehouse, change)
    assert computed_months(computed.run()) == (NONE, NONE)
    with computed.warehouse.connect() as connection:
        scope = CheckScope(computed.horizon)
        failed = {check.name for check in INVARIANTS if evaluate(connection, check, scope).rows}
    assert failed == {"amounts_follow_factors", "sums_match_rows"}
    reports = computed.run(every_month=True)
    assert computed_months(reports) == (MONTHS, MONTHS)
    assert [report.total.changed for report in reports[-2:]] == [1, 0]
    assert_equals_reference(computed, BEFORE)


def test_force_rebuilds_unchanged_months(computed: Pipeline) -> None:
    reports = computed.run(force=True)
    assert computed_months(reports) == (MONTHS, MONTHS)
    assert [report.total.inserted for report in reports[-2:]] == [4, 7]
    assert_equals_reference(computed, BEFORE)
    assert computed_months(computed.run()) == (NONE, NONE)


@pytest.mark.parametrize("every_month", [False, True])
def test_a_change_that_a_recalculation_did_not_see_is_computed_by_the_next(
    computed: Pipeline, every_month: bool
) -> None:
    after = with_rows([customer(2, "2025-03-08")], [reading(9, 1, "2025-02-09")])
    computed.fill(after)
    scope = Scope(MONTHS)
    load = BillingLoad(BillingSource(computed.source, computed.horizon), scope, GUARD, "test")
    with computed.warehouse.begin() as connection:
        load_deposits(load, connection)
        load_readings(load, connection)
        reports = computed.recalculate(scope, every_month=every_month)
        assert [report.total.changed for report in reports] == [0, 0]
    assert computed_months(computed.recalculate(scope)) == (MONTHS[1:2], MONTHS[1:])
    assert_equals_reference(computed, after)


def test_a_price_that_changes_while_months_are_first_computed_is_not_lost(shared_pipeline: Pipeline) -> None:
    """The months are recorded when the recalculation commits; the load must invalidate them all the same."""
    pipeline, scope = shared_pipeline, Scope(MONTHS)
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(BEFORE)
    pipeline.load(scope)
    after = with_rows([customer(1, "2025-02-05", pricing_history=PRICED)])
    pipeline.fill(after)
    load = BillingLoad(BillingSource(pipeline.source, pipeline.horizon), scope, GUARD, "test")

    def load_changed_prices() -> None:
        with pipeline.warehouse.begin() as connection:
            load_prices(load, connection)

    with ThreadPoolExecutor() as threads:
        with pipeline.warehouse.begin() as connection:
            transactions.recalculate_transactions(connection, scope, pipeline.horizon, "test")
            loading = threads.submit(load_changed_prices)
            wait_until(lambda: loading.done() or _waits_for_a_lock(pipeline))
        loading.result()
    pipeline.recalculate(scope)
    assert_equals_reference(pipeline, after)


def _waits_for_a_lock(pipeline: Pipeline) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with pipeline.warehouse.connect() as connection:
        return bool(connection.scalar(sa.text(waiting)))
