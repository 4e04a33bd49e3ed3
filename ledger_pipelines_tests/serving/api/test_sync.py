"""/api/sync: the contract of each address, and what Dagster is asked to do."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import shift
from ledger_pipelines.warehouse import sync_history, sync_logs, tables
from ledger_pipelines.warehouse.sync_logs import Ending
from ledger_pipelines_tests.serving.api.apis import Api, bearer
from ledger_pipelines_tests.serving.api.dagster_stand_in import REFUSED, StandIn, stand_in

ROOT = "/api/sync"
LOG = {
    "id", "sync_type", "status", "started_at", "completed_at", "total_records", "success_records", "failed_records",
    "error_message", "duration", "success_rate",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_syncs(api: Api) -> Iterator[None]:
    """No sync before a test, nor after it."""
    yield
    with api.warehouse.begin() as connection:
        connection.execute(sa.text("DELETE FROM ops.sync_log_tables"))
        connection.execute(sa.text("DELETE FROM ops.sync_logs"))


@pytest.fixture
def dagster(api: Api) -> Iterator[StandIn]:
    """A stand-in for Dagster's web server."""
    with stand_in(api.settings.ui_port) as made:
        yield made


def past_syncs(api: Api, count: int) -> list[int]:
    """Some syncs that have ended, alternately well and badly; their numbers."""
    made = []
    for number in range(count):
        with api.warehouse.begin() as connection:
            log = sync_logs.claim(connection, "manual" if number % 3 else "scheduled")
            sync_logs.close(connection, log.id, Ending("failed", "away") if number % 2 else Ending("completed"))
            made.append(log.id)
    return made


def test_status_where_there_has_been_none(api: Api) -> None:
    assert api.ask(f"{ROOT}/status") == {"success": True, "data": None, "message": "There has been no sync yet."}


def test_status(api: Api) -> None:
    first, second = past_syncs(api, 2)
    assert api.ask(f"{ROOT}/status")["data"]["id"] == second
    found = api.ask(f"{ROOT}/status", sync_id=first)
    assert found.keys() == {"success", "data"}
    assert found["success"] is True
    assert found["data"].keys() == LOG
    assert (found["data"]["id"], found["data"]["status"]) == (first, "completed")
    assert found["data"]["started_at"].endswith("+07:00")
    assert api.ask(f"{ROOT}/status", sync_id=second + 1, expect=404)["message"].startswith("There is no sync")


def test_rates_and_durations_keep_their_digits(api: Api) -> None:
    with api.warehouse.begin() as connection:
        log = sync_logs.claim(connection, "manual")
        sync_logs.close(connection, log.id, Ending("completed"))
        numbers = {"total_records": 1000, "success_records": 950, "failed_records": 50}
        later = sa.text("started_at + interval '300 seconds'")
        connection.execute(sa.update(tables.sync_logs).values(numbers).values(completed_at=later))
    answer = api.client.get(f"{ROOT}/status", headers=bearer(api.callers.viewer))
    assert '"duration":300.000,"success_rate":95.00}' in answer.text


def test_logs(api: Api) -> None:
    numbers = past_syncs(api, 12)[::-1]
    found = api.ask(f"{ROOT}/logs")
    assert found.keys() == {"success", "data", "pagination"}
    assert [log["id"] for log in found["data"]] == numbers[:10]
    assert found["data"][0].keys() == LOG
    assert found["pagination"] == {"current_page": 1, "last_page": 2, "per_page": 10, "total": 12, "from": 1, "to": 10}
    second = api.ask(f"{ROOT}/logs", per_page=5, page=3)
    assert [log["id"] for log in second["data"]] == numbers[10:]
    assert second["pagination"] == {"current_page": 3, "last_page": 3, "per_page": 5, "total": 12, "from": 11, "to": 12}
    after = api.ask(f"{ROOT}/logs", page=9)["pagination"]
    assert (after["from"], after["to"], after["current_page"]) == (None, None, 9)


def test_logs_of_a_status_and_type(api: Api) -> None:
    past_syncs(api, 12)
    found = api.ask(f"{ROOT}/logs", status="failed", sync_type="scheduled")["data"]
    assert len(found) == 2
    assert {(log["status"], log["sync_type"]) for log in found} == {("failed", "scheduled")}


def test_an_empty_parameter_is_not_given(api: Api) -> None:
    past_syncs(api, 2)
    assert api.ask(f"{ROOT}/logs?per_page=10&status=&sync_type=&page=") == api.ask(f"{ROOT}/logs")
    assert api.ask(f"{ROOT}/status?sync_id=") == api.ask(f"{ROOT}/status")


def test_statistics(api: Api) -> None:
    numbers = past_syncs(api, 6)[::-1]
    found = api.ask(f"{ROOT}/statistics")
    assert found.keys() == {"success", "data"}
    assert found["data"].keys() == {"statistics", "recent_logs"}
    statistics = found["data"]["statistics"]
    assert statistics.keys() == {
        "total_syncs", "successful_syncs", "failed_syncs", "running_syncs", "avg_records", "avg_duration",
    }  # fmt: skip
    assert (statistics["total_syncs"], statistics["successful_syncs"], statistics["failed_syncs"]) == (6, 3, 3)
    assert [log["id"] for log in found["data"]["recent_logs"]] == numbers[:5]
    assert api.ask(f"{ROOT}/statistics", days=30)["data"]["statistics"]["total_syncs"] == 6


def test_start(api: Api, dagster: StandIn) -> None:
    found = api.act(f"{ROOT}/start")
    assert found.keys() == {"success", "message", "sync_log_id", "status"}
    assert (found["success"], found["status"]) == (True, "running")
    (launched,) = dagster.launched
    assert launched["selector"]["jobName"] == "erp_sync"
    config = launched["runConfigData"]["resources"]["sync"]["config"]
    assert config == {
        "sync_log_id": found["sync_log_id"], "catch_up": True, "full": False, "accept_deletions": False,
    }  # fmt: skip
    data = api.ask(f"{ROOT}/status", sync_id=found["sync_log_id"])["data"]
    assert (data["status"], data["sync_type"], data["completed_at"]) == ("running", "manual", None)


def test_start_of_some_months_and_tables(api: Api, dagster: StandIn) -> None:
    current = api.parts.horizon.current
    before = shift(current, -1)
    api.act(
        f"{ROOT}/start", from_month=before, to_month=current, tables=["stockbywh"], full=True, accept_deletions=True
    )
    (launched,) = dagster.launched
    tags = {tag["key"]: tag["value"] for tag in launched["executionMetadata"]["tags"]}
    assert tags["dagster/asset_partition_range_start"] == before
    assert tags["dagster/asset_partition_range_end"] == current
    assert launched["selector"]["assetSelection"] == [{"path": ["stockbywh"]}]
    config = launched["runConfigData"]["resources"]["sync"]["config"]
    assert (config["catch_up"], config["full"], config["accept_deletions"]) == (False, True, True)


def test_start_while_one_runs(api: Api, dagster: StandIn) -> None:
    with api.warehouse.begin() as connection:
        running = sync_logs.claim(connection, "scheduled")
    found = api.act(f"{ROOT}/start", expect=409)
    assert found["success"] is False
    assert found["running_sync_id"] == running.id
    assert dagster.launched == []


@pytest.mark.parametrize("answer", [REFUSED, b"<html>", b"{}", b'{"errors": [{"message": "broken"}]}', b"[]"])
def test_a_start_that_dagster_refuses_leaves_nothing_running(
    api: Api, dagster: StandIn, answer: dict[str, Any] | bytes
) -> None:
    dagster.answer = answer
    found = api.act(f"{ROOT}/start", expect=503)
    assert found["success"] is False
    with api.warehouse.connect() as connection:
        assert sync_logs.running(connection) is None
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
def test_a_wrong_wish(api: Api, dagster: StandIn, body: dict[str, Any], parameter: str) -> None:
    found = api.act(f"{ROOT}/start", expect=422, **body)
    assert list(found["errors"]) == [parameter]
    assert dagster.launched == []


def test_a_month_and_a_range(api: Api, dagster: StandIn) -> None:
    current = api.parts.horizon.current
    assert list(api.act(f"{ROOT}/start", expect=422, month=current, to_month=current)["errors"]) == ["month"]
    backwards = api.act(f"{ROOT}/start", expect=422, from_month=current, to_month=shift(current, -1))
    assert list(backwards["errors"]) == ["to_month"]
    assert dagster.launched == []


def test_cancel(api: Api) -> None:
    with api.warehouse.begin() as connection:
        running = sync_logs.claim(connection, "manual")
    found = api.act(f"{ROOT}/cancel")
    assert found == {"success": True, "message": f"Sync {running.id} is cancelled.", "sync_log_id": running.id}
    log = api.ask(f"{ROOT}/status")["data"]
    assert log["status"] == "cancelled"
    assert log["error_message"] == "It was cancelled by 'admin' through the API. It had not begun."


def test_cancel_of_a_certain_sync_ends_no_other(api: Api) -> None:
    """It has ended by itself, and another has begun since it was looked at."""
    (over,) = past_syncs(api, 1)
    with api.warehouse.begin() as connection:
        running = sync_logs.claim(connection, "scheduled")
    refused = api.act(f"{ROOT}/cancel?sync_id={over}", expect=409)
    assert (refused["success"], refused["running_sync_id"]) == (False, running.id)
    assert api.ask(f"{ROOT}/status")["data"]["status"] == "running"
    assert api.act(f"{ROOT}/cancel?sync_id={running.id}")["sync_log_id"] == running.id
    assert api.act(f"{ROOT}/cancel?sync_id={running.id}", expect=404)["message"] == "No sync is running."


def test_cancel_where_none_runs(api: Api) -> None:
    assert api.act(f"{ROOT}/cancel", expect=404)["message"] == "No sync is running."
    past_syncs(api, 1)
    assert api.act(f"{ROOT}/cancel", expect=404)["message"] == "No sync is running."


def test_averages_are_over_completed_syncs(api: Api) -> None:
    for records, ending in ((1000, Ending("completed")), (2001, Ending("completed")), (5, Ending("failed", "away"))):
        with api.warehouse.begin() as connection:
            log = sync_logs.claim(connection, "manual")
            sync_logs.close(connection, log.id, ending)
            values = {"total_records": records, "success_records": records}
            table = tables.sync_logs
            connection.execute(sa.update(table).where(table.c.id == log.id).values(values))
    found = api.ask(f"{ROOT}/statistics", decimals="string")["data"]["statistics"]
    assert Decimal(found["avg_records"]) == Decimal("1500.50")
