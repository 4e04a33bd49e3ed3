"""Security headers, CORS, unexpected errors, and the metrics."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from ledger_pipelines.serving.app import create_app
from ledger_pipelines.serving.web.middleware import SECURITY_HEADERS
from ledger_pipelines.warehouse.ops.incidents import IncidentKind
from ledger_pipelines_tests.support.open_incidents import FAILED, REFUSED, temporary_incidents
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer

ORIGIN = "https://portal.example.com"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/health/live"), ("GET", "/nothing"), ("GET", "/api/sync/status"), ("DELETE", "/api/sync/status"),
     ("POST", "/api/sync/start"), ("GET", "/openapi.json"), ("GET", "/metrics")],
)  # fmt: skip
def test_security_headers(api: ApiUnderTest, method: str, path: str) -> None:
    response = api.client.request(method, path)
    assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "Strict-Transport-Security" not in response.headers
    assert "Access-Control-Allow-Origin" not in response.headers


def test_security_headers_of_a_refused_body(api: ApiUnderTest) -> None:
    response = api.client.post("/api/sync/start", content=b" " * 100_000)
    assert response.status_code == 413
    assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_https_responses_require_tls(api: ApiUnderTest) -> None:
    response = api.client.get("https://testserver/health/live")
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "error", [RuntimeError("geheim"), sa.exc.OperationalError("SELECT geheim", {}, Exception("deadlock detected"))]
)
def test_an_unexpected_error_is_logged_and_hides_its_details(
    api: ApiUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(type(api.context), "dagster_is_up", lambda _: broken())
    response = api.client.get("/health/ready")
    assert error in [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert response.status_code == 500
    assert response.json() == {
        "success": False, "message": "Internal server error. See the API's log for details.", "errors": {},
    }  # fmt: skip
    assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_other_origins_are_refused(api: ApiUnderTest) -> None:
    preflight_headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    assert api.client.options("/api/sync/status", headers=preflight_headers).status_code == 405


def test_configured_origins_are_allowed(api: ApiUnderTest) -> None:
    settings = api.settings.model_copy(update={"api_cors_origins": ORIGIN})
    preflight_headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    with TestClient(create_app(settings)) as client:
        preflight = client.options("/api/sync/status", headers=preflight_headers)
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
        response = client.get("/api/sync/status", headers=bearer(api.callers.viewer) | {"Origin": ORIGIN})
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        foreign = client.options("/api/sync/status", headers=preflight_headers | {"Origin": "https://evil.example.com"})
        assert foreign.status_code == 400
        assert "Access-Control-Allow-Origin" not in foreign.headers


def metrics_of(client: TestClient, api: ApiUnderTest) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the metrics as Prometheus parses them."""
    response = client.get("/metrics", headers=bearer(api.callers.viewer))
    assert response.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_metrics(api: ApiUnderTest) -> None:
    with TestClient(create_app(api.settings)) as client:
        client.get("/api/realtime-balance/customer/11/balance", headers=bearer(api.callers.viewer))
        client.get("/api/realtime-balance/customer/11/balance")
        for number in range(3):
            client.get(f"/unknown/{number}")
        found = metrics_of(client, api)
    route = ("route", "/api/realtime-balance/customer/{id}/balance")
    assert found["ledger_http_requests_total", (("method", "GET"), route, ("status", "200"))] == 1
    assert found["ledger_http_requests_total", (("method", "GET"), route, ("status", "401"))] == 1
    no_route = (("method", "(none)"), ("route", "(none)"))
    assert found["ledger_http_requests_total", (*no_route, ("status", "404"))] == 3
    assert found["ledger_http_request_seconds_count", (("method", "GET"), route)] == 2
    assert found["ledger_warehouse_up", ()] == 1
    assert found["ledger_dagster_up", ()] == 0
    assert found["ledger_balances", ()] == 18
    assert found["ledger_customers", ()] == 6
    assert found["ledger_pending_changes", ()] == 0
    assert not any("unknown" in str(name) for name in found)


def test_metrics_count_open_incidents_by_kind(api: ApiUnderTest) -> None:
    def incidents() -> dict[str, float]:
        found = metrics_of(api.client, api)
        return {
            dict(labels).get("kind", name): value
            for (name, labels), value in found.items()
            if name in ("ledger_open_incidents", "ledger_oldest_open_incident_seconds")
        }

    none = dict.fromkeys((kind.value for kind in IncidentKind), 0.0)
    assert incidents() == none
    with temporary_incidents(api.warehouse, REFUSED, FAILED, replace(FAILED, subject="other")):
        found = incidents()
        assert found.pop("ledger_oldest_open_incident_seconds") > 0
        assert found == none | {"deletion_refused": 1, "sync_failed": 2}
    assert incidents() == none
