"""Authorization of every route for every kind of caller, rate limits, and the audit log of commands."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute, iter_route_contexts

from ledger_pipelines.serving.access.limits import MAX_FAILURES, FailureRateLimiter, UnauthenticatedRateLimiter
from ledger_pipelines.serving.app import create_app
from ledger_pipelines.serving.dashboard.pages.registration import page_routers
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer
from ledger_pipelines_tests.support.tables import altered, newest_audit_entry

OPEN = {"/health/live", "/health/ready", "/openapi.json"}
CALLERS = ("no token", "garbage", "wrong secret", "expired", "revoked", "viewer", "admin")
UNREACHABLE = "postgresql://ledger@127.0.0.1:1/nothing"


def every_route() -> Iterator[tuple[str, str]]:
    """Yield each method and path of the application, except the dashboard's pages, which have their own checks."""
    app = create_app(Settings(warehouse_url=UNREACHABLE, billing_url=UNREACHABLE))
    pages = {page.path for router in page_routers() for page in router.routes if isinstance(page, APIRoute)}
    for route in iter_route_contexts(app.routes):
        assert route.path is not None
        if route.path in pages:
            continue
        assert route.methods, "a route without methods"
        yield from ((method, route.path) for method in sorted(route.methods))


ROUTES = sorted(every_route())


@pytest.fixture(autouse=True)
def _new_limiters(api: ApiUnderTest) -> None:
    """Give the application new rate limiters before each test."""
    api.client.app.state.app_context = replace(  # type: ignore[attr-defined] # the client has any ASGI application
        api.context, token_limiter=FailureRateLimiter(), unauthenticated_limiter=UnauthenticatedRateLimiter()
    )


def headers_of(api: ApiUnderTest, caller: str) -> dict[str, str]:
    """Return the request headers of a caller."""
    viewer = api.callers.viewer
    others = {"garbage": "garbage", "wrong secret": viewer[:-1] + ("A" if viewer[-1] != "A" else "B")}
    if caller == "no token":
        return {}
    return bearer(others[caller] if caller in others else getattr(api.callers, caller))


def expected(method: str, path: str, caller: str) -> set[int] | None:
    """Return the statuses that refuse a caller; None if the caller is authorized."""
    if path in OPEN:
        return None
    if caller not in {"viewer", "admin"}:
        return {401}
    return {403} if method not in {"GET", "HEAD", "OPTIONS"} and caller == "viewer" else None


def test_every_route_finds_the_routes() -> None:
    paths = {path for _, path in ROUTES}
    assert paths > OPEN
    assert {("POST", "/api/sync/start"), ("GET", "/api/realtime-balance/status"), ("GET", "/metrics")} <= set(ROUTES)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_authorization(api: ApiUnderTest, method: str, path: str, caller: str) -> None:
    response = api.client.request(method, path.replace("{id}", "999"), headers=headers_of(api, caller))
    refused = expected(method, path, caller)
    if refused is None:
        assert response.status_code in {200, 404, 503}, response.text  # no customer 999, no Dagster
        return
    assert response.status_code in refused
    if 401 in refused:
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="ledger"')
        assert ("error=" in response.headers["WWW-Authenticate"]) == (caller != "no token")


@pytest.mark.parametrize("caller", ["expired", "revoked"])
def test_the_message_gives_the_reason_for_a_refused_token(api: ApiUnderTest, caller: str) -> None:
    response = api.client.get("/api/sync/status", headers=headers_of(api, caller))
    assert caller in response.json()["message"]


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "bearer\t", "Bearer a b", "Bearer ä", "ledger"])
def test_malformed_authorization_headers(api: ApiUnderTest, header: str) -> None:
    response = api.client.get("/api/sync/status", headers={b"Authorization": header.encode()})
    assert response.status_code == 401


def test_the_scheme_is_case_insensitive(api: ApiUnderTest) -> None:
    headers = {"Authorization": f"bEARER {api.callers.viewer}"}
    assert api.client.get("/api/sync/status", headers=headers).status_code == 200


def count_entries(api: ApiUnderTest) -> int:
    """Return the number of entries of the audit log."""
    with api.warehouse.connect() as connection:
        return audit.count(connection)


@pytest.mark.parametrize(
    ("caller", "actor"), [("no token", None), ("wrong secret", None), ("viewer", "viewer"), ("admin", "admin")]
)
def test_every_command_is_audited(api: ApiUnderTest, caller: str, actor: str | None) -> None:
    before = count_entries(api)
    path = "/api/realtime-balance/customer/999/update?start_month=%00"
    response = api.client.post(path, headers=headers_of(api, caller), json={"start_month": "x\x00"})
    assert response.status_code in {401, 403, 422}
    assert count_entries(api) == before + 1
    entry = newest_audit_entry(api.warehouse)
    assert (entry.actor, entry.outcome, entry.address) == (actor, "refused", "testclient")
    assert entry.action == "POST /api/realtime-balance/customer/{id}/update"
    assert (entry.target or "").startswith("/api/realtime-balance/customer/999/update?start_month=%00")
    assert entry.message == response.json()["message"].replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert entry.ended_at is not None


def test_a_failed_command_is_audited(api: ApiUnderTest) -> None:  # Dagster is unavailable
    response = api.client.post("/api/sync/start", headers=bearer(api.callers.admin))
    assert response.status_code == 503
    entry = newest_audit_entry(api.warehouse)
    assert (entry.action, entry.outcome) == ("POST /api/sync/start", "failed")
    assert "Dagster does not answer" in (entry.message or "")


def test_reads_are_not_audited(api: ApiUnderTest) -> None:
    before = count_entries(api)
    assert api.client.get("/api/sync/status", headers=bearer(api.callers.admin)).status_code == 200
    assert count_entries(api) == before


def test_a_command_that_cannot_be_audited_does_not_run(api: ApiUnderTest) -> None:
    with altered(
        api.warehouse, "ALTER TABLE ops.audit_log RENAME TO hidden", "ALTER TABLE ops.hidden RENAME TO audit_log"
    ):
        response = api.client.post("/api/sync/cancel", headers=bearer(api.callers.admin))
    assert response.status_code == 503


def test_only_refused_tokens_are_limited(api: ApiUnderTest) -> None:
    """A client with an old token must not lock out other clients behind the same address."""
    statuses = [
        api.client.get("/api/sync/status", headers=bearer(f"garbage {number}")).status_code
        for number in range(MAX_FAILURES + 2)
    ]
    assert statuses == [401] * MAX_FAILURES + [429] * 2
    response = api.client.post("/api/sync/cancel", headers=bearer("garbage"))
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 61
    assert api.client.get("/api/sync/status", headers=bearer(api.callers.viewer)).status_code == 200
    assert api.client.get("/api/sync/status").status_code == 401  # a request without a token guesses none


@pytest.mark.parametrize("caller", ["no token", "garbage"])
def test_requests_without_a_valid_token_cannot_fill_the_audit_log(api: ApiUnderTest, caller: str) -> None:
    before = count_entries(api)
    responses = [api.client.post("/api/sync/cancel", headers=headers_of(api, caller)) for _ in range(MAX_FAILURES + 5)]
    assert [response.status_code for response in responses] == [401] * MAX_FAILURES + [429] * 5
    assert 0 < int(responses[-1].headers["Retry-After"]) <= 61
    assert count_entries(api) == before + MAX_FAILURES + 1
    assert (newest_audit_entry(api.warehouse).message or "").startswith("Too many")
    assert api.client.post("/api/sync/cancel", headers=headers_of(api, "viewer")).status_code == 403
    assert count_entries(api) == before + MAX_FAILURES + 2, "the limit does not apply to valid tokens"


def test_the_use_of_a_token_is_recorded_once_a_minute(api: ApiUnderTest) -> None:
    last_used = sa.text("SELECT last_used_at, xmin::text FROM ops.api_tokens WHERE name = 'viewer'")
    found = []
    for _ in range(2):
        assert api.client.get("/api/sync/status", headers=bearer(api.callers.viewer)).status_code == 200
        with api.warehouse.connect() as connection:
            found.append(tuple(connection.execute(last_used).one()))
    assert found[0] == found[1]
    assert found[0][0] is not None
