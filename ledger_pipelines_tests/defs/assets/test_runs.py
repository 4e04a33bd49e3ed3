"""Runs of the real assets: one run per range, its metadata by month, and its failures."""

import json
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.code_location import (
    CURRENT,
    FIRST,
    STEPS,
    CodeLocation,
    check_evaluations,
    failure_messages,
    materialized_metadata,
)
from ledger_pipelines_tests.support.dagster_internals import (
    CachingStaleStatusResolver,
    LoadingContextForTest,
    StaleStatus,
)
from ledger_pipelines_tests.support.tables import altered, execute

OF_RUN = {
    "customers_in_scope", "rows_read", "rows_rejected", "lists_unreadable", "rows_inserted", "rows_updated",
    "rows_deleted", "rows_unchanged", "seconds", "rows_per_second",
}  # fmt: skip
OF_MONTH = {
    "month_rows_read", "month_rows_rejected", "month_rows_inserted", "month_rows_updated", "month_rows_deleted",
    "month_rows_unchanged",
}  # fmt: skip
OF_TRANSACTIONS = {"total_rupiah", "total_sm3", "months", "month_rupiah", "month_sm3", "month_rupiah_exact"}
OF_BALANCES = {
    "total_purchases_rupiah", "total_deposits_rupiah", "total_sm3", "closing_balance_rupiah", "months",
    "month_purchases_rupiah", "month_deposits_rupiah", "month_closing_rupiah", "month_closing_rupiah_exact",
    "month_sm3", "customers", "customers_owing",
}  # fmt: skip


def source(volume: object = 10, deposits: str | None = None) -> SourceState:
    """Return three customers; the volume of the first customer's reading in February, and its deposits, vary."""
    price = {"harga_per_meter_kubik": Decimal("100.00"), "koreksi_meter": Decimal("1.5")}
    readings = [("2025-02-03", volume, 1), ("2025-04-03", 20, 1), ("2025-02-04", 30, 2), ("2025-06-01", 7, 2)]
    return SourceState(
        (user_row(1, role="fob", deposit_history=deposits, **price), user_row(2, role="fob", **price), user_row(3)),
        tuple(
            reading_row(number, customer, json.dumps({"waktu": waktu, "volume_sm3": given}))
            for number, (waktu, given, customer) in enumerate(readings, start=1)
        ),
    )


@pytest.fixture
def fresh(location: CodeLocation) -> CodeLocation:
    """Return the location with an empty warehouse and a filled source."""
    location.pipeline.reset(FIRST, CURRENT)
    location.pipeline.fill(source())
    return location


def balances(location: CodeLocation) -> list[dict[str, Any]]:
    """Return all stored balances."""
    return [dict(row) for row in location.pipeline.rows(tables.monthly_customer_balances)]


def closing(location: CodeLocation, customer: int, month: str) -> Decimal:
    """Return a customer's closing balance of a month."""
    return location.pipeline.ledger().balances[customer, month].closing_balance


def test_a_range_is_one_run_and_a_rerun_writes_nothing(fresh: CodeLocation) -> None:
    first = fresh.run()
    assert first.success
    months = set(fresh.pipeline.horizon.months)
    for asset in STEPS:
        found = materialized_metadata(first, asset)
        expected = {""} if asset in {"customers", "prices"} else months
        assert found.keys() == expected, asset
        for month, metadata in found.items():
            assert metadata.keys() >= OF_RUN | (OF_MONTH | {"dagster/partition_row_count"} if month else set())
            assert metadata["customers_in_scope"] == "all"
    assert materialized_metadata(first, "transaction_calculations")["2025-02"].keys() >= OF_TRANSACTIONS
    of_balances = materialized_metadata(first, "monthly_customer_balances")["2025-02"]
    assert of_balances.keys() >= OF_BALANCES
    assert of_balances["month_closing_rupiah"] == -4000
    assert of_balances["month_closing_rupiah_exact"] == "-4,000.00"
    assert (of_balances["rows_inserted"], of_balances["month_rows_inserted"], of_balances["rows_read"]) == (10, 2, 10)
    assert (of_balances["customers"], of_balances["customers_owing"]) == (2, 2)
    assert "| 2025-02 | 2 |" in of_balances["months"]
    before = balances(fresh)
    again = fresh.run()
    assert again.success
    assert balances(fresh) == before
    messages = fresh.log_messages(again)
    for asset in STEPS:
        assert f"{tables.metadata.tables[_table(asset)]}: nothing to write, all" in messages
        assert {metadata["rows_unchanged"] for metadata in materialized_metadata(again, asset).values()} != {0} or (
            asset in {"prices", "deposits"}
        )
        for metadata in materialized_metadata(again, asset).values():
            assert [metadata[f"rows_{what}"] for what in ("inserted", "updated", "deleted")] == [0, 0, 0]
    sentence = "6 of 6 months were skipped, because their inputs are unchanged."
    for asset in ("transaction_calculations", "monthly_customer_balances"):
        assert f"ledger.{asset}: {sentence}" in messages
        for month, metadata in materialized_metadata(again, asset).items():
            before_skipping = materialized_metadata(first, asset)[month]
            assert (metadata["months_skipped"], metadata["skipped"]) == (sentence, "inputs unchanged")
            assert metadata["rows_per_second"] == 0
            assert "skipped" not in before_skipping
            rows = "dagster/partition_row_count"
            assert metadata[rows] == metadata["month_rows_unchanged"] == before_skipping[rows]


def _table(asset: str) -> str:
    return next(key for key in tables.metadata.tables if key.endswith(f".{asset}"))


def test_skipped_months_report_their_rejections(fresh: CodeLocation) -> None:
    given = source()
    unpriced = reading_row(9, 3, '{"waktu": "2025-03-01", "volume_sm3": 1}')
    fresh.pipeline.fill(SourceState(given.users, (*given.readings, unpriced)))
    first, again = (materialized_metadata(fresh.run(), "transaction_calculations")["2025-03"] for _ in range(2))
    assert again["skipped"] == "inputs unchanged"
    assert first["rejected_because"]
    for name in ("rows_read", "rows_rejected", "month_rows_read", "month_rows_rejected", "rejected_because"):
        assert again[name] == first[name], name


def test_a_month_in_the_middle_carries_the_later_ones_forward(fresh: CodeLocation) -> None:
    fresh.pipeline.run()
    before = {(row["customer_id"], row["year_month"]): row for row in balances(fresh)}
    fresh.pipeline.fill(source(volume=11))
    result = fresh.run("2025-02", "2025-02")
    assert result.success
    assert closing(fresh, 1, "2025-02") == -1100
    assert closing(fresh, 1, "2025-06") == -3100
    found = materialized_metadata(result, "monthly_customer_balances")
    assert found.keys() == {"2025-02", "2025-03", "2025-04", "2025-05", "2025-06"}
    assert {month: metadata["month_rows_updated"] for month, metadata in found.items()} == dict.fromkeys(found, 1)
    assert found["2025-06"]["month_closing_rupiah"] == -3100 - 3700
    assert materialized_metadata(result, "transaction_calculations").keys() == {"2025-02"}
    assert [row for row in balances(fresh) if row["customer_id"] == 2] == [
        row for (customer, _), row in before.items() if customer == 2
    ]
    untouched = fresh.run("2025-02", "2025-02")
    assert materialized_metadata(untouched, "monthly_customer_balances").keys() == {"2025-02"}


def test_each_asset_runs_by_itself_over_a_range(fresh: CodeLocation) -> None:
    """A backfill launches one run per asset."""
    for asset in STEPS:
        result = fresh.run("2025-01", "2025-06", only=[asset])
        assert result.success
        assert {
            str(event.asset_key and event.asset_key.to_user_string())
            for event in result.get_asset_materialization_events()
        } == {asset}
    assert closing(fresh, 1, CURRENT) == -3000


def test_a_scoped_run_touches_no_other_customer(fresh: CodeLocation) -> None:
    fresh.pipeline.run()
    before = {table.name: [dict(row) for row in fresh.pipeline.rows(table)] for table in _of_customers()}
    changed = source(volume=11, deposits='[{"date": "2025-03-01", "amount": 500}]')
    readings = [row | {"data_input": row["data_input"].replace("30", "99")} for row in changed.readings]
    fresh.pipeline.fill(SourceState(changed.users, tuple(readings)))
    result = fresh.run(customer_ids=[1])
    assert result.success
    assert closing(fresh, 1, CURRENT) == -2600
    for table in _of_customers():
        after = [dict(row) for row in fresh.pipeline.rows(table)]
        assert [row for row in after if row["customer_id"] != 1] == [
            row for row in before[table.name] if row["customer_id"] != 1
        ]
    metadata = materialized_metadata(result, "monthly_customer_balances")[CURRENT]
    assert metadata["customers_in_scope"] == "1"
    assert "dagster/partition_row_count" not in metadata
    assert "month_closing_rupiah" not in metadata


def _of_customers() -> list[sa.Table]:
    return [table for table in tables.metadata.sorted_tables if table.name in STEPS]


def test_force_builds_everything_again(fresh: CodeLocation) -> None:
    fresh.pipeline.run()
    before = balances(fresh)
    result = fresh.run(force=True)
    assert result.success
    after = balances(fresh)
    stamp = "last_calculated_at"
    assert [row | {stamp: None} for row in after] == [row | {stamp: None} for row in before]
    assert all(new[stamp] > old[stamp] for new, old in zip(after, before, strict=True))
    metadata = materialized_metadata(result, "transaction_calculations")["2025-02"]
    assert (metadata["rows_deleted"], metadata["rows_inserted"]) == (4, 4)


def test_months_that_were_never_computed_are_named(fresh: CodeLocation) -> None:
    result = fresh.run("2025-03", "2025-04")
    assert not result.success
    (message,) = failure_messages(result).values()
    assert "2025-03" in message
    assert "2025-01 to 2025-02" in message
    assert "Materialise monthly_customer_balances from 2025-01 on" in message
    assert balances(fresh) == []


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2025-01", "2025-07", "2025-07 is in the future: the current month is 2025-06"),
        ("2024-12", "2025-06", "2024-12 is before 2025-01, the first month of the partitions"),
    ],
)
def test_a_range_outside_the_horizon_is_refused(fresh: CodeLocation, first: str, last: str, message: str) -> None:
    result = fresh.run(first, last, only=["meter_readings"])
    assert not result.success
    assert message in str(failure_messages(result))
    assert fresh.pipeline.rows(tables.meter_readings) == []


@pytest.mark.parametrize("only", [["meter_readings"], ["transaction_calculations"], ["monthly_customer_balances"]])
def test_a_range_that_runs_backwards_is_refused(fresh: CodeLocation, only: list[str]) -> None:
    result = fresh.run("2025-06", "2025-01", only=only)
    assert not result.success
    assert "2025-06" in str(failure_messages(result)), "no readable failure"


def test_an_emptied_source_stops_the_run_until_deletions_are_accepted(fresh: CodeLocation) -> None:
    fresh.pipeline.run()
    before = balances(fresh)
    fresh.pipeline.fill(SourceState())
    result = fresh.run()
    assert not result.success
    assert "has no customers at all" in failure_messages(result)["customers"]
    assert balances(fresh) == before
    assert fresh.run(accept_deletions=True).success
    assert balances(fresh) == []


def test_an_unreadable_source_is_a_failure_with_a_message(fresh: CodeLocation) -> None:
    fresh.pipeline.run()
    before = balances(fresh)
    with altered(
        fresh.pipeline.source,
        "ALTER TABLE data_pencatatan RENAME data_input TO hidden",
        "ALTER TABLE data_pencatatan RENAME hidden TO data_input",
    ):
        result = fresh.run()
    assert not result.success
    assert list(failure_messages(result)) == ["customers"], "reported once, by the first step"
    assert "lacks the column data_input" in failure_messages(result)["customers"]
    password = fresh.pipeline.source.url.password
    assert password
    assert password not in fresh.log_messages(result)
    assert balances(fresh) == before


def test_checks_pass_on_a_healthy_ledger(fresh: CodeLocation) -> None:
    found = check_evaluations(fresh.run())
    failed = {name for name, check in found.items() if not check.passed}
    assert failed == set()
    assert len(found) == 9 + 6 + 5 + 1


def test_invariants_are_errors_and_data_checks_are_warnings(fresh: CodeLocation) -> None:
    odd = source(volume=0)
    rejected = reading_row(9, 3, '{"waktu": "2025-03-01", "volume_sm3": 1}')
    fresh.pipeline.fill(SourceState(odd.users, (*odd.readings, rejected, reading_row(10, 1, None))))
    found = check_evaluations(fresh.run())
    warned = {name for name, check in found.items() if not check.passed}
    assert warned == {
        "meter_readings/zero_volume",
        "meter_readings/no_rejected_rows",
        "transaction_calculations/no_rejected_rows",
        "meter_readings/reading_of_the_other_kind",
    }
    assert {found[name].severity for name in warned} == {dg.AssetCheckSeverity.WARN}
    assert found["meter_readings/no_rejected_rows"].metadata["rows"].value == 1
    assert "data_input is missing" in str(found["meter_readings/no_rejected_rows"].metadata["reasons"].value)
    execute(
        fresh.pipeline.warehouse, "UPDATE ledger.monthly_customer_balances SET closing_balance = closing_balance + 1"
    )
    job = dg.define_asset_job("only_checks", selection=dg.AssetSelection.all_asset_checks())
    definitions = dg.Definitions.merge(fresh.definitions, dg.Definitions(jobs=[job]))
    result = definitions.resolve_job_def("only_checks").execute_in_process(instance=fresh.instance)
    broken = {name for name, check in check_evaluations(result).items() if not check.passed} - warned
    assert broken == {"monthly_customer_balances/balances_add_up", "monthly_customer_balances/months_chain"}
    assert {check_evaluations(result)[name].severity for name in broken} == {dg.AssetCheckSeverity.ERROR}
    examples = check_evaluations(result)["monthly_customer_balances/balances_add_up"].metadata["examples"].value
    assert "| customer_id | year_month |" in str(examples)


def test_dagster_reports_no_month_as_stale_after_a_run(fresh: CodeLocation) -> None:
    """Only `ledger.stale_months` determines what is out of date; Dagster's own staleness check is off."""
    graph = fresh.definitions.resolve_asset_graph()

    def unsynced() -> list[tuple[str, str | None]]:
        resolver = CachingStaleStatusResolver(fresh.instance, graph, LoadingContextForTest(fresh.instance))
        keys: list[tuple[str, str | None]] = [(name, None) for name in STEPS[:2]]
        keys += [(name, month) for name in STEPS[2:] for month in fresh.databases.horizon().months]
        return [key for key in keys if resolver.get_status(dg.AssetKey(key[0]), key[1]) is not StaleStatus.FRESH]

    for first, last, volume in ((FIRST, CURRENT, 10), (FIRST, CURRENT, 10), ("2025-02", "2025-02", 77)):
        fresh.pipeline.fill(source(volume))
        result = fresh.run(first, last)
        assert unsynced() == []
    assert sorted(materialized_metadata(result, "monthly_customer_balances")) == [
        f"2025-0{month}" for month in range(2, 7)
    ]


def test_a_run_reports_rejections_and_the_first_month_to_set(fresh: CodeLocation) -> None:
    given = source(deposits='[{"date": "2023-08-05", "amount": 1}, {"date": "1999-01-01", "amount": 1}]')
    earlier = [reading_row(number, 2, json.dumps({"waktu": "2023-05-03", "volume_sm3": 1})) for number in range(10, 30)]
    unpriced = reading_row(31, 3, json.dumps({"waktu": "2025-02-03", "volume_sm3": 1}))
    fresh.pipeline.fill(SourceState(given.users, (*given.readings, *earlier, unpriced)))
    result = fresh.run()
    assert result.success
    messages = fresh.log_messages(result)
    metadata = {
        asset: materialized_metadata(result, asset)[month]
        for asset, month in (("deposits", FIRST), ("meter_readings", FIRST))
    }
    readings = (
        "20 of 25 readings are rejected: dated before 2025-01, the first month of the partitions (20, in 2023-05)."
    )
    assert metadata["meter_readings"]["rejected_because"] == readings
    assert metadata["meter_readings"]["first_month_to_set"] == "2023-05"
    assert f"{readings} To load them, set LEDGER_FIRST_MONTH=2023-05" in messages
    assert "2 of 2 deposit entries are rejected" in metadata["deposits"]["rejected_because"]
    assert "1 of 5 readings is rejected: no price (1)." in messages
    assert "rejected_because" not in materialized_metadata(result, "customers")[""]


def test_a_run_reports_missing_columns_once(fresh: CodeLocation) -> None:
    columns = {"users": ("alamat", "balance_last_updated_at"), "data_pencatatan": ("harga_final",)}
    with fresh.pipeline.source.begin() as connection:
        for table, names in columns.items():
            for name in names:
                connection.execute(sa.text(f"ALTER TABLE {table} RENAME {name} TO was_{name}"))
    try:
        result = fresh.run()
    finally:
        with fresh.pipeline.source.begin() as connection:
            for table, names in columns.items():
                for name in names:
                    connection.execute(sa.text(f"ALTER TABLE {table} RENAME was_{name} TO {name}"))
    assert result.success
    messages = fresh.log_messages(result)
    assert [messages.count(name) for name in ("alamat, balance_last_updated_at", "harga_final")] == [1, 1]
    assert "alamat" in materialized_metadata(result, "customers")[""]["columns_missing"]
    assert "harga_final" in materialized_metadata(result, "meter_readings")[FIRST]["columns_missing"]
