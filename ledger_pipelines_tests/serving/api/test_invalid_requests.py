"""Invalid requests: one error format, a message that names the fault, and no changes."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute, iter_route_contexts

from ledger_pipelines.serving.api import balance, reconciliation, sync
from ledger_pipelines.serving.web.middleware import MAX_BODY_BYTES
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer

BALANCE = "/api/realtime-balance/customer/{id}/balance"
LOGS = "/api/sync/logs"
INJECTIONS = ("1; DROP TABLE billing.customers", "' OR '1'='1", "1 UNION SELECT 1", "\x00", "%", "\\", "🙈" * 100)


@pytest.mark.parametrize(
    ("path", "parameter", "expected"),
    [
        (BALANCE.replace("{id}", "11") + "?year_month=2025-13", "year_month", "expected YYYY-MM, for example 2025-03"),
        (BALANCE.replace("{id}", "11") + "?year_month=2025-3", "year_month", "expected YYYY-MM, for example 2025-03"),
        (BALANCE.replace("{id}", "abc"), "id", "expected a whole number from 1 to 9223372036854775807"),
        (BALANCE.replace("{id}", "0"), "id", "expected a whole number from 1 to 9223372036854775807"),
        (BALANCE.replace("{id}", "1.0"), "id", "expected a whole number from 1 to 9223372036854775807"),
        (BALANCE.replace("{id}", str(2**70)), "id", "expected a whole number from 1 to 9223372036854775807"),
        (BALANCE.replace("{id}", "9" * 5000), "id", "expected a whole number from 1 to 9223372036854775807"),
        (BALANCE.replace("{id}", "11") + "?decimals=float", "decimals", "expected number or string"),
        (LOGS + "?per_page=-1", "per_page", "expected a whole number from 1 to 100"),
        (LOGS + "?per_page=100000", "per_page", "expected a whole number from 1 to 100"),
        (LOGS + "?page=0", "page", "expected a whole number from 1 to 1000000"),
        (LOGS + "?page=99999999999", "page", "expected a whole number from 1 to 1000000"),
        (LOGS + "?status=done", "status", "expected running, completed, failed or cancelled"),
        (LOGS + "?sync_type=auto", "sync_type", "expected manual or scheduled"),
        ("/api/sync/status?sync_id=latest", "sync_id", "expected a whole number from 1 to 9223372036854775807"),
        ("/api/sync/statistics?days=0", "days", "expected a whole number from 1 to 36500"),
        ("/api/realtime-balance/dashboard?year=25", "year", "expected a whole number from 1970 to 2999"),
        ("/api/realtime-balance/comparison-report?only=wrong", "only", "expected all or mismatches"),
        ("/api/realtime-balance/invoice-reconciliation?only=wrong", "only", "expected all, mismatches or unmatched"),
        ("/api/realtime-balance/invoice-reconciliation?year_month=2025-13", "year_month", "expected YYYY-MM"),
        ("/api/realtime-balance/invoice-reconciliation?per_page=101", "per_page", "from 1 to 100"),
    ],
)
def test_an_invalid_parameter_is_named(api: ApiUnderTest, path: str, parameter: str, expected: str) -> None:
    found = api.get(path, expect=422)
    assert found.keys() == {"success", "message", "errors"}
    assert found["success"] is False
    assert list(found["errors"]) == [parameter]
    assert expected in found["errors"][parameter][0]
    assert parameter in found["message"]


def every_parameter() -> Iterator[tuple[str, str]]:
    """Yield the path and name of every parameter of the application."""
    for module in (balance, reconciliation, sync):
        for route in iter_route_contexts(module.router.routes):
            assert isinstance(route.original_route, APIRoute)
            dependant = route.original_route.dependant
            for field in (*dependant.path_params, *dependant.query_params):
                yield route.original_route.path, field.alias


@pytest.mark.parametrize("path", sorted({path for path, _ in every_parameter()} | {"/api/sync/start", "/metrics"}))
def test_an_unknown_parameter_is_named_with_the_known_ones(api: ApiUnderTest, path: str) -> None:
    known = sorted(name for of, name in every_parameter() if of == path and f"{{{name}}}" not in of)
    method = "POST" if path.endswith(("/update", "/start", "/cancel")) else "GET"
    address = path.replace("{id}", "11") + "?yearmonth=2025-03"
    response = api.client.request(method, address, headers=bearer(api.callers.admin))
    assert response.status_code == 422, response.text
    supported = f"this path takes {', '.join(known)}" if known else "this path takes no query parameters"
    fault = f"unknown parameter; {supported}"
    assert response.json() == {
        "success": False,
        "message": f"The request is invalid. yearmonth: {fault}",
        "errors": {"yearmonth": [fault]},
    }


def test_a_repeated_parameter(api: ApiUnderTest) -> None:
    found = api.get(BALANCE.replace("{id}", "11") + "?year_month=2025-03&year_month=2025-04", expect=422)
    assert found["errors"] == {"year_month": ["it is given more than once"]}


def test_parameters_are_checked_after_the_token(api: ApiUnderTest) -> None:
    assert api.client.get(LOGS + "?unknown=1").status_code == 401


def counts(api: ApiUnderTest) -> list[int]:
    """Return the number of rows of some tables."""
    tables = ("billing.customers", "ledger.monthly_customer_balances", "ops.sync_logs", "ops.api_tokens")
    with api.warehouse.connect() as connection:
        return [connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0 for table in tables]


@pytest.mark.parametrize("injected", INJECTIONS)
@pytest.mark.parametrize(("path", "parameter"), sorted(set(every_parameter())))
def test_sql_in_every_parameter(api: ApiUnderTest, path: str, parameter: str, injected: str) -> None:
    before = counts(api)
    query = {} if f"{{{parameter}}}" in path else {parameter: injected}
    address = path.replace("{id}", quote(injected, safe="") if parameter == "id" else "11")
    method = "POST" if path.endswith(("/update", "/start", "/cancel")) else "GET"
    response = api.client.request(method, address, params=query, headers=bearer(api.callers.admin))
    assert response.status_code == 422, response.text
    assert list(response.json()["errors"]) == [parameter]
    assert counts(api) == before


def test_every_parameter_finds_the_parameters() -> None:
    assert {name for _, name in every_parameter()} >= {"id", "year_month", "per_page", "sync_id", "only", "start_month"}


def test_a_body_with_too_large_a_content_length(api: ApiUnderTest) -> None:
    response = api.client.post(
        "/api/sync/start", content=b" " * (MAX_BODY_BYTES + 1), headers=bearer(api.callers.admin)
    )
    assert response.status_code == 413
    assert response.json()["message"] == "The body is larger than 65,536 bytes."


def test_too_large_a_body_without_content_length(api: ApiUnderTest) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * (MAX_BODY_BYTES // 16)

    headers = bearer(api.callers.admin) | {"Content-Type": "application/json"}
    response = api.client.post("/api/sync/start", content=chunks(), headers=headers)
    assert response.status_code == 413
    assert response.json() == {"success": False, "message": "The body is larger than 65,536 bytes.", "errors": {}}


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", str(MAX_BODY_BYTES + 1)])
def test_an_invalid_content_length(api: ApiUnderTest, length: str) -> None:
    headers = bearer(api.callers.admin) | {"Content-Length": length}
    assert api.client.get("/api/sync/status", headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b'{"month": 202503}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"month": "\xff"}', "application/json"),
        (b"{}", "text/plain"),
        (b'{"tables": {}}', "application/json"),
        (b"[" * 20_000, "application/json"),
    ],
)
def test_an_invalid_body(api: ApiUnderTest, content: bytes, kind: str) -> None:
    headers = bearer(api.callers.admin) | {"Content-Type": kind}
    response = api.client.post("/api/sync/start", content=content, headers=headers)
    assert response.status_code == 422, response.text
    assert response.json()["success"] is False
    assert response.json()["errors"]


def test_an_unknown_path(api: ApiUnderTest) -> None:
    for path in ("/nothing", "/api/sync", "/api/sync/status/", "/docs"):
        response = api.client.get(path)
        assert response.status_code == 404
        assert response.json().keys() == {"success", "message", "errors"}


def test_a_method_that_is_not_allowed(api: ApiUnderTest) -> None:
    response = api.client.delete("/api/sync/status", headers=bearer(api.callers.admin))
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET"
    assert response.json()["message"] == "Method not allowed. This path allows: GET."
