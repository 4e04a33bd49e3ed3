"""`ledger up` on the user's own billing application: nothing is computed until a user requests it."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import month_start
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, dagster_graphql_from_settings
from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.sources.billing.schema import users
from ledger_pipelines.warehouse.ops.first_computation import never_computed_message
from ledger_pipelines.warehouse.tables import loaded_months, monthly_customer_balances
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database
from ledger_pipelines_tests.support.serving.api import bearer
from ledger_pipelines_tests.support.serving.installation import (
    SEED_SMALL_DEMO,
    Installation,
    json_of,
    temporary_installation,
)
from ledger_pipelines_tests.support.serving.running_up import RunningUp, run_statuses, running_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CUSTOMER = 11
SECRET = "hush"  # noqa: S105 - of a user who does not exist
SECONDS_OF_SILENCE = 20
CHECK, COMPUTE = "ledger billing test-connection", "ledger balance initialize --all"
SENSORS = ("first_reconciliation", "readings", "prices", "deposits")
LEDGER_SCHEDULES = ("daily_reconciliation", "weekly_recalculation", "daily_comparison")

_TICKS = """
{ repositoryOrError(repositorySelector: {repositoryLocationName: "ledger", repositoryName: "__repository__"}) {
    ... on Repository { sensors { name sensorState { ticks(limit: 1) { status skipReason } } } } } }
"""
_DRY_RUN = """
mutation Tick($schedule: ScheduleSelector!, $at: Float!) {
  scheduleDryRun(selectorData: $schedule, timestamp: $at) {
    ... on DryRunInstigationTick { evaluationResult { skipReason runRequests { runKey } } } } }
"""


@pytest.fixture(scope="module")
def application(mariadb_url: sa.URL) -> Iterator[sa.URL]:
    """The user's own billing application, on MariaDB."""
    with fresh_database(mariadb_url) as url:
        yield url


@pytest.fixture(scope="module")
def own(application: sa.URL) -> Iterator[Installation]:
    """An installation that reads the own billing application."""
    with temporary_installation() as made:
        address = application.render_as_string(hide_password=False)
        made.succeed(*SEED_SMALL_DEMO, "--only", "billing", "--url", address)
        made.variables["LEDGER_BILLING_URL"] = address
        yield made


@pytest.fixture
def computed_own(own: Installation) -> Installation:
    """The same installation with a computed ledger and a stopped embedded server."""
    own.succeed("balance", "initialize", "--all")
    own.succeed("db", "stop")
    return own


@contextmanager
def started(installation: Installation) -> Iterator[RunningUp]:
    """Run `ledger up` on an installation and wait until it has started."""
    with running_up(installation) as running:
        running.wait_for_output("The ledger is up")
        yield running


def sensors(graphql: DagsterGraphql) -> dict[str, str]:
    """Return the skip reason of each sensor's last tick; empty if there was no tick or it did not skip."""
    found: list[dict[str, Any]] = graphql.query(_TICKS)["repositoryOrError"]["sensors"]
    ticks = {sensor["name"]: sensor["sensorState"]["ticks"] for sensor in found}
    return {name: str(latest[0]["skipReason"] or "") if latest else "" for name, latest in ticks.items()}


def schedule(installation: Installation, name: str) -> dict[str, Any]:
    """Return the result of a dry run of a schedule for the coming night."""
    selector = {"repositoryLocationName": "ledger", "repositoryName": "__repository__", "scheduleName": name}
    tonight = (datetime.now(WIB) + timedelta(days=1)).replace(hour=2, minute=0, second=0, microsecond=0)
    evaluation = {"schedule": selector, "at": tonight.timestamp()}
    answer: dict[str, Any] = dagster_graphql_from_settings(installation.settings).query(_DRY_RUN, evaluation)[
        "scheduleDryRun"
    ]["evaluationResult"]
    return answer


def balance(installation: Installation) -> Decimal:
    """Return the latest balance of the customer."""
    of = monthly_customer_balances.c
    newest = sa.select(of.closing_balance).where(of.customer_id == CUSTOMER).order_by(of.year_month.desc()).limit(1)
    with installation.warehouse() as connection:
        closing: Decimal = connection.execute(newest).scalar_one()
    return closing


def add_deposit(application: sa.URL, installation: Installation) -> None:
    """Add a deposit of 1,000 rupiah to the customer, as the application does."""
    engine = sa.create_engine(application)
    first_day = month_start(installation.settings.first_month, WIB)
    deposit = f'[{{"date": "{first_day:%Y-%m-%d %H:%M:%S}", "amount": 1000, "keterangan": "penambahan"}}]'
    of_customer = users.c.id == CUSTOMER
    with engine.begin() as connection:
        before = connection.execute(sa.select(users.c.deposit_history).where(of_customer)).scalar_one()
        after = f"{before.rstrip().removesuffix(']')}, {deposit.removeprefix('[')}"
        now = datetime.now(WIB).replace(tzinfo=None)
        connection.execute(sa.update(users).where(of_customer).values(deposit_history=after, updated_at=now))
    engine.dispose()


def assert_nothing_is_computed(up: RunningUp) -> None:
    """Check that there is no run and no row, and that sensors and schedules give the reason."""
    installation, graphql = up.installation, dagster_graphql_from_settings(up.installation.settings)
    reason = never_computed_message(installation.settings)
    up.wait_until(lambda: all(sensors(graphql)[name] == reason for name in SENSORS))
    time.sleep(SECONDS_OF_SILENCE)
    assert run_statuses(graphql) == []
    for name in LEDGER_SCHEDULES:
        evaluation = schedule(installation, name)
        assert (evaluation["skipReason"], evaluation["runRequests"]) == (reason, []), name
    assert schedule(installation, "hourly_sync")["skipReason"] == "There is no ERP: LEDGER_ERP_URL is not set."
    with installation.warehouse() as connection:
        for table in (loaded_months, monthly_customer_balances):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    health = installation.run("balance", "test-system", "--json")
    assert json_of(health)["problems"] == [f"The ledger has never been computed. Run: {COMPUTE}"]


@pytest.fixture
def up(own: Installation) -> Iterator[RunningUp]:
    """A running `ledger up` on the own billing application."""
    with started(own) as running:
        yield running


def test_nothing_is_computed_until_requested(up: RunningUp, application: sa.URL) -> None:
    installation, graphql = up.installation, dagster_graphql_from_settings(up.installation.settings)
    printed = up.output.read_text()
    assert printed.index("Nothing has been computed yet") < printed.index(CHECK) < printed.index(COMPUTE)
    assert "demo" not in printed
    assert_nothing_is_computed(up)
    with httpx2.Client(base_url=api_url(installation.settings), headers=bearer(up.first_token()), timeout=30) as api:
        address = f"/api/realtime-balance/customer/{CUSTOMER}/balance"
        assert never_computed_message(installation.settings) in api.get(address).json()["message"]
        installation.succeed("balance", "initialize", "--all")
        assert api.get(address).status_code == 200
    up.wait_until(lambda: run_statuses(graphql) == ["SUCCESS", "SUCCESS"])  # the ledger and the comparison
    installation.succeed("balance", "test-system")
    assert schedule(installation, "daily_reconciliation")["runRequests"] != []

    before = balance(installation)
    add_deposit(application, installation)
    up.wait_until(lambda: balance(installation) == before + 1000)
    assert not any("never been computed" in reason for reason in sensors(graphql).values())
    up.assert_stops()


def test_up_starts_while_the_application_refuses_the_login(computed_own: Installation, application: sa.URL) -> None:
    refused_url = application.set(username="nobody_here", password=SECRET).render_as_string(hide_password=False)
    message = "cannot be read: 1045 Access denied for user 'nobody_here'"
    with started(Installation(computed_own.variables | {"LEDGER_BILLING_URL": refused_url})) as up:
        up.wait_for_output(message)
        graphql = dagster_graphql_from_settings(up.installation.settings)
        up.wait_until(
            lambda: "FAILURE" in str(graphql.query(_TICKS))
        )  # the sensors of a computed ledger report it in their ticks
        time.sleep(SECONDS_OF_SILENCE)
        printed = up.output.read_text()
        assert printed.count(CHECK) == 1, "printed once at the start"
        incidents = re.findall(r"Incident \d+: poll failed, (.*)", printed)
        assert printed.count(message) == 1 + len(incidents), "and once for each incident"
        assert len(set(incidents)) == len(incidents)
        assert "The figures in the warehouse can be read" in printed
        assert "SensorDaemon" not in printed
        assert SECRET not in printed
        up.assert_stops()


def test_demo_does_not_start_on_own_ledger(computed_own: Installation) -> None:
    variables = {name: value for name, value in computed_own.variables.items() if name != "LEDGER_BILLING_URL"}
    demo = Installation(variables)
    refused = demo.run("up")
    assert refused.exit_code == 1
    assert "This warehouse holds the ledger of your own billing application" in refused.stderr
