"""Assets of the reconciliations: recorded metadata, checks, and independence from other runs."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.automation.jobs import reconciliation_job
from ledger_pipelines.defs.automation.schedules import reconciliation_schedules
from ledger_pipelines.defs.partitions import RANGE_END_TAG, RANGE_START_TAG, month_range_tags
from ledger_pipelines.ledger.checks import CheckScope, evaluate
from ledger_pipelines.ledger.checks.mismatches import RECONCILIATION_CHECKS
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines.warehouse.transaction_setup import lock_tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.code_location import (
    CURRENT,
    FIRST,
    NOW,
    CodeLocation,
    check_evaluations,
    failure_messages,
    materialized_metadata,
)
from ledger_pipelines_tests.support.dagster_internals import schedule_execution_time_iterator
from ledger_pipelines_tests.support.tables import execute

LINES = tables.erp_tables["so_invoice_line"]
CHECKS = {
    "balance_comparison/balances_match",
    "balance_comparison/every_difference_is_explained",
    "invoice_reconciliation/invoices_match",
    "invoice_reconciliation/every_customer_has_a_partner",
    "invoice_reconciliation/every_partner_has_a_customer",
}


def source(bill: str = "100") -> SourceState:
    """Return three fob customers with purchases of 100 rupiah in May and in June; the first bill of May varies."""
    price: dict[str, Any] = {"harga_per_meter_kubik": Decimal(10), "total_purchases": Decimal(200)}
    users = tuple(user_row(number, "fob", no_kontrak=f"K{number}", **price) for number in (1, 2, 3))
    readings = [
        reading_row(10 * number + month, number, json.dumps({"waktu": f"2025-0{month}-03", "volume_sm3": 10}))
        | {"harga_final": Decimal(bill) if (number, month) == (1, 5) else Decimal(100)}
        for number in (1, 2, 3)
        for month in (5, 6)
    ]
    users = (users[0] | {"total_purchases": Decimal(100) + Decimal(bill)}, *users[1:])
    return SourceState(users, tuple(readings))


def invoice(pipeline: Pipeline, bp_code: str, amount: int, day: str) -> None:
    """Insert a line into the copy of so_invoice_line."""
    values = {"year_month": day[:7], "bp_code": bp_code, "amount_hc": amount, "invoice_date": date.fromisoformat(day)}
    execute(pipeline.warehouse, sa.insert(LINES).values(values))


@pytest.fixture
def fresh(location: CodeLocation) -> CodeLocation:
    """Return the location with a computed ledger and a copy of the ERP without invoices."""
    pipeline = location.pipeline
    pipeline.reset(FIRST, CURRENT)
    pipeline.fill(source())
    pipeline.run()
    with pipeline.warehouse.begin() as connection:
        for month in pipeline.horizon.months:
            ensure_partition(connection, LINES, month)
        mark_loaded(connection, LINES, pipeline.horizon.months, "test")
    return location


def run(location: CodeLocation, first: str = FIRST, last: str = CURRENT) -> dg.ExecuteInProcessResult:
    """Run the reconciliation job over a range of months."""
    return location.execute(reconciliation_job.name, tags=month_range_tags(first, last))


def test_a_run_records_that_everything_matches(fresh: CodeLocation) -> None:
    for number in (1, 2, 3):
        invoice(fresh.pipeline, f"K{number}", 100, "2025-05-31")
    result = run(fresh)
    assert result.success
    (compared,) = materialized_metadata(result, "balance_comparison").values()
    assert (compared["customers"], compared["mismatches"], compared["rows_inserted"]) == (3, 0, 3)
    assert (compared["ledger_balance_rupiah"], compared["difference_rupiah"]) == (-600, 0)
    months = materialized_metadata(result, "invoice_reconciliation")
    assert months.keys() == set(fresh.pipeline.horizon.months)
    assert months["2025-05"]["dagster/partition_row_count"] == 3
    assert (months["2025-05"]["month_mismatches"], months["2025-06"]["month_mismatches"]) == (0, 3)
    assert (months["2025-05"]["month_purchases_rupiah"], months["2025-06"]["month_invoiced_rupiah"]) == (300, 0)
    assert "| 2025-05 | 3 | 300.00 | 300 | 0.00 | 3 | 0 |" in months["2025-05"]["months"]
    assert {name: check.passed for name, check in check_evaluations(result).items()} == dict.fromkeys(CHECKS, True), (
        "June is not over"
    )
    again = run(fresh)
    for asset in ("balance_comparison", "invoice_reconciliation"):
        for metadata in materialized_metadata(again, asset).values():
            assert [metadata[f"rows_{what}"] for what in ("inserted", "updated", "deleted")] == [0, 0, 0]


def test_a_mismatch_is_a_warning_with_its_amount(fresh: CodeLocation) -> None:
    fresh.pipeline.fill(source(bill="70.5"))
    execute(
        fresh.pipeline.warehouse,
        "UPDATE billing.customers SET no_kontrak = NULL WHERE customer_id = 3",
        "UPDATE billing.customers SET total_purchases = 170.5 WHERE customer_id = 1",
        "UPDATE billing.customers SET total_deposit = 5000 WHERE customer_id = 2",
        "UPDATE billing.meter_readings SET harga_final = 70.5 WHERE reading_id = 15",
        "UPDATE ledger.monthly_customer_balances SET closing_balance = 7 WHERE customer_id = 3",
    )
    invoice(fresh.pipeline, "K1", 60, "2025-05-31")
    invoice(fresh.pipeline, "K2", 100, "2025-06-15")
    invoice(fresh.pipeline, "K7", 1234, "2025-05-30")
    found = check_evaluations(run(fresh))
    assert {name for name, check in found.items() if not check.passed} == CHECKS
    assert {check.severity for check in found.values()} == {dg.AssetCheckSeverity.WARN}
    metadata = {name.partition("/")[2]: {key: str(value.value) for key, value in check.metadata.items()}
                for name, check in found.items()}  # fmt: skip
    assert {name: (values["rows"], values["rupiah"]) for name, values in metadata.items()} == {
        "balances_match": ("3", "-4,822.50"),
        "every_difference_is_explained": ("1", "207.00"),
        "invoices_match": ("2", "140.00"),
        "every_customer_has_a_partner": ("1", "100.00"),
        "every_partner_has_a_customer": ("1", "1,234"),
    }
    examples = metadata["balances_match"]["examples"].splitlines()
    assert examples[0].startswith("| customer_id | last_month | ledger_balance |")
    assert [line.split(" | ")[0] for line in examples[2:]] == ["| 2", "| 3", "| 1"], "the largest first"
    assert "partner:K7" in metadata["every_partner_has_a_customer"]["examples"]
    with fresh.pipeline.warehouse.connect() as connection:
        of_customer = CheckScope(fresh.pipeline.horizon, (2,))
        rows = {check.name: evaluate(connection, check, of_customer).rows for check in RECONCILIATION_CHECKS}
    assert rows == {name: int(values["rows"]) for name, values in metadata.items()}, "customers limit no reconciliation"


def test_a_range_touches_no_other_month(fresh: CodeLocation) -> None:
    result = run(fresh, "2025-05", "2025-05")
    assert materialized_metadata(result, "invoice_reconciliation").keys() == {"2025-05"}
    assert {row["year_month"] for row in fresh.pipeline.rows(tables.invoice_reconciliation)} == {"2025-05"}


def test_months_that_were_never_copied_are_named(fresh: CodeLocation) -> None:
    execute(fresh.pipeline.warehouse, "DELETE FROM ops.loaded_months WHERE table_name = 'erp.so_invoice_line'")
    result = run(fresh)
    assert "Materialise so_invoice_line from 2025-01 on first" in failure_messages(result)["invoice_reconciliation"]
    assert len(fresh.pipeline.rows(tables.balance_comparison)) == 3


def test_a_run_does_not_wait_for_writers(fresh: CodeLocation) -> None:
    """A run of the ledger holds its locks and has written rows; the reconciliation sees the committed rows."""
    ledger_tables = (*(table for table in tables.metadata.sorted_tables if table.schema == "billing"),
                     tables.transaction_calculations, tables.monthly_customer_balances, LINES)  # fmt: skip
    with fresh.pipeline.warehouse.begin() as writing:
        for table in ledger_tables:
            lock_tables(writing, table)
        writing.execute(sa.text("UPDATE ledger.monthly_customer_balances SET closing_balance = 0"))
        writing.execute(sa.text("DELETE FROM billing.meter_readings"))
        assert run(fresh).success
        writing.rollback()
    assert [row["matches"] for row in fresh.pipeline.rows(tables.balance_comparison)] == [True, True, True]


def test_the_schedule_requests_a_run_that_succeeds(fresh: CodeLocation) -> None:
    """It ticks daily at 03:00; without an ERP, it requests only the comparison with the application."""
    schedule = fresh.definitions.resolve_schedule_def("daily_comparison")
    start = NOW.timestamp()
    tick = next(schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone))
    assert tick.isoformat() == "2025-06-18T03:00:00+07:00"
    (request,) = fresh.evaluate_schedule(schedule).run_requests or ()
    job = fresh.definitions.resolve_job_def(reconciliation_job.name)
    assert request.asset_selection == [dg.AssetKey("balance_comparison")]
    result = job.execute_in_process(instance=fresh.instance, asset_selection=request.asset_selection)
    assert {
        asset for asset in ("balance_comparison", "invoice_reconciliation") if materialized_metadata(result, asset)
    } == {"balance_comparison"}
    with_erp = fresh.settings.model_copy(update={"erp_url": fresh.settings.warehouse_url})
    (other,) = reconciliation_schedules(with_erp)
    (request,) = fresh.evaluate_schedule(other).run_requests or ()
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == (FIRST, CURRENT)
    assert request.asset_selection is None
