"""Syncs of the real definitions: their records in Dagster and in the sync's log, and their failures."""

import os
import signal
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.assets import erp as erp_assets
from ledger_pipelines.defs.resources import SYNC_TAG, PipelineDatabases
from ledger_pipelines.loading.erp.load import TableLoad, load_erp_table
from ledger_pipelines.loading.erp.shrink import ShrinkRule
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.reader import SourceInterruptedError
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.incidents import open_incidents
from ledger_pipelines.warehouse.ops.sync_logs import SyncResult
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines_tests.support.code_location import (
    CURRENT,
    FIRST,
    check_evaluations,
    failure_messages,
    materialized_metadata,
)
from ledger_pipelines_tests.support.dagster_internals import InMemoryJob, execute_run
from ledger_pipelines_tests.support.erp.erp_location import NAMES, ORDER_HEADERS, ErpLocation, new_erp_location
from ledger_pipelines_tests.support.tables import altered, execute

OF_RUN = {
    "rows_read", "rows_rejected", "rows_inserted", "rows_updated", "rows_deleted", "rows_unchanged", "seconds",
    "rows_per_second", "months",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(embedded_url: sa.URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpLocation]:
    """Yield a code location for the module."""
    home = tmp_path_factory.mktemp("home")
    with dg.DagsterInstance.ephemeral() as instance, new_erp_location(embedded_url, home, instance) as location:
        yield location


@pytest.fixture
def location(made: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> ErpLocation:
    """Return the module's location, emptied; retries and second looks do not wait."""
    monkeypatch.setattr(erp_assets, "_RETRY_SECONDS", 0)
    monkeypatch.setattr(made.databases, "shrink_rule", lambda: ShrinkRule(pause_seconds=0))
    made.reset()
    return made


def order(number: int, day: str | None) -> dict[str, Any]:
    """Return a row of a warehouse order."""
    return {"order_origin_code": f"O{number}", "order_date": day and date.fromisoformat(day)}


def test_a_sync_is_one_run_with_one_log(location: ErpLocation) -> None:
    location.insert(
        ORDER_HEADERS, order(1, "2025-02-03"), order(2, "2025-02-04"), order(3, "2025-06-01"), order(4, None)
    )
    location.insert("stockbywh", {"warehouse": "W", "partno": "P"})
    result = location.run()
    assert result.success
    found = materialized_metadata(result, ORDER_HEADERS)
    assert found.keys() == set(location.databases.horizon().months)
    assert found["2025-02"].keys() >= OF_RUN
    assert "customers_in_scope" not in found["2025-02"]
    assert (found["2025-02"]["rows_read"], found["2025-02"]["month_rows_inserted"]) == (4, 2)
    assert found["2025-02"]["dagster/partition_row_count"] == 2
    assert "| 2025-02 | 2 | 2 | 0 | 0 | 0 |" in found["2025-02"]["months"]
    log = location.log()
    assert (log.status, log.sync_type, log.run_id) == ("completed", "manual", result.run_id)
    assert (log.total_records, log.success_records, log.failed_records) == (5, 4, 1)
    assert log.error_message is None
    synced = location.tables(log)
    assert sorted(synced) == sorted(NAMES)
    headers = synced[ORDER_HEADERS]
    assert (headers.rows_read, headers.rows_loaded, headers.rows_rejected, headers.rows_inserted) == (4, 3, 1, 3)
    assert set(headers.months) >= {"2025-02", "2025-06"}
    assert headers.seconds is not None
    assert "started (manual, run" in location.journal
    assert f"{ORDER_HEADERS}: 4 read, 1 rejected, 3 inserted" in location.journal
    assert "completed: 5 read, 1 rejected" in location.journal
    again = location.run()
    assert again.success
    assert location.log().id > log.id
    assert location.tables(location.log())[ORDER_HEADERS].rows_unchanged == 3


def test_rejected_rows_are_a_warning(location: ErpLocation) -> None:
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"), order(4, None))
    found = check_evaluations(location.run())
    assert {name for name, check in found.items() if not check.passed} == {f"{ORDER_HEADERS}/no_rejected_rows"}
    assert found[f"{ORDER_HEADERS}/no_rejected_rows"].severity == dg.AssetCheckSeverity.WARN
    assert len(found) == len(NAMES)


def test_differing_month_outside_the_range_is_corrected(location: ErpLocation) -> None:
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"))
    location.run()
    location.insert(ORDER_HEADERS, order(2, "2025-02-03"))
    result = location.run("2025-05", CURRENT)
    assert result.success
    found = materialized_metadata(result, ORDER_HEADERS)
    assert found.keys() == {"2025-02", "2025-05", "2025-06"}
    assert found["2025-02"]["dagster/partition_row_count"] == 2
    assert location.rows(ORDER_HEADERS) == 2


def test_only_some_tables_and_months(location: ErpLocation) -> None:
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"), order(2, "2025-03-03"))
    assert location.run("2025-03", "2025-03", only=[ORDER_HEADERS]).success
    log = location.log()
    assert log.status == "completed"
    assert list(location.tables(log)) == [ORDER_HEADERS]
    assert location.rows(ORDER_HEADERS) == 1


def test_a_broken_table_fails_the_sync_but_no_other_table(location: ErpLocation) -> None:
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"))
    location.insert("stockbywh", {"warehouse": "W", "partno": "P"})
    with altered(
        location.erp,
        f"ALTER TABLE {ORDER_HEADERS} RENAME ship_to TO hidden",
        f"ALTER TABLE {ORDER_HEADERS} RENAME hidden TO ship_to",
    ):
        result = location.run()
    assert not result.success
    assert "ship_to" in failure_messages(result)[ORDER_HEADERS]
    log = location.log()
    assert log.status == "failed"
    assert str(log.error_message).startswith(f"{ORDER_HEADERS}: ")
    assert "ship_to" in str(log.error_message)
    synced = location.tables(log)
    assert {name for name, table in synced.items() if table.status != "completed"} == {ORDER_HEADERS}
    assert "ship_to" in str(synced[ORDER_HEADERS].error_message)
    assert (location.rows(ORDER_HEADERS), location.rows("stockbywh")) == (0, 1)
    retries = [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    assert retries == [], "a missing column does not come back by itself"


def test_warnings_are_in_the_log_file(location: ErpLocation) -> None:
    add, drop = (f"ALTER TABLE {ORDER_HEADERS} {change}" for change in ("ADD colour varchar(9)", "DROP colour"))
    with altered(location.erp, add, drop):
        result = location.run(only=[ORDER_HEADERS])
    warning = f"{ORDER_HEADERS} has columns at the source that are not copied: colour"
    assert warning in location.log_messages(result)
    assert f"sync {location.log().id} warning: {warning}" in location.journal


def test_an_interrupted_source_is_retried(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def breaks_off_once(sync: TableLoad, table: ErpTable) -> TableReport:
        attempts.append(table.name)
        if len(attempts) == 1:
            raise SourceInterruptedError("The ERP went away.")
        return load_erp_table(sync, table)

    monkeypatch.setattr(erp_assets, "load_erp_table", breaks_off_once)
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"))
    result = location.run(only=[ORDER_HEADERS])
    assert result.success
    assert attempts == [ORDER_HEADERS, ORDER_HEADERS]
    assert "The ERP went away. Retrying in 0 s." in location.log_messages(result)
    log = location.log()
    assert (log.status, log.total_records) == ("completed", 1)
    assert location.tables(log)[ORDER_HEADERS].error_message is None


def test_an_unavailable_source_fails_with_its_message(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def away(_sync: TableLoad, table: ErpTable) -> TableReport:
        attempts.append(table.name)
        raise SourceInterruptedError("The ERP went away.")

    monkeypatch.setattr(erp_assets, "load_erp_table", away)
    result = location.run(only=[ORDER_HEADERS])
    assert failure_messages(result) == {ORDER_HEADERS: "The ERP went away."}
    assert len(attempts) == 3
    assert (location.log().status, location.log().error_message) == ("failed", f"{ORDER_HEADERS}: The ERP went away.")


def test_a_sync_that_catches_up_reads_months_never_loaded(
    location: ErpLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, tuple[str, ...]] = {}
    by_day: dict[str, tuple[str, ...]] = {}

    def watched(sync: TableLoad, table: ErpTable) -> TableReport:
        asked[table.name], by_day[table.name] = sync.months, tuple(sync.recent)
        return load_erp_table(sync, table)

    monkeypatch.setattr(erp_assets, "load_erp_table", watched)
    everything = location.databases.horizon().months
    location.run(only=["so_invoice_line"])
    assert (asked, by_day) == ({"so_invoice_line": everything}, {"so_invoice_line": ()})
    location.run(catch_up=True)
    assert asked["so_invoice_line"] == by_day["so_invoice_line"] == ("2025-05", "2025-06")
    assert asked[ORDER_HEADERS] == everything
    location.run(only=["so_invoice_line"])
    assert (asked.get("so_invoice_line"), by_day.get("so_invoice_line")) == (everything, ()), "named months are read"


def test_a_run_joins_the_sync_that_was_claimed_for_it(location: ErpLocation) -> None:
    log_id = location.start_sync()
    result = location.run(only=[ORDER_HEADERS], sync_log_id=log_id)
    assert result.success
    assert (location.log(log_id).status, location.log(log_id).run_id) == ("completed", result.run_id)
    assert location.log().id == log_id, "no second log"


def test_a_run_of_a_cancelled_sync_does_nothing(location: ErpLocation) -> None:
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"))
    log_id = location.start_sync()
    with location.databases.warehouse.begin() as connection:
        sync_logs.close(connection, log_id, SyncResult("cancelled", "It was cancelled."))
    result = location.run(sync_log_id=log_id)
    assert not result.success
    assert f"Sync {log_id} is already cancelled" in _why(location, result)
    assert location.rows(ORDER_HEADERS) == 0


def _why(location: ErpLocation, result: dg.ExecuteInProcessResult) -> str:
    entries = location.instance.all_logs(result.run_id)
    return "\n".join(str(entry.dagster_event or "") for entry in entries)


def test_a_scheduled_run_during_another_sync_is_skipped(location: ErpLocation) -> None:
    log_id = location.start_sync()
    result = location.run(sync_type="scheduled")
    run = location.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELED, "a skipped run must not look like a failure"
    assert f"Skipped: Sync {log_id} (manual) has been running since" in _why(location, result)
    assert location.log().id == log_id
    assert f"scheduled sync refused: sync {log_id} is running" in location.journal


def test_a_manual_run_waits_for_the_running_sync(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    log_id = location.start_sync()

    def other_ends(_seconds: float) -> None:
        with location.databases.warehouse.begin() as connection:
            sync_logs.close(connection, log_id, SyncResult("completed"))

    monkeypatch.setattr("ledger_pipelines.defs.resources.sync.time.sleep", other_ends)
    result = location.run(only=[ORDER_HEADERS])
    assert result.success
    assert location.log().run_id == result.run_id
    assert f"Waiting for sync {log_id} to end" in location.log_messages(result)


def test_a_manual_run_stops_waiting_after_a_timeout(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    log_id = location.start_sync()
    monkeypatch.setattr("ledger_pipelines.defs.resources.sync.WAIT_TIMEOUT_SECONDS", -1)
    result = location.run(only=[ORDER_HEADERS])
    assert not result.success
    assert f"Sync {log_id} (manual) has been running since" in _why(location, result)
    assert location.log().id == log_id


def test_a_reexecuted_run_has_its_own_log(location: ErpLocation) -> None:
    log_id = location.start_sync()
    first = location.run(only=[ORDER_HEADERS], sync_log_id=log_id)
    again = location.run(
        only=[ORDER_HEADERS],
        sync_log_id=log_id,
        tags={"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": CURRENT},
    )
    assert not again.success, "the same configuration without a parent run is an error"
    job = location.definitions.resolve_job_def("erp_sync").get_subset(asset_selection={dg.AssetKey(ORDER_HEADERS)})
    parent = location.instance.get_run_by_id(first.run_id)
    assert parent is not None
    rerun = location.instance.create_run_for_job(
        job,
        run_config=parent.run_config,
        tags={**parent.tags, SYNC_TAG: str(log_id)},
        parent_run_id=parent.run_id,
        root_run_id=parent.run_id,
        asset_selection=parent.asset_selection,
    )
    assert execute_run(InMemoryJob(job), rerun, location.instance).success
    assert location.log().id > log_id
    assert location.log().run_id == rerun.run_id


def test_a_closed_sync_changes_no_further_table(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"))
    location.insert("stockbywh", {"warehouse": "W", "partno": "P"})
    first = []

    def closed_after_the_first(sync: TableLoad, table: ErpTable) -> TableReport:
        report = load_erp_table(sync, table)
        first.append(table.name)
        with location.databases.warehouse.begin() as connection:
            sync_logs.close(connection, location.log().id, SyncResult("cancelled", "It was cancelled by force."))
        return report

    monkeypatch.setattr(erp_assets, "load_erp_table", closed_after_the_first)
    result = location.run()
    assert not result.success
    assert len(first) == 1
    log = location.log()
    assert (log.status, log.error_message) == ("cancelled", "It was cancelled by force.")
    synced = location.tables(log)
    assert {name: table.status for name, table in synced.items()} == {first[0]: "completed"}
    assert "is already cancelled" in "\n".join(failure_messages(result).values())


def test_an_interruption_is_a_cancellation(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    location.insert(ORDER_HEADERS, order(1, "2025-02-03"))

    def interrupted(_sync: TableLoad, _table: ErpTable) -> TableReport:
        raise dg.DagsterExecutionInterruptedError

    monkeypatch.setattr(erp_assets, "load_erp_table", interrupted)
    result = location.run()
    assert not result.success
    log = location.log()
    assert log.status == "cancelled"
    assert "It was cancelled" in str(log.error_message)
    assert [table.status for table in location.tables(log).values()] == ["cancelled"]
    assert "cancelled: 0 read" in location.journal


def test_sessions_carry_the_name_of_the_sync(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []

    def record_name(sync: TableLoad, table: ErpTable) -> TableReport:
        with sync.warehouse.connect() as connection:
            names.append(connection.scalar(sa.text("SHOW application_name")))
        return load_erp_table(sync, table)

    monkeypatch.setattr(erp_assets, "load_erp_table", record_name)
    assert location.run(only=[ORDER_HEADERS]).success
    assert names == [f"ledger_sync_{location.log().id}"]


def test_the_guard_stops_a_table_until_deletions_are_accepted(location: ErpLocation) -> None:
    location.insert(ORDER_HEADERS, *(order(number, "2025-02-03") for number in range(300)))
    assert location.run(only=[ORDER_HEADERS]).success
    execute(location.erp, f"DELETE FROM {ORDER_HEADERS} WHERE order_origin_code LIKE 'O1%'")
    refused = location.run(only=[ORDER_HEADERS])
    assert not refused.success
    assert "accept_deletions" in str(location.log().error_message)
    assert location.rows(ORDER_HEADERS) == 300
    assert location.run(only=[ORDER_HEADERS], accept_deletions=True).success
    assert location.rows(ORDER_HEADERS) == 189


def insert_and_delete_orders(location: ErpLocation) -> None:
    """Sync 300 orders of a past month, and delete 30 of them at the ERP."""
    location.insert(ORDER_HEADERS, *(order(number, "2025-02-03") for number in range(300)))
    assert location.run(only=[ORDER_HEADERS]).success
    execute(location.erp, f"DELETE FROM {ORDER_HEADERS} WHERE order_origin_code LIKE '%7'")


def test_lasting_loss_is_an_incident_of_the_run(location: ErpLocation) -> None:
    insert_and_delete_orders(location)
    result = location.run(only=[ORDER_HEADERS])
    assert result.success
    assert "2025-02 had 300 rows and now has 270. Nothing was changed. Looking again in 0 s." in location.log_messages(
        result
    )
    with location.databases.warehouse.connect() as connection:
        (incident,) = open_incidents(connection)
    assert (incident.kind, incident.subject, incident.run_id) == ("month_shrank", ORDER_HEADERS, result.run_id)


def test_cancelling_ends_the_pause(location: ErpLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_and_delete_orders(location)
    monkeypatch.setattr(location.databases, "shrink_rule", ShrinkRule)

    def cancel_meanwhile(_seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the pause was not ended")

    monkeypatch.setattr("ledger_pipelines.loading.erp.load.time.sleep", cancel_meanwhile)
    result = location.run(only=[ORDER_HEADERS])
    assert not result.success
    assert "Looking again in 60 s." in location.log_messages(result)
    assert location.log().status == "cancelled"
    assert location.rows(ORDER_HEADERS) == 300


def test_shrink_rule_follows_the_settings(location: ErpLocation) -> None:
    settings = location.settings.model_copy(update={"erp_shrink_share": Decimal("0.5"), "erp_shrink_rows": 7})
    assert PipelineDatabases(settings).shrink_rule() == ShrinkRule(Decimal("0.5"), 7, pause_seconds=60)
