"""Attacks on Dagster's application from pages of other origins, and requests that must pass."""

from typing import Any

import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ledger_pipelines_tests.serving.dagster_ui.conftest import ASSET, HOST, OWN, POOL, PROXY, Dagster, refused

MUTATION = f'mutation Attack {{ setConcurrencyLimit(concurrencyKey: "{POOL}", limit: 1) }}'
BY_URL: dict[str, Any] = {"url": "/graphql", "params": {"query": MUTATION}}
BY_JSON: dict[str, Any] = {"url": "/graphql", "json": {"query": MUTATION}}
REPORT: dict[str, Any] = {"url": f"/report_asset_materialization/{ASSET.to_user_string()}"}
EVIL = {"Origin": "https://evil.example"}
IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

ATTACKS: dict[str, dict[str, Any]] = {
    "image": {"method": "GET", **BY_URL, "headers": IMAGE},
    "image, browser without Sec-Fetch headers": {"method": "GET", **BY_URL},
    "link, which asks for no HTML": {"method": "GET", **BY_URL, "headers": LINK},
    "GET from the UI's own page": {"method": "GET", **BY_URL, "headers": {"Sec-Fetch-Site": "same-origin"}},
    "GET, path escaped": {"method": "GET", **BY_URL, "url": "/%67raphql"},
    "GET, path with a line break": {"method": "GET", **BY_URL, "url": "/graphql%0A"},
    "GET, a query before": {"method": "GET", "url": "/graphql", "params": {"query": ["{ version }", MUTATION]}},
    "GET, the mutation chosen by name": {
        "method": "GET",
        "url": "/graphql",
        "params": {"query": f"query Harmless {{ version }} {MUTATION}", "operationName": "Attack"},
    },
    "form, query in the URL": {"method": "POST", **BY_URL, "headers": EVIL},
    "form of a sandboxed frame": {"method": "POST", **BY_URL, "headers": {"Origin": "null"}},
    "page of another port": {"method": "POST", **BY_URL, "headers": {"Origin": "http://127.0.0.1:8000"}},
    "page of another name of loopback": {"method": "POST", **BY_URL, "headers": {"Origin": "http://localhost:3000"}},
    "page of the same host by TLS": {"method": "POST", **BY_URL, "headers": {"Origin": f"https://{HOST}"}},
    "two origins": {"method": "POST", **BY_URL, "headers": [("Origin", OWN), *EVIL.items()]},
    "fetch without Origin": {"method": "POST", **BY_URL, "headers": {"Sec-Fetch-Site": "cross-site"}},
    "fetch from another port": {"method": "POST", **BY_URL, "headers": {"Sec-Fetch-Site": "same-site"}},
    "form opened in a tab": {"method": "POST", **BY_URL, "headers": LINK},
    "JSON": {"method": "POST", **BY_JSON, "headers": EVIL},
    "JSON as another type": {
        "method": "POST",
        "url": "/graphql",
        "content": MUTATION,
        "headers": {**EVIL, "Content-Type": "text/plain; application/graphql"},
    },
    "rebound name": {
        "method": "POST",
        **BY_JSON,
        "headers": {"Host": "evil.example:3000", "Origin": "http://evil.example:3000", "Sec-Fetch-Site": "same-origin"},
    },
    "rebound name, no Origin": {"method": "POST", **BY_JSON, "headers": {"Host": "evil.example:3000"}},
    "asset event": {"method": "POST", **REPORT, "headers": EVIL},
    "asset event, rebound name": {"method": "POST", **REPORT, "headers": {"Host": "evil.example"}},
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_succeeds_only_without_the_guard(
    attack: dict[str, Any], dagster: Dagster, unguarded: TestClient, guarded: TestClient
) -> None:
    assert unguarded.request(**attack).status_code == 200
    assert dagster.changed()
    assert refused(guarded.request(**attack))
    assert not dagster.changed()


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        ({"method": "POST", **BY_JSON}, True),
        ({"method": "POST", **BY_URL}, True),
        ({"method": "POST", **REPORT}, True),
        ({"method": "POST", **BY_JSON, "headers": {"Origin": OWN, "Sec-Fetch-Site": "same-origin"}}, True),
        ({"method": "POST", **BY_JSON, "headers": {"Host": "[::1]:3000", "Origin": "http://[::1]:3000"}}, True),
        ({"method": "POST", **BY_JSON, "headers": {"Host": "localhost:8080", "Origin": "http://localhost:8080"}}, True),
        ({"method": "POST", **BY_JSON, "headers": {"Origin": PROXY}}, True),
        ({"method": "POST", **BY_JSON, "headers": {"Host": "dagster.example.com", "Origin": PROXY}}, True),
        ({"method": "GET", "url": "/graphql", "params": {"query": "{ version }"}}, False),
        ({"method": "GET", "url": "/graphql", "params": {"query": "query A { version } query B { version }"}}, False),
        ({"method": "GET", "url": "/graphql", "headers": {"Accept": "text/html"}}, False),
        ({"method": "GET", "url": "/runs/1", "headers": LINK}, False),
        ({"method": "GET", "url": "/runs/1", "headers": {**LINK, "Sec-Fetch-Site": "same-site"}}, False),
        ({"method": "GET", "url": "/", "headers": {"Sec-Fetch-Site": "none", "Host": "dagster.example.com"}}, False),
    ],
)
def test_requests_from_the_ui_links_and_programs_pass(
    request_: dict[str, Any], changes: bool, dagster: Dagster, guarded: TestClient
) -> None:
    response = guarded.request(**request_)
    assert not refused(response), response.text
    assert dagster.changed() == changes


def test_every_route_is_guarded(dagster: Dagster, guarded: TestClient) -> None:
    paths = [route.path for route in dagster.app.routes if isinstance(route, Route | Mount | WebSocketRoute)]
    assert {"/graphql", "/server_info", "/{path:path}"} <= set(paths)
    foreign = [EVIL, {"Host": "evil.example"}, IMAGE, {**LINK, "Sec-Fetch-Dest": "iframe"}]
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
            for headers in foreign:
                assert guarded.request(method, path, headers=headers).status_code == 403, (method, path, headers)


def test_only_known_routes_change_something(dagster: Dagster) -> None:
    """If a new version of Dagster adds a route, check that a GET of it changes nothing."""
    static = {"root_static", "_next_static", "vendor_static"}
    routes = [route for route in dagster.app.routes if isinstance(route, Route) and route.name not in static]
    readers = {route.path for route in routes if route.methods == {"GET", "HEAD"}}
    assert {route.path: route.methods for route in routes if route.path not in readers} == {
        "/graphql": {"GET", "HEAD", "POST"},
        "/report_asset_materialization/{asset_key:path}": {"POST"},
        "/report_asset_check/{asset_key:path}": {"POST"},
        "/report_asset_observation/{asset_key:path}": {"POST"},
    }
    assert readers == {
        "/server_info",
        "/dagit_info",
        "/logs/{path:path}",
        "/notebook",
        "/dagit/notebook",
        "/download_debug/{run_id:str}",
        "/{path:path}",
        "/",
    }


@pytest.mark.parametrize(
    "headers", [EVIL, {"Origin": "null"}, {"Host": "evil.example"}, {"Origin": OWN, "Sec-Fetch-Site": "cross-site"}]
)
def test_a_foreign_handshake_is_refused(headers: dict[str, str], unguarded: TestClient, guarded: TestClient) -> None:
    with unguarded.websocket_connect("/graphql", ["graphql-ws"], headers=headers) as socket:
        assert answers(socket)
    with (
        pytest.raises(WebSocketDisconnect),
        guarded.websocket_connect("/graphql", ["graphql-ws"], headers=headers),
    ):
        pass


@pytest.mark.parametrize("headers", [{}, {"Origin": OWN}, {"Origin": PROXY, "Host": "dagster.example.com"}])
def test_a_handshake_from_the_ui_is_accepted(headers: dict[str, str], guarded: TestClient) -> None:
    with guarded.websocket_connect("/graphql", ["graphql-ws"], headers={"Host": HOST, **headers}) as socket:
        assert answers(socket)


def answers(socket: Any) -> bool:
    """Return whether Dagster answers on a WebSocket."""
    socket.send_json({"type": "connection_init"})
    return bool(socket.receive_json() == {"type": "connection_ack"})


def test_the_guard_adds_only_its_frame_headers(unguarded: TestClient, guarded: TestClient) -> None:
    before, after = unguarded.get("/runs").headers, guarded.get("/runs").headers
    policies = after.get_list("Content-Security-Policy")
    assert [policy.split("nonce-")[0] for policy in policies] == [
        before["Content-Security-Policy"].split("nonce-")[0],
        "frame-ancestors 'self'",
    ]
    assert after["X-Frame-Options"] == "SAMEORIGIN"
    added = {"content-security-policy", "x-frame-options"}
    assert {name: value for name, value in after.items() if name not in added} == {
        name: value for name, value in before.items() if name not in added
    }
    assert guarded.get("/graphql", headers={"Accept": "text/html"}).headers["X-Frame-Options"] == "SAMEORIGIN"
