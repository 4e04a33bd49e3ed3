"""Who may do what: every route of the application with every kind of caller, and what is written down of it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute, iter_route_contexts

from ledger_pipelines.serving.access.limits import MAX_FAILURES
from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.serving.dashboard.mount import ROUTERS
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import audit
from ledger_pipelines.warehouse.audit import Entry
from ledger_pipelines_tests.serving.api.apis import Api, bearer

OPEN = {"/health/live", "/health/ready", "/openapi.json"}
CALLERS = ("nobody", "garbage", "almost", "expired", "revoked", "viewer", "admin")
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def every_route() -> Iterator[tuple[str, str]]:
    """Each method and path of the application, but for the dashboard's pages, which have a guard of their own."""
    app = create_app(Settings(warehouse_url=NOWHERE, billing_url=NOWHERE))
    pages = {page.path for router in ROUTERS for page in router.routes if isinstance(page, APIRoute)}
    for route in iter_route_contexts(app.routes):
        assert route.path is not None
        if route.path in pages:
            continue
        assert route.methods, "a route whose methods are not known"
        yield from ((method, route.path) for method in sorted(route.methods))


ROUTES = sorted(every_route())


@pytest.fixture(autouse=True)
def forgiven(api: Api) -> None:
    """No address has failed yet."""
    api.parts.failures.forget()
    api.parts.strangers.forget()


def headers_of(api: Api, caller: str) -> dict[str, str]:
    """What a caller shows."""
    viewer = api.callers.viewer
    others = {"garbage": "garbage", "almost": viewer[:-1] + ("A" if viewer[-1] != "A" else "B")}
    if caller == "nobody":
        return {}
    return bearer(others[caller] if caller in others else getattr(api.callers, caller))


def expected(method: str, path: str, caller: str) -> set[int] | None:
    """What a caller is answered who is not let in; None if it is."""
    if path in OPEN:
        return None
    if caller not in {"viewer", "admin"}:
        return {401}
    return {403} if method not in {"GET", "HEAD", "OPTIONS"} and caller == "viewer" else None


def test_the_routes_are_all_there() -> None:
    paths = {path for _, path in ROUTES}
    assert paths > OPEN
    assert {("POST", "/api/sync/start"), ("GET", "/api/realtime-balance/status"), ("GET", "/metrics")} <= set(ROUTES)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_who_is_let_in(api: Api, method: str, path: str, caller: str) -> None:
    answer = api.client.request(method, path.replace("{id}", "999"), headers=headers_of(api, caller))
    refused = expected(method, path, caller)
    if refused is None:
        assert answer.status_code in {200, 404, 503}, answer.text  # nobody has the id 999, and Dagster is away
        return
    assert answer.status_code in refused
    if 401 in refused:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="ledger"')
        assert ("error=" in answer.headers["WWW-Authenticate"]) == (caller != "nobody")


@pytest.mark.parametrize("caller", ["expired", "revoked"])
def test_the_reason_is_told_to_whom_the_token_was_given(api: Api, caller: str) -> None:
    answer = api.client.get("/api/sync/status", headers=headers_of(api, caller))
    assert caller in answer.json()["message"]


@pytest.mark.parametrize("shown", ["Basic YTpi", "Bearer", "Bearer ", "bearer\t", "Bearer a b", "Bearer ä", "ledger"])
def test_what_is_no_token(api: Api, shown: str) -> None:
    answer = api.client.get("/api/sync/status", headers={b"Authorization": shown.encode()})
    assert answer.status_code == 401


def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    shown = {"Authorization": f"bEARER {api.callers.viewer}"}
    assert api.client.get("/api/sync/status", headers=shown).status_code == 200


def newest_entry(api: Api) -> Entry:
    """The newest entry of the audit log."""
    with api.warehouse.connect() as connection:
        return audit.latest(connection, limit=1)[0]


def entries(api: Api) -> int:
    """How many entries the audit log has."""
    with api.warehouse.connect() as connection:
        return audit.count(connection)


@pytest.mark.parametrize(
    ("caller", "actor"), [("nobody", None), ("almost", None), ("viewer", "viewer"), ("admin", "admin")]
)
def test_every_act_is_written_down(api: Api, caller: str, actor: str | None) -> None:
    before = entries(api)
    path = "/api/realtime-balance/customer/999/update?start_month=%00"
    answer = api.client.post(path, headers=headers_of(api, caller), json={"start_month": "x\x00"})
    assert answer.status_code in {401, 403, 422}
    assert entries(api) == before + 1
    entry = newest_entry(api)
    assert (entry.actor, entry.outcome, entry.address) == (actor, "refused", "testclient")
    assert entry.action == "POST /api/realtime-balance/customer/{id}/update"
    assert (entry.target or "").startswith("/api/realtime-balance/customer/999/update?start_month=%00")
    assert entry.message == answer.json()["message"].replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert entry.ended_at is not None


def test_an_act_that_fails_is_written_down(api: Api) -> None:
    """Dagster is away."""
    answer = api.client.post("/api/sync/start", headers=bearer(api.callers.admin))
    assert answer.status_code == 503
    entry = newest_entry(api)
    assert (entry.action, entry.outcome) == ("POST /api/sync/start", "failed")
    assert "Dagster does not answer" in (entry.message or "")


def test_reading_is_not_written_down(api: Api) -> None:
    before = entries(api)
    assert api.client.get("/api/sync/status", headers=bearer(api.callers.admin)).status_code == 200
    assert entries(api) == before


def test_what_cannot_be_written_down_is_not_done(api: Api) -> None:
    with api.warehouse.begin() as connection:
        connection.execute(sa.text("ALTER TABLE ops.audit_log RENAME TO hidden"))
    try:
        answer = api.client.post("/api/sync/cancel", headers=bearer(api.callers.admin))
    finally:
        with api.warehouse.begin() as connection:
            connection.execute(sa.text("ALTER TABLE ops.hidden RENAME TO audit_log"))
    assert answer.status_code == 503


def test_failures_are_limited_and_valid_tokens_are_not(api: Api) -> None:
    """A neighbour with an old token must not lock out those behind the same address."""
    statuses = [
        api.client.get("/api/sync/status", headers=bearer(f"garbage {number}")).status_code
        for number in range(MAX_FAILURES + 2)
    ]
    assert statuses == [401] * MAX_FAILURES + [429] * 2
    answer = api.client.post("/api/sync/cancel", headers=bearer("garbage"))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert api.client.get("/api/sync/status", headers=bearer(api.callers.viewer)).status_code == 200
    assert api.client.get("/api/sync/status").status_code == 401  # nothing was shown, so nothing was guessed


@pytest.mark.parametrize("caller", ["nobody", "garbage"])
def test_a_stranger_cannot_fill_the_audit_log(api: Api, caller: str) -> None:
    before = entries(api)
    answers = [api.client.post("/api/sync/cancel", headers=headers_of(api, caller)) for _ in range(MAX_FAILURES + 5)]
    assert [answer.status_code for answer in answers] == [401] * MAX_FAILURES + [429] * 5
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 61
    assert entries(api) == before + MAX_FAILURES + 1
    assert (newest_entry(api).message or "").startswith("Too many")
    assert api.client.post("/api/sync/cancel", headers=headers_of(api, "viewer")).status_code == 403
    assert entries(api) == before + MAX_FAILURES + 2, "who is known is written down all the same"


def test_the_use_of_a_token_is_noted_once_a_minute(api: Api) -> None:
    last_used = sa.text("SELECT last_used_at, xmin::text FROM ops.api_tokens WHERE name = 'viewer'")
    found = []
    for _ in range(2):
        assert api.client.get("/api/sync/status", headers=bearer(api.callers.viewer)).status_code == 200
        with api.warehouse.connect() as connection:
            found.append(tuple(connection.execute(last_used).one()))
    assert found[0] == found[1]
    assert found[0][0] is not None
