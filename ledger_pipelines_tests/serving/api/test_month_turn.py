"""What readers see between the start of a month and its turn: the month before, and that it is that."""

from datetime import datetime, timedelta

import pytest

from ledger_pipelines.horizon import Horizon, month_of, shift
from ledger_pipelines.serving import databases as serving_databases
from ledger_pipelines.serving import health
from ledger_pipelines.serving.api.parts import Parts
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.serving.api.apis import Api
from ledger_pipelines_tests.serving.conftest import MONTHS, Installation, json_of
from ledger_pipelines_tests.serving.dashboard.desk import new_desk, text_of

ROOT = "/api/realtime-balance"
CURRENT = month_of(datetime.now(WIB), WIB)
NEW_YEAR = f"{int(CURRENT[:4]) + 1}-01"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a year begin of which no balance has been computed yet."""
    horizon = Horizon(shift(CURRENT, 1 - MONTHS), NEW_YEAR, WIB)
    for reader in (Parts, Databases):
        monkeypatch.setattr(reader, "horizon", horizon)


@pytest.mark.usefixtures("begun")
def test_the_api_answers_with_the_month_before(api: Api) -> None:
    customer = api.ask(f"{ROOT}/dashboard", year=int(CURRENT[:4]))["top_customers"][0]["id"]
    for what in ("balance", "transactions"):
        found = api.ask(f"{ROOT}/customer/{customer}/{what}")
        assert found == api.ask(f"{ROOT}/customer/{customer}/{what}", year_month=CURRENT)
    assert api.ask(f"{ROOT}/dashboard")["year"] == int(CURRENT[:4])
    assert api.ask(f"{ROOT}/invoice-reconciliation")["year_month"] == CURRENT
    assert api.ask(f"{ROOT}/status")["status"] == "catching_up"
    asked_for = api.ask(f"{ROOT}/customer/{customer}/balance", expect=404, year_month=NEW_YEAR)
    assert f"no balance of {NEW_YEAR}" in asked_for["message"]


@pytest.mark.usefixtures("begun")
def test_the_overview_shows_the_year_before(api: Api) -> None:
    with new_desk(api, api.callers.viewer) as desk:
        assert f"The year {CURRENT[:4]}" in text_of(desk.client.get("/"))


def test_low_balances_are_those_of_the_month_before(computed: Installation, request: pytest.FixtureRequest) -> None:
    before = json_of(computed.run("alerts", "list", "--json"))
    assert sum(group["customers"] for group in before["days_left"]) == 6
    request.getfixturevalue("begun")
    begun = json_of(computed.run("alerts", "list", "--json"))
    assert begun["alerts"] == before["alerts"]
    assert sum(group["customers"] for group in begun["days_left"]) == 6
    customer = str(before["alerts"][0]["customer_id"]) if before["alerts"] else "11"
    changed = json_of(computed.run("alerts", "clear", "--customer-id", customer, "--json"))
    assert (changed["raised"], changed["cleared"]) == (0, 0), "nothing recovers because a month has begun"


def test_a_month_that_has_just_begun_is_no_problem_and_one_that_is_late_is(
    computed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = shift(CURRENT, 1)
    monkeypatch.setattr(Databases, "horizon", Horizon(shift(CURRENT, 1 - MONTHS), new, WIB))
    tests_of_system = []
    for late in (timedelta(0), timedelta(days=32)):  # later than it is, by which the new month has begun
        monkeypatch.setattr(health, "_TURN", timedelta(minutes=1) - late)
        tests_of_system.append(json_of(computed.run("balance", "test-system", "--json")))
    assert [found["problems"] for found in tests_of_system] == [
        [],
        ["monthly_customer_balances: 1 months have never been computed. Run: ledger balance sync --all"],
    ]


def test_a_process_that_lives_on_gets_the_new_month(computed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Later":
            assert tz == WIB
            return cls.fromisoformat(f"{NEW_YEAR}-01T00:00:01+07:00")

    with Databases(computed.settings) as databases:
        assert databases.horizon.current == CURRENT
        monkeypatch.setattr(serving_databases, "datetime", Later)
        assert databases.horizon.current == databases.billing_app.horizon.current == NEW_YEAR
