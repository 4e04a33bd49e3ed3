"""Tests that loading the demo from MariaDB and from PostgreSQL gives the same rows, all of them counted."""

import json
from collections import Counter
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.demo import BillingDemoPlan, seed_billing
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline
from ledger_pipelines_tests.support.builders import CURRENT, FIRST, fob_reading, rejections_by_id, state, user
from ledger_pipelines_tests.support.servers import fresh_database

UNTIL = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)
DEMO = BillingDemoPlan(current_month=CURRENT, until=UNTIL)


VOLATILE_COLUMNS = {
    "run_id", "first_seen", "last_seen", "loaded_at", "noted_at", "calculated_at", "last_calculated_at", "raised_at",
    "id", "event_id", "moved_at",
}  # fmt: skip
"""Columns that differ between two runs of the same data."""


def seed_and_run(server: sa.URL, pipeline: Pipeline) -> tuple[Pipeline, list[TableReport]]:
    """Seed the demo into a server and run the pipeline on it."""
    with fresh_database(server) as url:
        source = source_engine(url)
        seed_billing(source, DEMO)
        run = Pipeline(source, pipeline.warehouse, Horizon(DEMO.first_month, CURRENT, WIB))
        reports = run.run()
        source.dispose()
    return run, reports


def stable_rows(pipeline: Pipeline, table: sa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table in a fixed order, without the volatile columns."""
    rows = [
        {name: value for name, value in row.items() if name not in VOLATILE_COLUMNS} for row in pipeline.rows(table)
    ]
    return sorted(rows, key=str)


def test_mariadb_and_postgresql_load_same_rows(pipeline: Pipeline, embedded_url: sa.URL, mariadb_url: sa.URL) -> None:
    on_postgres, reports = seed_and_run(embedded_url, pipeline)
    expected = {str(table): stable_rows(on_postgres, table) for table in tables.metadata.sorted_tables}
    _assert_comparison_covers_all_kinds(on_postgres)
    _assert_reports_match_tables(on_postgres, reports)
    pipeline.reset(FIRST, CURRENT)
    on_mariadb, other_reports = seed_and_run(mariadb_url, pipeline)
    for table in tables.metadata.sorted_tables:
        assert stable_rows(on_mariadb, table) == expected[str(table)], f"{table} differs"
    assert other_reports == reports


def _assert_comparison_covers_all_kinds(pipeline: Pipeline) -> None:
    """Assert that the comparison has rows of every kind to compare."""
    assert {row["source_table"] for row in pipeline.rows(tables.rejected_rows)} == {"users", "data_pencatatan"}
    assert {row["kind"] for row in pipeline.rows(tables.meter_readings)} == {"metered", "fob"}
    assert {row["rule"] for row in pipeline.rows(tables.prices)} == {"custom_period", "monthly"}
    assert len(pipeline.rows(tables.transaction_calculations)) > 2_000
    assert pipeline.rows(tables.stale_months) == []


def _assert_reports_match_tables(pipeline: Pipeline, reports: list[TableReport]) -> None:
    """Assert that the reports' loaded and rejected counts match the tables."""
    assert {report.table: report.loaded for report in reports} == {
        report.table: len(pipeline.rows(tables.metadata.tables[report.table])) for report in reports
    }
    rejections = Counter(row["asset"] for row in pipeline.rows(tables.rejected_rows))
    assert {report.table.partition(".")[2]: sum(report.rejected.values()) for report in reports if report.rejected} == (
        rejections
    )


def test_every_source_row_is_loaded_or_rejected(pipeline: Pipeline) -> None:
    """Every row and every entry of a faulty source is loaded or rejected; the sums by month add up."""
    deposits = [{"date": "2025-02-01", "amount": 5}, {"date": "2025-02-01"}, 7, {"date": "2030-01-01", "amount": 5}]
    prices = [{"year_month": "2025-02"}, {"year_month": "x"}, None]
    readings = [
        fob_reading(1, 1, "2025-02-03"),
        fob_reading(2, 1, None),
        fob_reading(3, 1, "2030-01-01"),
        fob_reading(4, 9, "2025-03-03"),
        fob_reading(5, 2, "2025-03-03", "x"),
        fob_reading(6, 2, "2025-03-03", -5),
        reading_row(7, 2, None),
        fob_reading(8, 3, "2025-04-01"),
    ]
    users = [
        user(1, deposit_history=json.dumps(deposits), pricing_history=json.dumps(prices)),
        user(2, deposit_history="{", pricing_history='"x"'),
        user_row(3),
        user_row(4, role="admin", deposit_history="{"),
    ]
    pipeline.fill(state(users, readings))
    reports = {report.table: report for report in pipeline.run()}
    found = {name: (report.loaded, sum(report.rejected.values())) for name, report in reports.items()}
    assert found == {
        "billing.customers": (3, 0),
        "billing.prices": (1, 3),
        "billing.deposits": (1, 4),
        "billing.meter_readings": (2, 6),
        "ledger.transaction_calculations": (1, 1),
        "ledger.monthly_customer_balances": (5, 0),
    }
    assert {name: report.read for name, report in reports.items()} == {name: sum(both) for name, both in found.items()}
    assert [reports[f"billing.{name}"].unreadable for name in ("prices", "deposits", "meter_readings")] == [1, 1, 0]
    assert reports["billing.meter_readings"].rejected == {"": 3, "2025-03": 3}
    negative = rejections_by_id(pipeline)["6"]
    assert (negative["reason"], negative["year_month"]) == ("volume is negative: -5", "2025-03")
