"""The warehouse away, Dagster away: said clearly, with 503 and when to try again; and reads go on without Dagster."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors
from starlette.testclient import TestClient

from ledger_pipelines.serving.api import parts
from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.serving.api.errors import told_of
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import sync_logs
from ledger_pipelines_tests.incidents import FAILED, REFUSED, opened
from ledger_pipelines_tests.servers import free_port
from ledger_pipelines_tests.serving.api.apis import Api, bearer
from ledger_pipelines_tests.serving.api.dagster_stand_in import stand_in

TOKEN = f"ledger_{'0' * 12}_{'A' * 43}"
READS = (
    "/api/realtime-balance/status",
    "/api/realtime-balance/dashboard",
    "/api/realtime-balance/comparison-report",
    "/api/realtime-balance/invoice-reconciliation",
    "/api/sync/status",
    "/api/sync/logs",
    "/api/sync/statistics",
    "/metrics",
)


@pytest.fixture(scope="module")
def severed() -> Iterator[TestClient]:
    """An API whose warehouse is not there."""
    nowhere = f"postgresql://ledger:geheim@127.0.0.1:{free_port()}/warehouse"
    with TestClient(create_app(Settings(warehouse_url=nowhere, billing_url=nowhere, ui_port=free_port()))) as client:
        yield client


@pytest.mark.parametrize("path", [*READS, "/api/realtime-balance/customer/1/balance"])
def test_reading_without_a_warehouse(severed: TestClient, path: str) -> None:
    answer = severed.get(path, headers=bearer(TOKEN))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "LEDGER_WAREHOUSE_URL" in answer.json()["message"]
    assert "geheim" not in answer.text


@pytest.mark.parametrize("path", ["sync/start", "sync/cancel", "realtime-balance/customer/1/update"])
def test_acting_without_a_warehouse(severed: TestClient, path: str) -> None:
    answer = severed.post(f"/api/{path}", headers=bearer(TOKEN))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_health_without_a_warehouse(severed: TestClient) -> None:
    assert severed.get("/health/live").json() == {"status": "alive"}
    answer = severed.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready", "warehouse": "away", "schema_version": "unknown", "dagster": "away",
        "ledger": "unknown", "open_incidents": None,
    }  # fmt: skip
    assert "geheim" not in answer.text


def test_reading_without_dagster(api: Api) -> None:
    for path in READS:
        assert api.client.get(path, headers=bearer(api.callers.viewer)).status_code == 200
    assert api.client.get("/health/ready").json() == {
        "status": "ready", "warehouse": "up", "schema_version": "current", "dagster": "away",
        "ledger": "healthy", "open_incidents": 0,
    }  # fmt: skip


def test_requests_are_answered_while_an_incident_is_open(api: Api) -> None:
    def ledger() -> tuple[int, str, str, int]:
        answer = api.client.get("/health/ready")
        told = answer.json()
        assert REFUSED.subject not in answer.text, "it is open to all"
        return answer.status_code, told["status"], told["ledger"], told["open_incidents"]

    assert ledger() == (200, "ready", "healthy", 0)
    with opened(api.warehouse, REFUSED, FAILED):
        assert ledger() == (200, "ready", "blocked", 2)
    assert ledger() == (200, "ready", "healthy", 0)


def test_health_with_dagster(api: Api) -> None:
    with stand_in(api.settings.ui_port), TestClient(create_app(api.settings)) as client:
        assert client.get("/health/ready").json()["dagster"] == "up"


@pytest.mark.parametrize("path", ["sync/start", "realtime-balance/customer/11/update"])
def test_acting_without_dagster(api: Api, path: str) -> None:
    answer = api.client.post(f"/api/{path}", headers=bearer(api.callers.admin))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "Dagster does not answer at http://127.0.0.1:" in answer.json()["message"]
    with api.warehouse.connect() as connection:
        assert sync_logs.running(connection) is None


def test_acting_without_dagsters_storage(api: Api) -> None:
    elsewhere = api.settings.model_copy(
        update={"dagster_url": Settings(dagster_url=f"postgresql://x@127.0.0.1:{free_port()}/d").dagster_url}
    )
    with stand_in(api.settings.ui_port), TestClient(create_app(elsewhere), raise_server_exceptions=False) as client:
        for path in ("start", "cancel"):
            answer = client.post(f"/api/sync/{path}", headers=bearer(api.callers.admin))
            assert answer.status_code == 503, answer.text
            assert "Dagster's storage does not answer" in answer.json()["message"]


def test_a_statement_that_takes_too_long(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "READER_POOL", replace(parts.READER_POOL, statement_seconds=1))
    with (
        TestClient(create_app(api.settings), raise_server_exceptions=False) as client,
        api.warehouse.begin() as blocker,
    ):
        blocker.execute(sa.text("LOCK TABLE ledger.monthly_customer_balances IN ACCESS EXCLUSIVE MODE"))
        answer = client.get("/api/realtime-balance/customer/11/balance", headers=bearer(api.callers.viewer))
    assert answer.status_code == 503
    assert answer.json()["message"] == "The warehouse took too long to answer."


def test_an_old_schema(api: Api) -> None:
    version = sa.text("UPDATE ops.alembic_version SET version_num = :version RETURNING version_num")
    with api.warehouse.begin() as connection:
        current = connection.scalar(sa.text("SELECT version_num FROM ops.alembic_version"))
        connection.execute(version, {"version": "0001"})
    try:
        answer = api.client.get("/health/ready")
    finally:
        with api.warehouse.begin() as connection:
            connection.execute(version, {"version": current})
    assert answer.status_code == 503
    assert (answer.json()["warehouse"], answer.json()["schema_version"]) == ("up", "other")
    assert (answer.json()["ledger"], answer.json()["open_incidents"]) == ("unknown", None)


@pytest.mark.parametrize("fault", [errors.DeadlockDetected(), errors.SerializationFailure()])
def test_what_passes_of_itself_is_no_fault_of_ours(fault: psycopg.Error) -> None:
    told = told_of(sa.exc.OperationalError("SELECT", {}, fault))
    assert (told.status, told.headers["Retry-After"]) == (503, "5")
