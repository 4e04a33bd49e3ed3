"""The API while the warehouse or Dagster is unavailable: 503 with Retry-After; reads work without Dagster."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors
from starlette.testclient import TestClient

from ledger_pipelines.serving.app import create_app
from ledger_pipelines.serving.web import context as parts
from ledger_pipelines.serving.web.errors import to_api_error
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines_tests.support.open_incidents import FAILED, REFUSED, temporary_incidents
from ledger_pipelines_tests.support.servers import free_port
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer, guarded_api_paths
from ledger_pipelines_tests.support.serving.fake_dagster import serve_fake_dagster

TOKEN = f"ledger_{'0' * 12}_{'A' * 43}"
READS = guarded_api_paths("GET", customer_id=11)
COMMANDS = guarded_api_paths("POST", customer_id=11)


@pytest.fixture(scope="module")
def without_warehouse() -> Iterator[TestClient]:
    """Client of an API whose warehouse does not exist."""
    nowhere = f"postgresql://ledger:geheim@127.0.0.1:{free_port()}/warehouse"
    with TestClient(create_app(Settings(warehouse_url=nowhere, billing_url=nowhere, ui_port=free_port()))) as client:
        yield client


def test_reads_and_commands_are_found() -> None:
    customer = "/api/realtime-balance/customer/11"
    assert {"/api/sync/status", "/metrics", f"{customer}/balance", f"{customer}/transactions"} <= set(READS)
    assert {"/api/sync/start", "/api/sync/cancel", f"{customer}/update"} <= set(COMMANDS)


@pytest.mark.parametrize("path", READS)
def test_reads_without_a_warehouse(without_warehouse: TestClient, path: str) -> None:
    response = without_warehouse.get(path, headers=bearer(TOKEN))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "LEDGER_WAREHOUSE_URL" in response.json()["message"]
    assert "geheim" not in response.text


@pytest.mark.parametrize("path", COMMANDS)
def test_commands_without_a_warehouse(without_warehouse: TestClient, path: str) -> None:
    response = without_warehouse.post(path, headers=bearer(TOKEN))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_health_without_a_warehouse(without_warehouse: TestClient) -> None:
    assert without_warehouse.get("/health/live").json() == {"status": "alive"}
    response = without_warehouse.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready", "warehouse": "away", "schema_version": "unknown", "dagster": "away",
        "ledger": "unknown", "open_incidents": None,
    }  # fmt: skip
    assert "geheim" not in response.text


def test_reads_without_dagster(api: ApiUnderTest) -> None:
    for path in READS:
        assert api.client.get(path, headers=bearer(api.callers.viewer)).status_code == 200
    assert api.client.get("/health/ready").json() == {
        "status": "ready", "warehouse": "up", "schema_version": "current", "dagster": "away",
        "ledger": "healthy", "open_incidents": 0,
    }  # fmt: skip


def test_ready_reports_open_incidents(api: ApiUnderTest) -> None:
    def ledger() -> tuple[int, str, str, int]:
        response = api.client.get("/health/ready")
        body = response.json()
        assert REFUSED.subject not in response.text, "/health needs no token"
        return response.status_code, body["status"], body["ledger"], body["open_incidents"]

    assert ledger() == (200, "ready", "healthy", 0)
    with temporary_incidents(api.warehouse, REFUSED, FAILED):
        assert ledger() == (200, "ready", "blocked", 2)
    assert ledger() == (200, "ready", "healthy", 0)


def test_health_with_dagster(api: ApiUnderTest) -> None:
    with serve_fake_dagster(api.settings.ui_port), TestClient(create_app(api.settings)) as client:
        assert client.get("/health/ready").json()["dagster"] == "up"


@pytest.mark.parametrize("path", ["sync/start", "realtime-balance/customer/11/update"])
def test_commands_without_dagster(api: ApiUnderTest, path: str) -> None:
    response = api.client.post(f"/api/{path}", headers=bearer(api.callers.admin))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "Dagster does not answer at http://127.0.0.1:" in response.json()["message"]
    with api.warehouse.connect() as connection:
        assert sync_logs.running_sync(connection) is None


def test_commands_without_dagsters_storage(api: ApiUnderTest) -> None:
    elsewhere = api.settings.model_copy(
        update={"dagster_url": Settings(dagster_url=f"postgresql://x@127.0.0.1:{free_port()}/d").dagster_url}
    )
    with (
        serve_fake_dagster(api.settings.ui_port),
        TestClient(create_app(elsewhere), raise_server_exceptions=False) as client,
    ):
        for path in ("start", "cancel"):
            response = client.post(f"/api/sync/{path}", headers=bearer(api.callers.admin))
            assert response.status_code == 503, response.text
            assert "Dagster's storage does not answer" in response.json()["message"]


def test_a_statement_timeout(api: ApiUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "READER_POOL", replace(parts.READER_POOL, statement_seconds=1))
    with (
        TestClient(create_app(api.settings), raise_server_exceptions=False) as client,
        api.warehouse.begin() as blocker,
    ):
        blocker.execute(sa.text("LOCK TABLE ledger.monthly_customer_balances IN ACCESS EXCLUSIVE MODE"))
        response = client.get("/api/realtime-balance/customer/11/balance", headers=bearer(api.callers.viewer))
    assert response.status_code == 503
    assert response.json()["message"] == "The warehouse took too long to answer. Try again later."


def test_ready_with_an_old_schema(api: ApiUnderTest) -> None:
    version = sa.text("UPDATE ops.alembic_version SET version_num = :version RETURNING version_num")
    with api.warehouse.begin() as connection:
        current = connection.scalar(sa.text("SELECT version_num FROM ops.alembic_version"))
        connection.execute(version, {"version": "0001"})
    try:
        response = api.client.get("/health/ready")
    finally:
        with api.warehouse.begin() as connection:
            connection.execute(version, {"version": current})
    assert response.status_code == 503
    assert (response.json()["warehouse"], response.json()["schema_version"]) == ("up", "other")
    assert (response.json()["ledger"], response.json()["open_incidents"]) == ("unknown", None)


@pytest.mark.parametrize("fault", [errors.DeadlockDetected(), errors.SerializationFailure()])
def test_transient_errors_can_be_retried(fault: psycopg.Error) -> None:
    error = to_api_error(sa.exc.OperationalError("SELECT", {}, fault))
    assert (error.status, error.headers["Retry-After"]) == (503, "5")
