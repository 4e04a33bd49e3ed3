"""Incidents on the dashboard: open ones on top of the overview, confirmation of deletions, history."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.dashboard.translations import CATALOGUE
from ledger_pipelines.serving.dashboard.translations.formats import LANGUAGES, Formats
from ledger_pipelines.warehouse.ops import audit, incidents
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind
from ledger_pipelines.warehouse.tables import deletion_confirmations
from ledger_pipelines.warehouse.tables import incidents as table
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.open_incidents import FAILED, READINGS, REFUSED, temporary_incidents
from ledger_pipelines_tests.support.serving.dashboard_client import DashboardClient, visible_text

ROWS = 854


@pytest.fixture(params=LANGUAGES)
def user(request: pytest.FixtureRequest, admin: DashboardClient) -> DashboardClient:
    """Return a client of an administrator, in each language."""
    admin.language = request.param
    return admin


def text(dashboard: DashboardClient, key: str, **values: object) -> str:
    """Return a text in the client's language."""
    return CATALOGUE[key][dashboard.language == "id"].format(**values)


def confirmations(dashboard: DashboardClient) -> Sequence[Any]:
    """Return the confirmations of deletions."""
    with dashboard.warehouse.connect() as connection:
        return connection.execute(sa.select(deletion_confirmations).order_by("table_name")).all()


def test_overview_shows_open_incidents_first(user: DashboardClient) -> None:
    before = visible_text(user.get("/"))
    assert text(user, "overview.realtime_current") in before
    assert text(user, "incidents.open_notice") not in before
    with temporary_incidents(user.warehouse, REFUSED, FAILED) as (refused, _):
        page = user.get("/")
        page_text = visible_text(page)
        with user.warehouse.begin() as connection:
            incidents.close(connection, list(IncidentKind))
        after = visible_text(user.get("/"))
    assert page.text.index('<h2 id="incidents">') < page.text.index('<h2 id="status">')
    assert text(user, "overview.realtime_current") not in page_text
    assert text(user, "overview.realtime_blocked", count=2) in page_text
    shown = Formats("id" if user.language == "id" else "en", WIB)
    for expected in (
        text(user, "incidents.kind_deletion_refused"),
        text(user, "incidents.kind_sync_failed"),
        shown.moment(refused.opened_at, short=True),
        REFUSED.reason,
        REFUSED.what_to_do,
        FAILED.reason,
        "team:erp",
    ):
        assert expected in page_text
    assert 'href="/customers/11"' in page.text
    assert "<1,780>" not in page.text, "it is escaped"
    assert text(user, "overview.realtime_current") in after
    assert text(user, "incidents.open_notice") not in after


def test_english_texts_are_marked_on_indonesian_pages(user: DashboardClient) -> None:
    with temporary_incidents(user.warehouse, FAILED):
        for path in ("/", "/incidents"):
            page = user.get(path).text
            assert (f'<span lang="en">{FAILED.reason}</span>' in page) == (user.language == "id")


@pytest.mark.parametrize("kind", IncidentKind)
def test_every_kind_has_a_text(kind: IncidentKind) -> None:
    assert f"incidents.kind_{kind}" in CATALOGUE


def test_unknown_kind_is_shown_by_its_name(user: DashboardClient) -> None:
    with temporary_incidents(user.warehouse, FAILED):
        with user.warehouse.begin() as connection:
            connection.execute(sa.update(table).values(kind="month_closed"))
        assert all("month_closed" in visible_text(user.get(path)) for path in ("/", "/incidents"))


def test_many_customers_are_counted(viewer: DashboardClient) -> None:
    with temporary_incidents(viewer.warehouse, replace(REFUSED, customers=range(1, 1201))):
        page = viewer.get("/")
    assert "1,200 customers" in visible_text(page)
    assert len(re.findall(r"<article.*?</article>", page.text, re.DOTALL)[0].split("/customers/")) == 11


def test_only_the_oldest_incidents_are_shown(viewer: DashboardClient) -> None:
    with temporary_incidents(viewer.warehouse, *(replace(FAILED, subject=f"table {number}") for number in range(12))):
        page = viewer.get("/")
    assert page.text.count("<article") == 10
    assert "Open incidents: 12" in visible_text(page)
    assert "Only the oldest 10 are shown here." in visible_text(page)


def test_admin_confirms_a_deletion(admin: DashboardClient) -> None:
    with temporary_incidents(admin.warehouse, REFUSED, FAILED) as (refused, failed):
        page = admin.get("/")
        assert page.text.count("Confirm this deletion") == 1
        assert f'action="/incidents/{refused.id}/confirm"' in page.text
        assert f"removed from the warehouse: {ROWS}." in visible_text(page)
        answer = admin.post(f"/incidents/{refused.id}/confirm", {"rows": ROWS})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        found = confirmations(admin)
        after = admin.get("/")
        assert "Confirm this deletion" not in after.text
        assert f"Confirmed by admin, valid until {Formats('en', WIB).moment(found[0].expires_at)}" in visible_text(
            after
        )
        nothing = admin.post(f"/incidents/{failed.id}/confirm", {"rows": 1})
        assert nothing.status_code == 409
        assert "is not a deletion of a customer's rows" in visible_text(nothing)
    assert [(row.customer_id, row.table_name, row.rows, row.confirmed_by) for row in found] == [
        (11, "billing.deposits", 4, "admin"),
        (11, READINGS, 850, "admin"),
    ]
    with admin.warehouse.connect() as connection:
        refusal, done = audit.latest(connection, limit=2)
    assert (done.actor, done.action, done.outcome) == ("admin", "POST /incidents/{id}/confirm", "done")
    assert done.target == f"/incidents/{refused.id}/confirm rows={ROWS}"
    assert refusal.outcome == "refused"


def test_viewer_cannot_confirm(viewer: DashboardClient) -> None:
    with temporary_incidents(viewer.warehouse, REFUSED) as (refused,):
        assert "Confirm this deletion" not in viewer.get("/").text
        assert viewer.post(f"/incidents/{refused.id}/confirm", {"rows": ROWS}).status_code == 403
        assert confirmations(viewer) == []


def test_changed_deletion_is_not_confirmed(admin: DashboardClient) -> None:
    more = replace(REFUSED, details={"rows": {"11": {READINGS: 900}}})
    with temporary_incidents(admin.warehouse, REFUSED) as (refused,):
        with admin.warehouse.begin() as connection:
            incidents.record(connection, more)
        answer = admin.post(f"/incidents/{refused.id}/confirm", {"rows": ROWS})
        assert answer.status_code == 409
        assert "The deletion has changed since the page was loaded." in visible_text(answer)
        assert confirmations(admin) == []


def test_grown_deletion_needs_another_confirmation(admin: DashboardClient) -> None:
    with temporary_incidents(admin.warehouse, REFUSED) as (refused,):
        admin.post(f"/incidents/{refused.id}/confirm", {"rows": ROWS})
        with admin.warehouse.begin() as connection:
            incidents.record(connection, replace(REFUSED, details={"rows": {"11": {READINGS: 851}}}))
        assert "Confirm this deletion" in admin.get("/").text


@pytest.mark.parametrize("cause", [FAILED, replace(REFUSED, details={})])
def test_other_incidents_have_no_button(admin: DashboardClient, cause: IncidentCause) -> None:
    with temporary_incidents(admin.warehouse, cause):
        page = admin.get("/")
        assert cause.reason in visible_text(page)
        assert "Confirm this deletion" not in page.text


def test_closed_incident_is_not_confirmed(admin: DashboardClient) -> None:
    with temporary_incidents(admin.warehouse, REFUSED) as (refused,):
        with admin.warehouse.begin() as connection:
            incidents.close(connection, [REFUSED.kind])
        answer = admin.post(f"/incidents/{refused.id}/confirm", {"rows": ROWS})
        assert answer.status_code == 409
        assert "is closed: its cause is gone" in visible_text(answer)
        assert confirmations(admin) == []


@pytest.mark.parametrize(("path", "rows", "status"), [("999999", ROWS, 404), ("0", ROWS, 422), ("1", 0, 422)])
def test_invalid_confirmation_is_refused(admin: DashboardClient, path: str, rows: int, status: int) -> None:
    assert admin.post(f"/incidents/{path}/confirm", {"rows": rows}).status_code == status


def test_history_lists_open_and_closed_incidents(user: DashboardClient) -> None:
    assert text(user, "incidents.none") in visible_text(user.get("/incidents"))
    with temporary_incidents(user.warehouse, REFUSED, FAILED):
        with user.warehouse.begin() as connection:
            incidents.close(connection, [REFUSED.kind])
        page = visible_text(user.get("/incidents"))
    assert page.index(FAILED.reason) < page.index(REFUSED.reason), "the newest first"
    row = page[page.index(FAILED.subject) : page.index(REFUSED.subject)]
    assert text(user, "incidents.still_open") in row
    assert text(user, "incidents.still_open") not in page[page.index(REFUSED.subject) :]


def test_history_is_paged(viewer: DashboardClient) -> None:
    with temporary_incidents(viewer.warehouse, *(replace(FAILED, subject=f"table {number}") for number in range(26))):
        assert "1–25 of 26" in visible_text(viewer.get("/incidents"))
        assert "table 0" in visible_text(viewer.get("/incidents?page=2"))
