"""Access to the dashboard: login, sessions, forms, roles and the audit log."""

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.warehouse.ops import api_tokens, audit
from ledger_pipelines.warehouse.tables import api_tokens as tokens_table
from ledger_pipelines.warehouse.tables import audit_log, sessions
from ledger_pipelines_tests.support.serving.api import ApiUnderTest
from ledger_pipelines_tests.support.serving.dashboard_client import (
    DashboardClient,
    guarded_paths,
    open_dashboard_client,
    visible_text,
)
from ledger_pipelines_tests.support.tables import newest_audit_entry

ACTIONS = {
    "/syncs": "/syncs",
    "/syncs/1/cancel": "/syncs",
    "/customers/11/recalculate": "/customers",
    "/incidents/1/confirm": "/incidents",
    "/comparison": "/comparison",
    "/invoices": "/invoices",
}
"""Paths of all actions, each with a page whose forms carry the same token."""

PATH_VALUES = {"{id}": "11", "{month}": "2025-01", "{run_id}": "00000000-0000-0000-0000-000000000000"}


def with_values(path: str) -> str:
    """Return a path with values for its parameters."""
    for name, value in PATH_VALUES.items():
        path = path.replace(name, value)
    return path


def test_every_page_requires_a_login(anonymous: DashboardClient) -> None:
    paths = [with_values(path) for path in guarded_paths("GET")]
    assert {"/", "/realtime-balance/test", "/customers/11/months/2025-01", "/audit"} <= set(paths)
    for path in paths:
        answer = anonymous.get(path)
        if path.startswith("/fragments/"):
            assert answer.status_code == 401, path
        else:
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login"), path


def test_login_redirects_to_the_requested_page(anonymous: DashboardClient) -> None:
    sent = anonymous.get("/customers?q=PT").headers["location"]
    assert sent == "/login?next=%2Fcustomers%3Fq%3DPT"
    assert 'value="/customers?q=PT"' in anonymous.get(sent).text
    answer = anonymous.log_in(anonymous.callers.viewer, "/customers?q=PT")
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers?q=PT")
    assert anonymous.get("/customers?q=PT").status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://example.com", "//example.com", "/\\example.com", "customers"])
def test_login_redirects_only_to_local_paths(anonymous: DashboardClient, elsewhere: str) -> None:
    assert anonymous.log_in(anonymous.callers.viewer, elsewhere).headers["location"] == "/"


def test_session_cookie_is_protected(anonymous: DashboardClient) -> None:
    cookie = anonymous.log_in(anonymous.callers.viewer).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    secret = cookie.partition("=")[2].partition(";")[0]
    with anonymous.warehouse.connect() as connection:
        digests = connection.scalars(sa.select(sessions.c.digest)).all()
    assert secret.encode() not in digests


def test_session_cookie_is_secure_behind_https(api: ApiUnderTest) -> None:
    with open_dashboard_client(api) as dashboard:
        dashboard.client.base_url = "https://testserver"
        answer = dashboard.log_in(api.callers.viewer)
        assert "Secure" in answer.headers["set-cookie"]


def test_login_changes_the_secret(anonymous: DashboardClient) -> None:
    anonymous.get("/login")
    assert "ledger_session" not in anonymous.client.cookies
    form_secret = anonymous.client.cookies["ledger_form"]
    anonymous.log_in(anonymous.callers.viewer)
    assert anonymous.client.cookies["ledger_session"] != form_secret
    anonymous.client.cookies.delete("ledger_session")
    anonymous.client.cookies.set("ledger_session", form_secret)
    assert anonymous.get("/").status_code == 303, "the secret of the form opens no session"


@pytest.mark.parametrize("path", ["/", "/customers?q=PT", "/login", "/?lang=id", "/login?lang=id", "/nowhere"])
def test_cross_site_link_keeps_the_session(admin: DashboardClient, path: str) -> None:
    """The browser sends no session cookie, but stores the cookies of the response."""
    other_tab = TestClient(admin.api.client.app, raise_server_exceptions=False)
    answer = other_tab.get(path, headers={"Sec-Fetch-Site": "cross-site"}, follow_redirects=False)
    assert "ledger_session" not in answer.cookies
    admin.client.cookies.update(answer.cookies)
    assert admin.get("/").status_code == 200
    assert admin.post("/logout").status_code == 303


def test_cross_site_link_keeps_the_login_form_cookie(anonymous: DashboardClient) -> None:
    """The browser sends this cookie with links from other sites, but not with their forms."""
    cookie = anonymous.get("/login").headers["set-cookie"]
    assert cookie.startswith("ledger_form=")
    assert "SameSite=lax" in cookie
    assert "HttpOnly" in cookie
    assert "set-cookie" not in anonymous.get("/login").headers


def test_logout_of_an_ended_session_redirects(api: ApiUnderTest) -> None:
    with open_dashboard_client(api, api.callers.viewer) as dashboard:
        sent = {"form_token": dashboard.form_token("/")}
        with api.warehouse.begin() as connection:
            connection.execute(sa.delete(sessions))
        answer = dashboard.client.post("/logout", data=sent, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


@pytest.mark.parametrize("kind", ["expired", "revoked", "unknown"])
def test_refused_token_gets_no_reason(api: ApiUnderTest, kind: str) -> None:
    token = "ledger_000000000000_" + "x" * 43 if kind == "unknown" else getattr(api.callers, kind)
    with open_dashboard_client(api) as dashboard:
        answer = dashboard.log_in(token)
        assert answer.status_code == 401
        assert "This token is not accepted." in visible_text(answer)
        assert dashboard.get("/").status_code == 303


def test_too_many_logins_are_refused(api: ApiUnderTest) -> None:
    with open_dashboard_client(api, address="203.0.113.9") as dashboard:
        answers = [dashboard.log_in("guess") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61
    assert "Too many tokens" in visible_text(answers[-1])


@pytest.mark.parametrize("act", ["revoke", "expire", "end", "log out"])
def test_a_session_ends(api: ApiUnderTest, act: str) -> None:
    name = f"ends by {act}"
    with api.warehouse.begin() as connection:
        token = tokens.create(connection, name, "viewer", 1)
    with open_dashboard_client(api, token.text) as dashboard:
        assert dashboard.get("/").status_code == 200
        past = sa.func.now() - sa.text("interval '1 second'")
        this = tokens_table.c.name == name
        if act == "log out":
            assert dashboard.post("/logout").headers["location"] == "/login"
        with api.warehouse.begin() as connection:
            if act == "revoke":
                api_tokens.revoke(connection, name)
            elif act == "expire":
                connection.execute(sa.update(tokens_table).where(this).values(expires_at=past))
            elif act == "end":
                mine = sessions.c.token_id == token.token.id
                connection.execute(sa.update(sessions).where(mine).values(expires_at=past))
        assert dashboard.get("/").status_code == 303


def test_a_session_lasts_twelve_hours(viewer: DashboardClient) -> None:
    with viewer.warehouse.connect() as connection:
        lasts = sessions.c.expires_at - sessions.c.opened_at
        newest = sa.select(lasts).order_by(sessions.c.opened_at.desc()).limit(1)
        assert connection.execute(newest).scalar_one().total_seconds() == 12 * 3600


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_form_without_a_valid_token_is_refused(admin: DashboardClient, path: str, token: str | None) -> None:
    sent = {} if token is None else {"form_token": token}
    answer = admin.client.post(path, data={**sent, "start_month": "2025-01"}, follow_redirects=False)
    assert answer.status_code == 403
    assert "does not belong to your session" in visible_text(answer)


def test_form_token_of_another_user_is_refused(admin: DashboardClient, viewer: DashboardClient) -> None:
    other_token = viewer.form_token("/")
    assert admin.client.post("/logout", data={"form_token": other_token}, follow_redirects=False).status_code == 403
    assert admin.get("/").status_code == 200


def test_cross_site_form_is_refused(admin: DashboardClient) -> None:
    admin.client.headers["Sec-Fetch-Site"] = "cross-site"
    assert admin.post("/logout").status_code == 403


@pytest.mark.parametrize(("path", "page"), ACTIONS.items())
def test_viewer_is_refused_and_audited(viewer: DashboardClient, path: str, page: str) -> None:
    answer = viewer.post(path, {"start_month": "2025-01"}, page=page)
    assert answer.status_code == 403
    assert "needs a token with the role admin" in visible_text(answer)
    entry = newest_audit_entry(viewer.warehouse)
    assert (entry.actor, entry.outcome) == ("viewer", "refused")
    assert entry.target is not None
    assert entry.target.startswith(path)
    assert "form_token" not in entry.target


def test_every_action_is_audited(admin: DashboardClient) -> None:
    """Dagster does not run here, so the action fails; the failure is audited too."""
    assert {with_values(path) for path in guarded_paths("POST")} == {path.replace("/1/", "/11/") for path in ACTIONS}
    answer = admin.post("/syncs", {"tables": "stockbywh"}, page="/syncs")
    assert answer.status_code == 503
    with admin.warehouse.connect() as connection:
        entry = connection.execute(sa.select(audit_log).order_by(audit_log.c.id.desc()).limit(1)).one()
    assert (entry.actor, entry.action, entry.outcome) == ("admin", "POST /syncs", "failed")
    assert entry.target == "/syncs tables=stockbywh"


def test_login_and_logout_are_audited(api: ApiUnderTest) -> None:
    with open_dashboard_client(api, address="203.0.113.10") as dashboard:
        for token in ("no token", api.callers.expired, api.callers.viewer):
            dashboard.log_in(token)
        dashboard.post("/logout")
        dashboard.client.post("/logout", data={"form_token": "0"}, follow_redirects=False)
    with api.warehouse.connect() as connection:
        entries = audit.latest(connection, limit=4)
    assert {entry.address for entry in entries} == {"203.0.113.10"}
    assert [(entry.action, entry.actor, entry.outcome) for entry in entries] == [
        ("POST /logout", "viewer", "done"),
        ("POST /login", "viewer", "done"),
        ("POST /login", None, "refused"),
        ("POST /login", None, "refused"),
    ]
    assert "The token expired" in (entries[2].message or "")
    assert entries[3].message == "The token is not known."


def test_audit_of_refused_logins_is_limited(api: ApiUnderTest) -> None:
    with api.warehouse.connect() as connection:
        before = audit.count(connection)
    with open_dashboard_client(api, address="203.0.113.11") as dashboard:
        answers = [dashboard.log_in("guess").status_code for _ in range(14)]
    assert answers == [401] * 10 + [429] * 4
    with api.warehouse.connect() as connection:
        assert audit.count(connection) == before + 11
        assert "Too many" in (audit.latest(connection, limit=1)[0].message or "")


def test_only_an_admin_reads_the_audit_log(viewer: DashboardClient, admin: DashboardClient) -> None:
    assert viewer.get("/audit").status_code == 403
    assert "/audit" not in viewer.get("/").text
    page = admin.get("/audit")
    assert page.status_code == 200
    assert "Audit log" in visible_text(page)


def test_content_security_policy_allows_only_own_files(viewer: DashboardClient) -> None:
    page = viewer.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert f'nonce="{nonce}"' in page.text
    assert nonce not in viewer.get("/").text
    assert page.headers["cache-control"] == "no-store"
    assert "http://" not in page.text.replace(f"http://127.0.0.1:{viewer.api.settings.ui_port}", "")
    assert "https://" not in page.text
