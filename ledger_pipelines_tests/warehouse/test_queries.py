"""Queries of the pages, compared with sums computed here row by row."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.warehouse.ops import sessions
from ledger_pipelines.warehouse.queries.customers.low_balances import count_alerted_customers
from ledger_pipelines.warehouse.queries.customers.search import find_customers
from ledger_pipelines.warehouse.queries.exact_sums import exact_total
from ledger_pipelines.warehouse.queries.freshness import freshness
from ledger_pipelines.warehouse.queries.paging import ResultPage
from ledger_pipelines.warehouse.queries.rejections import count_rejected_rows, rejected_rows_page, rejection_counts
from ledger_pipelines.warehouse.queries.year import year_report, years_with_balances
from ledger_pipelines.warehouse.tables import (
    api_tokens,
    balance_alerts,
    customers,
    monthly_customer_balances,
    pending_changes,
    realtime_batches,
    rejected_rows,
)
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.builders import reason_values

Rows = dict[tuple[int, str], tuple[Decimal, ...]]
NOW = datetime(2025, 6, 1, tzinfo=UTC)
amounts = st.decimals(min_value=-(10**30), max_value=10**30, places=2)
volumes = st.decimals(min_value=0, max_value=10**12, places=4)
keys = st.tuples(st.integers(1, 12), st.sampled_from(["2024-12", "2025-01", "2025-02", "2025-05", "2026-01"]))
balances = st.dictionaries(keys, st.tuples(amounts, amounts, amounts, volumes), max_size=30)


@pytest.fixture
def empty(shared_pipeline: Pipeline) -> Iterator[sa.Connection]:
    """A transaction on an empty warehouse, rolled back after the test."""
    shared_pipeline.reset("2024-12", "2026-01")
    with shared_pipeline.warehouse.connect() as connection:
        yield connection


def insert_balances(connection: sa.Connection, rows: Rows) -> None:
    """Replace all balances by rows of deposits, purchases, closing balance and volume."""
    names = ("total_deposits", "total_purchases", "closing_balance", "total_volume_sm3")
    connection.execute(sa.delete(monthly_customer_balances))
    if rows:
        defaults = {"opening_balance": 0, "calculation_details": {}, "last_calculated_at": NOW}
        values = [
            defaults | {"customer_id": customer, "year_month": month} | dict(zip(names, row, strict=True))
            for (customer, month), row in rows.items()
        ]
        connection.execute(sa.insert(monthly_customer_balances), values)


@given(balances)
def test_a_year_is_the_sum_of_its_rows(
    shared_pipeline: Pipeline, rows: dict[tuple[int, str], tuple[Decimal, ...]]
) -> None:
    with shared_pipeline.warehouse.connect() as connection:
        insert_balances(connection, rows)
        for year in (2024, 2025, 2026, 2030):
            found = year_report(connection, year)
            mine = {
                key: row for key, row in sorted(rows.items(), key=lambda one: one[0][1]) if key[1].startswith(str(year))
            }
            last = {customer: row[2] for (customer, _), row in mine.items()}
            assert found.summary.total_customers == len(last)
            assert found.summary.total_closing_balance == exact_total(last.values(), 2)
            assert found.summary.total_deposits == exact_total((row[0] for row in mine.values()), 2)
            assert found.summary.total_purchases == exact_total((row[1] for row in mine.values()), 2)
            assert found.summary.total_volume == exact_total((row[3] for row in mine.values()), 4)
            assert [month.year_month for month in found.monthly_trend] == sorted({month for _, month in mine})
            for month in found.monthly_trend:
                of_month = [row for key, row in mine.items() if key[1] == month.year_month]
                assert month.customers == len(of_month)
                assert month.monthly_balance == exact_total((row[2] for row in of_month), 2)
            volumes_of = {one: exact_total((row[3] for key, row in mine.items() if key[0] == one), 4) for one in last}
            largest = sorted(volumes_of, key=lambda one: (-volumes_of[one], one))[:10]
            assert [one.id for one in found.top_customers] == largest
            for one in found.top_customers:
                assert one.total_volume == volumes_of[one.id]
        connection.rollback()


def test_years_with_balances_has_no_gaps(empty: sa.Connection) -> None:
    assert years_with_balances(empty) == []
    nothing = (Decimal(0),) * 4
    insert_balances(empty, {(1, "2024-12"): nothing, (1, "2026-01"): nothing})
    assert years_with_balances(empty) == [2026, 2025, 2024]


def test_customer_search_returns_the_best_match_first(empty: sa.Connection) -> None:
    defaults = {"role": "customer", "use_realtime_calculation": True}
    names = {
        7: ("PT Tujuh 12", "K-1"),
        12: ("PT Dua Belas", "K-7"),
        13: ("12 Sumber", "K-9"),
        14: ("PT 50% Air_", "12"),
    }
    empty.execute(
        sa.insert(customers),
        [defaults | {"customer_id": n, "name": name, "no_kontrak": contract} for n, (name, contract) in names.items()],
    )
    assert [one.customer_id for one in find_customers(empty, "12", 10)] == [12, 14, 13, 7]
    assert [one.customer_id for one in find_customers(empty, " dua BELAS ", 10)] == [12]
    assert [one.customer_id for one in find_customers(empty, "%", 10)] == [14]
    assert [one.customer_id for one in find_customers(empty, "_", 10)] == [14]
    assert [one.customer_id for one in find_customers(empty, "PT", 2)] == [14, 12]
    assert find_customers(empty, "9" * 40, 10) == []


def test_reasons_that_differ_only_in_numbers_are_one_kind(empty: sa.Connection) -> None:
    defaults = {"source_table": "users", "raw_row": "{}", "run_id": "run", "first_seen": NOW, "last_seen": NOW}
    reasons = {
        "1": RejectionReason.of(ReasonCode.UNKNOWN_USER, user=17),
        "2": RejectionReason.of(ReasonCode.UNKNOWN_USER, user=4),
        "3": RejectionReason.of(ReasonCode.NO_PRICE),
    }
    empty.execute(
        sa.insert(rejected_rows),
        [
            defaults | {"asset": "meter_readings", "source_id": one} | reason_values(reason)
            for one, reason in reasons.items()
        ],
    )
    kinds = [(one.kind, one.rows) for one in rejection_counts(empty)]
    assert kinds == [("the customer does not exist in users", 2), ("no price", 1)]
    assert [one.reason.kind("id") for one in rejection_counts(empty)] == [
        "pelanggan tidak ada di users",
        "tidak ada harga",
    ]
    assert count_rejected_rows(empty) == 3
    found = rejected_rows_page(empty, asset="meter_readings", kind=kinds[0][0], per_page=1, number=2)
    assert (found.total, found.last_page, [row.source_id for row in found.items]) == (2, 2, ["2"])
    assert found.items[0].reason == reasons["2"]
    assert rejected_rows_page(empty, asset="deposits", kind=None).total == 0
    assert rejected_rows_page(empty, asset="meter_readings", source_table="data_pencatatan", kind=None).total == 0


def test_queries_of_rejections_read_the_stored_kind(empty: sa.Connection) -> None:
    """The kind is stored in the row and found by an index."""
    statements: list[str] = []
    sa.event.listen(empty, "before_cursor_execute", lambda *of: statements.append(of[2]))
    rejection_counts(empty)
    rejected_rows_page(empty, asset="meter_readings", kind="no price")
    assert len(statements) == 3
    assert not any("regexp" in statement or "split_part" in statement for statement in statements)


def test_a_customer_with_two_alerts_counts_once(empty: sa.Connection) -> None:
    defaults = {"raised_at": NOW, "balance": 0, "threshold": 1, "days_left": 1, "days": 3, "run_id": "run"}
    low = [(1, "threshold", None), (1, "days_left", None), (2, "threshold", None), (3, "threshold", NOW)]
    empty.execute(
        sa.insert(balance_alerts),
        [defaults | {"customer_id": one, "kind": kind, "cleared_at": cleared} for one, kind, cleared in low],
    )
    assert count_alerted_customers(empty) == 2


def test_freshness_counts_pending_failing_and_held_changes(empty: sa.Connection) -> None:
    assert freshness(empty).last_batch_at is None
    defaults = {"source_table": "users", "customer_id": 1, "first_month": "2025-01", "digest": ""}
    empty.execute(
        sa.insert(pending_changes),
        [
            defaults | {"source_id": 1, "held": False, "error": None},
            defaults | {"source_id": 2, "held": False, "error": "it fails"},
            defaults | {"source_id": 3, "held": True, "error": None},
        ],
    )
    batch = {"run_id": "run", "customers": 1, "changes": 5, "first_month": "2025-01"}
    empty.execute(sa.insert(realtime_batches), batch | {"since_change_ms": [], "since_notice_ms": []})
    found = freshness(empty)
    assert (found.pending, found.failing, found.held, found.last_batch_changes) == (2, 1, 1, 5)


def test_adding_a_session_deletes_expired_ones(empty: sa.Connection) -> None:
    token = {"name": "one", "role": "viewer", "prefix": "0", "digest": b"0"}
    token_id = empty.execute(sa.insert(api_tokens).values(token).returning(api_tokens.c.id)).scalar_one()
    sessions.add(empty, token_id, b"old", 0)
    assert sessions.by_digest(empty, b"old") is None
    sessions.add(empty, token_id, b"new", 1)
    assert empty.scalars(sa.text("SELECT digest FROM ops.sessions")).all() == [b"new"]
    assert sessions.by_digest(empty, b"new") is not None


def test_a_page_counts_its_items_over_all_pages() -> None:
    page = ResultPage(["d", "e"], 2, 3, 5)
    assert (page.first_item, page.last_item, page.last_page) == (4, 5, 2)
    nothing: ResultPage[str] = ResultPage([], 1, 3, 0)
    assert (nothing.first_item, nothing.last_item, nothing.last_page) == (0, 0, 1)
