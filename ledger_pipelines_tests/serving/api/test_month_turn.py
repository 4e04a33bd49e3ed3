"""Reads between the start of a month and its turn: API, dashboard and CLI show the month before."""

from datetime import datetime, timedelta

import pytest

from ledger_pipelines import databases as installation_databases
from ledger_pipelines.horizon import Horizon, month_of, shift_month
from ledger_pipelines.serving import health
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.web.context import AppContext
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.api import ApiUnderTest
from ledger_pipelines_tests.support.serving.dashboard_client import open_dashboard_client, visible_text
from ledger_pipelines_tests.support.serving.installation import MONTHS, Installation

ROOT = "/api/realtime-balance"
CURRENT = month_of(datetime.now(WIB), WIB)
NEW_YEAR = f"{int(CURRENT[:4]) + 1}-01"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock to a new year that has no balances yet."""
    horizon = Horizon(shift_month(CURRENT, 1 - MONTHS), NEW_YEAR, WIB)
    monkeypatch.setattr(AppContext, "horizon", horizon)
    monkeypatch.setattr(Databases, "horizon", lambda _: horizon)


@pytest.mark.usefixtures("begun")
def test_the_api_returns_the_month_before(api: ApiUnderTest) -> None:
    customer = api.get(f"{ROOT}/dashboard", year=int(CURRENT[:4]))["top_customers"][0]["id"]
    for what in ("balance", "transactions"):
        found = api.get(f"{ROOT}/customer/{customer}/{what}")
        assert found == api.get(f"{ROOT}/customer/{customer}/{what}", year_month=CURRENT)
    assert api.get(f"{ROOT}/dashboard")["year"] == int(CURRENT[:4])
    assert api.get(f"{ROOT}/invoice-reconciliation")["year_month"] == CURRENT
    assert api.get(f"{ROOT}/status")["status"] == "catching_up"
    explicit = api.get(f"{ROOT}/customer/{customer}/balance", expect=404, year_month=NEW_YEAR)
    assert f"no balance for {NEW_YEAR}" in explicit["message"]


@pytest.mark.usefixtures("begun")
def test_the_overview_shows_the_year_before(api: ApiUnderTest) -> None:
    with open_dashboard_client(api, api.callers.viewer) as desk:
        assert f"The year {CURRENT[:4]}" in visible_text(desk.client.get("/"))


def test_low_balances_use_the_month_before(computed: Installation, request: pytest.FixtureRequest) -> None:
    before = computed.run_json("alerts", "list")
    assert sum(group["customers"] for group in before["days_left"]) == 6
    request.getfixturevalue("begun")
    after = computed.run_json("alerts", "list")
    assert after["alerts"] == before["alerts"]
    assert sum(group["customers"] for group in after["days_left"]) == 6
    customer = str(before["alerts"][0]["customer_id"]) if before["alerts"] else "11"
    changed = computed.run_json("alerts", "clear", "--customer-id", customer)
    assert (changed["raised"], changed["cleared"]) == (0, 0), "a new month must not clear alerts"


def test_only_a_late_month_turn_is_a_problem(computed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    horizon = Horizon(shift_month(CURRENT, 1 - MONTHS), shift_month(CURRENT, 1), WIB)
    monkeypatch.setattr(Databases, "horizon", lambda _: horizon)
    reports = []
    for late in (timedelta(0), timedelta(days=32)):  # pretend that the new month began this long ago
        monkeypatch.setattr(health, "_TURN", timedelta(minutes=1) - late)
        reports.append(computed.run_json("balance", "test-system"))
    assert [found["problems"] for found in reports] == [
        [],
        ["monthly_customer_balances: months that have never been computed: 1. Run: ledger balance sync --all"],
    ]


def test_a_running_process_gets_the_new_month(computed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Later":
            assert tz == WIB
            return cls.fromisoformat(f"{NEW_YEAR}-01T00:00:01+07:00")

    with Databases(computed.settings) as databases:
        assert databases.horizon().current == CURRENT
        monkeypatch.setattr(installation_databases, "datetime", Later)
        assert databases.horizon().current == databases.billing_app().horizon.current == NEW_YEAR
