"""Tests of the demo's ERP on real servers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateTable

from ledger_pipelines.demo import BillingDemoPlan, seed_billing
from ledger_pipelines.demo.erp import ErpDemoPlan, ErpDemoSummary, create_erp_tables, erp_source_tables, seed_erp
from ledger_pipelines.demo.erp.faults import BOOLEAN_SPELLINGS, ERP_FAULTS, ODD_TEXTS, unicode_columns
from ledger_pipelines.demo.ownership_marker import marker_table
from ledger_pipelines.demo.plan import WIB
from ledger_pipelines.errors import LedgerError
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpTable, Kind
from ledger_pipelines_tests.support.erp.erp_copy import month_of_row
from ledger_pipelines_tests.support.servers import fresh_engine
from ledger_pipelines_tests.support.tables import execute

# Slow: these tests cover the demo's generators only; every test that uses a demo checks their result, too.
pytestmark = pytest.mark.slow

UNTIL = datetime(2025, 3, 17, 15, 30, tzinfo=WIB)
PLAN = ErpDemoPlan(current_month="2025-03", until=UNTIL, rows_per_month=100)
SMALL = replace(PLAN, months=2, rows_per_month=8)

Rows = dict[str, list[dict[str, Any]]]


def dump(engine: sa.Engine) -> Rows:
    """Return every table's rows by column, sorted by their values."""
    with engine.connect() as connection:
        found = {
            name: connection.execute(sa.select(table)).mappings().all() for name, table in erp_source_tables.items()
        }
    return {
        name: sorted((dict(row) for row in rows), key=lambda row: [(v is not None, str(v)) for v in row.values()])
        for name, rows in found.items()
    }


@dataclass(frozen=True)
class ErpDemo:
    """A seeded ERP: its summary and its rows."""

    summary: ErpDemoSummary
    rows: Rows

    @cached_property
    def months(self) -> dict[str, Counter[str]]:
        """Count the rows of each table by month; the month of rows without a date is an empty text."""
        return {table.name: Counter(month_of_row(table, row) for row in self.rows[table.name]) for table in ERP_TABLES}


@pytest.fixture(scope="module")
def demo(embedded_url: sa.URL) -> Iterator[ErpDemo]:
    with fresh_engine(embedded_url) as database:
        yield ErpDemo(seed_erp(database, PLAN), dump(database))


def test_same_plan_makes_same_rows_on_another_server(mariadb: sa.Engine, demo: ErpDemo) -> None:
    assert seed_erp(mariadb, PLAN) == demo.summary
    assert dump(mariadb) == demo.rows


def test_driver_without_bulk_protocol_writes_same_rows(postgres: sa.Engine, demo: ErpDemo) -> None:
    plain = sa.create_engine(postgres.url.set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool)
    assert seed_erp(plain, PLAN) == demo.summary
    assert dump(postgres) == demo.rows


def test_another_seed_makes_other_rows(postgres: sa.Engine, demo: ErpDemo) -> None:
    seed_erp(postgres, replace(PLAN, seed=PLAN.seed + 1))
    assert dump(postgres) != demo.rows


def test_summary_matches_rows(demo: ErpDemo) -> None:
    assert demo.summary.rows == {name: len(rows) for name, rows in demo.rows.items()}
    assert list(demo.summary.rows) == [table.name for table in ERP_TABLES]
    assert (demo.summary.first_month, demo.summary.last_month) == ("2023-04", "2025-03")
    assert not demo.summary.already_there


def test_every_month_has_about_rows_per_month(demo: ErpDemo) -> None:
    months = [f"{year}-{month:02d}" for year in (2023, 2024, 2025) for month in range(1, 13)]
    expected = months[months.index("2023-04") : months.index("2025-03") + 1]
    for table in ERP_TABLES:
        if not table.is_snapshot:
            assert [month for month in expected if not demo.months[table.name][month]] == [], table.name
    whole = expected[2:-1]
    assert 92 <= sum(demo.months["so_invoice_line"][month] for month in whole) / len(whole) <= 108


def test_a_tiny_plan_has_every_table(postgres: sa.Engine) -> None:
    summary = seed_erp(postgres, replace(SMALL, months=1, rows_per_month=1))
    assert all(0 < count < 100 for count in summary.rows.values()), summary


def test_progress_is_reported_to_the_end(postgres: sa.Engine) -> None:
    reported: list[tuple[int, int]] = []
    seed_erp(postgres, SMALL, lambda done, of: reported.append((done, of)))
    assert reported[0][0] == 0
    assert reported[-1][0] == reported[-1][1] == len(reported) - 1


# Faults


def test_every_kind_of_fault_is_made_and_counted(demo: ErpDemo) -> None:
    assert list(demo.summary.dirt) == list(ERP_FAULTS)
    assert [kind for kind, count in demo.summary.dirt.items() if count < 1] == []


@pytest.mark.parametrize("table", ERP_TABLES, ids=lambda table: table.name)
def test_every_table_has_faults(demo: ErpDemo, table: ErpTable) -> None:
    rows = [tuple(row.values()) for row in demo.rows[table.name]]
    assert max(Counter(rows).values()) >= 2, "exact duplicates"
    cells = {value for row in rows for value in row if isinstance(value, str)}
    assert [name for name, words in ODD_TEXTS.items() if words not in cells and unicode_columns(table)] == []
    assert "" in cells
    assert any(None in row for row in rows)
    assert any(all(row[name] is None for name in table.key) for row in demo.rows[table.name]), "no key"
    if table.is_snapshot:
        return
    months = demo.months[table.name]
    assert months[""] >= 1, "no date"
    assert months["2023-03"] >= 1, "before the first month"
    assert months["2025-04"] >= 1, "in the future"


def test_moments_lie_on_the_boundaries_of_months(demo: ErpDemo) -> None:
    moments = [row["actual_receipt_date"] for row in demo.rows["data_receipt_purchase"] if row["actual_receipt_date"]]
    assert any(f"{moment:%d %H:%M:%S}" == "01 00:00:00" for moment in moments)
    assert any(f"{moment:%H:%M:%S}" == "23:59:59" for moment in moments)
    midnights = [row["order_date"] for row in demo.rows["view_warehouse_order_line"] if row["order_date"]]
    assert any(f"{moment:%H:%M}" == "00:00" for moment in midnights)
    days = [row["order_date"] for row in demo.rows["view_warehouse_order"] if row["order_date"]]
    assert {type(day) for day in days} == {date}


def test_decimals_keep_every_digit(demo: ErpDemo) -> None:
    invoices = demo.rows["so_invoice_line"]
    assert Decimal("987654321098765432.1098765432") in {row["price"] for row in invoices}
    assert Decimal("9876543210987654321098765432.1098765432") in {row["amount_hc"] for row in invoices}
    assert Decimal("987654321098") in {row["qty_order"] for row in demo.rows["view_prod_header"]}
    fractions = {-row["price"].normalize().as_tuple().exponent for row in invoices if row["price"] is not None}
    assert {0, 10} <= {max(scale, 0) for scale in fractions}
    for table in ERP_TABLES:
        if names := table.names_of(Kind.DECIMAL):
            assert any((row[name] or 0) < 0 for row in demo.rows[table.name] for name in names), table.name


def test_booleans_come_in_every_spelling(demo: ErpDemo) -> None:
    receipts = demo.rows["data_receipt_purchase"]
    for column in ("is_final_receipt", "is_confirmed"):
        found = {row[column] for row in receipts}
        assert found >= {*BOOLEAN_SPELLINGS, None}
        assert found - {*BOOLEAN_SPELLINGS, None, ""} <= {"perhaps"}
    assert "perhaps" in {row["is_final_receipt"] for row in receipts}


def test_some_rows_differ_only_by_case_and_blank(demo: ErpDemo) -> None:
    parts = {row["desc"] for row in demo.rows["stockbywh"] if row["desc"]}
    assert any(f"{text.swapcase()} " in parts for text in parts)


# Plausibility


def test_orders_have_lines_and_shipments_several_invoices(demo: ErpDemo) -> None:
    orders = {row["order_origin_code"] for row in demo.rows["view_warehouse_order"]}
    lines = {row["order_origin_code"] for row in demo.rows["view_warehouse_order_line"]}
    assert len(lines & orders) >= 0.9 * len(orders)
    statuses = {row["line_status"] for row in demo.rows["view_warehouse_order_line"]}
    assert {"Open", "Late", "Partially Shipped", "Shipped", "Received"} <= statuses
    assert any(row["ship_qty"] < row["order_qty"] for row in demo.rows["view_warehouse_order_line"] if row["ship_qty"])

    invoices = demo.rows["so_invoice_line"]
    shipped = {(row["sales_order"], row["so_line"], row["shipment"]) for row in invoices if row["shipment"]}
    assert max(Counter(shipment[:2] for shipment in shipped).values()) >= 3, "shipments of an order line"
    key = next(table for table in ERP_TABLES if table.name == "so_invoice_line").key
    distinct = {tuple(row.items()): tuple(row[name] for name in key) for row in invoices if row["invoice_no"]}
    assert max(Counter(distinct.values()).values()) >= 2, "different rows with the same key"
    assert any(row["shipment"] and not row["invoice_no"] for row in invoices), "not yet invoiced"
    assert any(row["shipment"] is None and row["so_date"] for row in invoices), "not yet shipped"


def test_receipts_are_invoiced_weeks_and_paid_months_later(demo: ErpDemo) -> None:
    receipts = demo.rows["data_receipt_purchase"]
    waits = [
        (row["inv_doc_date"] - row["actual_receipt_date"].date()).days
        for row in receipts
        if row["inv_doc_date"] and row["actual_receipt_date"]
    ]
    assert 10 <= sorted(waits)[len(waits) // 2] <= 40
    assert any(row["inv_doc_no"] and row["payment_doc"] is None for row in receipts)
    assert any(row["payment_doc"] for row in receipts)
    assert any(row["receipt_no"] and row["inv_doc_no"] is None for row in receipts)


def test_production_is_planned_ahead_and_stock_runs_short(demo: ErpDemo) -> None:
    orders = demo.rows["view_prod_header"]
    until = UNTIL.replace(tzinfo=None)
    planned = [row for row in orders if row["planning_date"] and row["planning_date"] > until and row["status"]]
    assert sum(row["status"] == "Planned" and row["qty_delivery"] == 0 for row in planned) >= 3
    assert {"Planned", "Active", "Closed"} <= {row["status"] for row in orders}
    stock = [row for row in demo.rows["stockbywh"] if row["onhand"] is not None]
    short = sum(row["onhand"] < row["safety_stock"] for row in stock)
    assert 0 < short < len(stock) / 3


def test_gas_is_invoiced_to_billing_customers(demo: ErpDemo, postgres: sa.Engine) -> None:
    """In most months, the invoiced amount is the cost of the application's readings."""
    seed_billing(postgres, BillingDemoPlan(current_month="2025-03", until=UNTIL))
    bills = sa.text(
        "SELECT no_kontrak, sum(harga_final) AS bill FROM users JOIN data_pencatatan ON customer_id = users.id "
        "WHERE data_input->'pembacaan_awal'->>'waktu' LIKE '2024-11%' GROUP BY no_kontrak"
    )
    with postgres.connect() as connection:
        billed = {row.no_kontrak: row.bill for row in connection.execute(bills)}
    invoiced: Counter[str] = Counter()
    for row in demo.rows["so_invoice_line"]:
        if row["product_type"] == "GAS" and row["so_date"] == datetime(2024, 11, 1):  # noqa: DTZ001 - ERP timestamps have no time zone
            invoiced[row["bp_code"]] += row["amount_hc"] or 0
    both = billed.keys() & invoiced.keys()
    assert len(both) >= 8
    close = [code for code in both if abs(invoiced[code] - billed[code]) < 1]
    assert len(both) // 2 <= len(close)
    assert all(billed[code] * Decimal("0.5") < invoiced[code] < billed[code] * 2 for code in both if invoiced[code])


# Existing databases


def test_identical_plan_changes_nothing(engine: sa.Engine) -> None:
    first = seed_erp(engine, SMALL)
    before = dump(engine)
    assert seed_erp(engine, SMALL) == replace(first, already_there=True)
    assert dump(engine) == before


def test_another_plan_needs_replace(engine: sa.Engine) -> None:
    seed_erp(engine, SMALL)
    other = replace(SMALL, rows_per_month=9)
    with pytest.raises(LedgerError, match="another plan"):
        seed_erp(engine, other)
    assert seed_erp(engine, replace(other, replace=True)).already_there is False
    assert seed_erp(engine, other).already_there is True


def test_real_erp_is_refused(engine: sa.Engine) -> None:
    """A demo of the billing application in the same database does not mark the ERP."""
    seed_billing(engine, BillingDemoPlan(current_month="2025-03", until=UNTIL, customers=1, months=1))
    table = erp_source_tables["view_prod_header"]
    execute(engine, CreateTable(table), table.insert().values(prod_index=1))
    for plan in (SMALL, replace(SMALL, replace=True)):
        with pytest.raises(LedgerError, match="view_prod_header, which no demo made"):
            seed_erp(engine, plan)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 1
        assert not sa.inspect(connection).has_table("stockbywh")


def test_incomplete_demo_is_refused(engine: sa.Engine) -> None:
    seed_erp(engine, SMALL)
    execute(engine, marker_table.update().values(summary=None))
    with pytest.raises(LedgerError, match="only a part of a demo"):
        seed_erp(engine, SMALL)


def test_both_demos_can_share_a_database(engine: sa.Engine) -> None:
    billing = BillingDemoPlan(current_month="2025-03", until=UNTIL, customers=2, months=1)
    seed_billing(engine, billing)
    seed_erp(engine, SMALL)
    assert seed_billing(engine, billing).already_there
    assert seed_erp(engine, SMALL).already_there


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="rows_per_month must lie between 1 and"):
        ErpDemoPlan(current_month="2025-03", rows_per_month=0)
    with pytest.raises(ValueError, match="must lie in the current month"):
        ErpDemoPlan(current_month="2025-02", until=UNTIL)


# Declaration of the tables


def test_declaration_compiles_to_sql_server_types() -> None:
    dialect = mssql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects' constructors untyped
    made = {name: str(CreateTable(table).compile(dialect=dialect)) for name, table in erp_source_tables.items()}
    assert "[desc] NVARCHAR(255) NULL" in made["stockbywh"]
    assert "[group] VARCHAR(60) NULL" in made["stockbywh"]
    assert "delivery_date DATETIME NULL" in made["so_invoice_line"]
    assert "amount_hc NUMERIC(38, 10) NULL" in made["so_invoice_line"]
    assert "is_final_receipt VARCHAR(10) NULL" in made["data_receipt_purchase"]


def test_tables_match_the_catalogue(engine: sa.Engine) -> None:
    create_erp_tables(engine)
    inspector = sa.inspect(engine)
    for table in ERP_TABLES:
        assert tuple(column["name"] for column in inspector.get_columns(table.name)) == table.names
    assert inspector.get_indexes("so_invoice_line")[0]["column_names"] == ["delivery_date"]
