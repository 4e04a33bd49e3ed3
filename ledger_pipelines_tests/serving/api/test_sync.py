"""/api/sync: the contract of each path, and the runs that it launches in Dagster."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import shift_month
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncResult
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer
from ledger_pipelines_tests.support.serving.fake_dagster import REFUSED, FakeDagster, serve_fake_dagster

ROOT = "/api/sync"
LOG_FIELDS = {
    "id", "sync_type", "status", "started_at", "completed_at", "total_records", "success_records", "failed_records",
    "error_message", "duration", "success_rate",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_syncs(api: ApiUnderTest) -> Iterator[None]:
    """Delete all syncs after each test."""
    yield
    with api.warehouse.begin() as connection:
        connection.execute(sa.text("DELETE FROM ops.sync_log_tables"))
        connection.execute(sa.text("DELETE FROM ops.sync_logs"))


@pytest.fixture
def dagster(api: ApiUnderTest) -> Iterator[FakeDagster]:
    """Fake of Dagster's web server."""
    with serve_fake_dagster(api.settings.ui_port) as fake:
        yield fake


def past_syncs(api: ApiUnderTest, count: int) -> list[int]:
    """Create ended syncs, alternately completed and failed; return their ids."""
    ids = []
    for number in range(count):
        with api.warehouse.begin() as connection:
            log = sync_logs.begin_sync(connection, "manual" if number % 3 else "scheduled")
            sync_logs.close(connection, log.id, SyncResult("failed", "away") if number % 2 else SyncResult("completed"))
            ids.append(log.id)
    return ids


def test_status_without_any_sync(api: ApiUnderTest) -> None:
    assert api.get(f"{ROOT}/status") == {"success": True, "data": None, "message": "There has been no sync yet."}


def test_status(api: ApiUnderTest) -> None:
    first, second = past_syncs(api, 2)
    assert api.get(f"{ROOT}/status")["data"]["id"] == second
    found = api.get(f"{ROOT}/status", sync_id=first)
    assert found.keys() == {"success", "data"}
    assert found["success"] is True
    assert found["data"].keys() == LOG_FIELDS
    assert (found["data"]["id"], found["data"]["status"]) == (first, "completed")
    assert found["data"]["started_at"].endswith("+07:00")
    assert api.get(f"{ROOT}/status", sync_id=second + 1, expect=404)["message"].startswith("There is no sync")


def test_rates_and_durations_keep_their_digits(api: ApiUnderTest) -> None:
    with api.warehouse.begin() as connection:
        log = sync_logs.begin_sync(connection, "manual")
        sync_logs.close(connection, log.id, SyncResult("completed"))
        numbers = {"total_records": 1000, "success_records": 950, "failed_records": 50}
        later = sa.text("started_at + interval '300 seconds'")
        connection.execute(sa.update(tables.sync_logs).values(numbers).values(completed_at=later))
    response = api.client.get(f"{ROOT}/status", headers=bearer(api.callers.viewer))
    assert '"duration":300.000,"success_rate":95.00}' in response.text


def test_logs(api: ApiUnderTest) -> None:
    numbers = past_syncs(api, 12)[::-1]
    found = api.get(f"{ROOT}/logs")
    assert found.keys() == {"success", "data", "pagination"}
    assert [log["id"] for log in found["data"]] == numbers[:10]
    assert found["data"][0].keys() == LOG_FIELDS
    assert found["pagination"] == {"current_page": 1, "last_page": 2, "per_page": 10, "total": 12, "from": 1, "to": 10}
    second = api.get(f"{ROOT}/logs", per_page=5, page=3)
    assert [log["id"] for log in second["data"]] == numbers[10:]
    assert second["pagination"] == {"current_page": 3, "last_page": 3, "per_page": 5, "total": 12, "from": 11, "to": 12}
    after = api.get(f"{ROOT}/logs", page=9)["pagination"]
    assert (after["from"], after["to"], after["current_page"]) == (None, None, 9)


def test_logs_by_status_and_type(api: ApiUnderTest) -> None:
    past_syncs(api, 12)
    found = api.get(f"{ROOT}/logs", status="failed", sync_type="scheduled")["data"]
    assert len(found) == 2
    assert {(log["status"], log["sync_type"]) for log in found} == {("failed", "scheduled")}


def test_an_empty_parameter_counts_as_not_given(api: ApiUnderTest) -> None:
    past_syncs(api, 2)
    assert api.get(f"{ROOT}/logs?per_page=10&status=&sync_type=&page=") == api.get(f"{ROOT}/logs")
    assert api.get(f"{ROOT}/status?sync_id=") == api.get(f"{ROOT}/status")


def test_statistics(api: ApiUnderTest) -> None:
    numbers = past_syncs(api, 6)[::-1]
    found = api.get(f"{ROOT}/statistics")
    assert found.keys() == {"success", "data"}
    assert found["data"].keys() == {"statistics", "recent_logs"}
    statistics = found["data"]["statistics"]
    assert statistics.keys() == {
        "total_syncs", "successful_syncs", "failed_syncs", "running_syncs", "avg_records", "avg_duration",
    }  # fmt: skip
    assert (statistics["total_syncs"], statistics["successful_syncs"], statistics["failed_syncs"]) == (6, 3, 3)
    assert [log["id"] for log in found["data"]["recent_logs"]] == numbers[:5]
    assert api.get(f"{ROOT}/statistics", days=30)["data"]["statistics"]["total_syncs"] == 6


def test_start(api: ApiUnderTest, dagster: FakeDagster) -> None:
    found = api.post(f"{ROOT}/start")
    assert found.keys() == {"success", "message", "sync_log_id", "status"}
    assert (found["success"], found["status"]) == (True, "running")
    (launched,) = dagster.launched
    assert launched["selector"]["jobName"] == "erp_sync"
    config = launched["runConfigData"]["resources"]["sync"]["config"]
    assert config == {
        "sync_log_id": found["sync_log_id"], "catch_up": True, "full": False, "accept_deletions": False,
    }  # fmt: skip
    data = api.get(f"{ROOT}/status", sync_id=found["sync_log_id"])["data"]
    assert (data["status"], data["sync_type"], data["completed_at"]) == ("running", "manual", None)


def test_start_with_months_and_tables(api: ApiUnderTest, dagster: FakeDagster) -> None:
    current = api.context.horizon.current
    before = shift_month(current, -1)
    api.post(
        f"{ROOT}/start", from_month=before, to_month=current, tables=["stockbywh"], full=True, accept_deletions=True
    )
    (launched,) = dagster.launched
    tags = {tag["key"]: tag["value"] for tag in launched["executionMetadata"]["tags"]}
    assert tags["dagster/asset_partition_range_start"] == before
    assert tags["dagster/asset_partition_range_end"] == current
    assert launched["selector"]["assetSelection"] == [{"path": ["stockbywh"]}]
    config = launched["runConfigData"]["resources"]["sync"]["config"]
    assert (config["catch_up"], config["full"], config["accept_deletions"]) == (False, True, True)


def test_start_while_another_sync_runs(api: ApiUnderTest, dagster: FakeDagster) -> None:
    with api.warehouse.begin() as connection:
        running = sync_logs.begin_sync(connection, "scheduled")
    found = api.post(f"{ROOT}/start", expect=409)
    assert found["success"] is False
    assert found["running_sync_id"] == running.id
    assert dagster.launched == []


@pytest.mark.parametrize("launch_response", [REFUSED, b"<html>", b"{}", b'{"errors": [{"message": "broken"}]}', b"[]"])
def test_a_refused_start_leaves_no_running_sync(
    api: ApiUnderTest, dagster: FakeDagster, launch_response: dict[str, Any] | bytes
) -> None:
    dagster.launch_response = launch_response
    found = api.post(f"{ROOT}/start", expect=503)
    assert found["success"] is False
    with api.warehouse.connect() as connection:
        assert sync_logs.running_sync(connection) is None
        log = sync_history.latest(connection)
    assert log is not None
    assert log.status == "failed"


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"month": "2025-13"}, "month"),
        ({"month": "1999-01"}, "month"),
        ({"from_month": "2999-01"}, "from_month"),
        ({"tables": ["stock"]}, "tables.0"),
        ({"full": "yes"}, "full"),
        ({"months": "2025-03"}, "months"),
    ],
)
def test_start_with_invalid_options(
    api: ApiUnderTest, dagster: FakeDagster, body: dict[str, Any], parameter: str
) -> None:
    found = api.post(f"{ROOT}/start", expect=422, **body)
    assert list(found["errors"]) == [parameter]
    assert dagster.launched == []


def test_start_with_conflicting_months(api: ApiUnderTest, dagster: FakeDagster) -> None:
    current = api.context.horizon.current
    assert list(api.post(f"{ROOT}/start", expect=422, month=current, to_month=current)["errors"]) == ["month"]
    backwards = api.post(f"{ROOT}/start", expect=422, from_month=current, to_month=shift_month(current, -1))
    assert list(backwards["errors"]) == ["to_month"]
    assert dagster.launched == []


def test_cancel(api: ApiUnderTest) -> None:
    with api.warehouse.begin() as connection:
        running = sync_logs.begin_sync(connection, "manual")
    found = api.post(f"{ROOT}/cancel")
    assert found == {"success": True, "message": f"Cancelled sync {running.id}.", "sync_log_id": running.id}
    log = api.get(f"{ROOT}/status")["data"]
    assert log["status"] == "cancelled"
    assert log["error_message"] == "It was cancelled by 'admin' through the API. Its run had not begun."


def test_cancel_by_id_cancels_no_other_sync(api: ApiUnderTest) -> None:
    """The sync has ended, and another has started since the client saw it."""
    (ended,) = past_syncs(api, 1)
    with api.warehouse.begin() as connection:
        running = sync_logs.begin_sync(connection, "scheduled")
    refused = api.post(f"{ROOT}/cancel?sync_id={ended}", expect=409)
    assert (refused["success"], refused["running_sync_id"]) == (False, running.id)
    assert api.get(f"{ROOT}/status")["data"]["status"] == "running"
    assert api.post(f"{ROOT}/cancel?sync_id={running.id}")["sync_log_id"] == running.id
    assert api.post(f"{ROOT}/cancel?sync_id={running.id}", expect=404)["message"] == "No sync is running."


def test_cancel_without_a_running_sync(api: ApiUnderTest) -> None:
    assert api.post(f"{ROOT}/cancel", expect=404)["message"] == "No sync is running."
    past_syncs(api, 1)
    assert api.post(f"{ROOT}/cancel", expect=404)["message"] == "No sync is running."


def test_averages_cover_completed_syncs(api: ApiUnderTest) -> None:
    for records, ending in (
        (1000, SyncResult("completed")),
        (2001, SyncResult("completed")),
        (5, SyncResult("failed", "away")),
    ):
        with api.warehouse.begin() as connection:
            log = sync_logs.begin_sync(connection, "manual")
            sync_logs.close(connection, log.id, ending)
            values = {"total_records": records, "success_records": records}
            table = tables.sync_logs
            connection.execute(sa.update(table).where(table.c.id == log.id).values(values))
    found = api.get(f"{ROOT}/statistics", decimals="string")["data"]["statistics"]
    assert Decimal(found["avg_records"]) == Decimal("1500.50")
