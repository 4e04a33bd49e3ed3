"""Incidents that time alone causes, under `ledger up` with a shifted clock: all seven displays show them."""

from collections.abc import Iterator
from datetime import datetime

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.dagster.graphql import dagster_graphql_from_settings
from ledger_pipelines.sources.billing.schema import users
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.tables import pending_changes, write_locks
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.serving.incident_displays import QUIET, System, caused_and_resolved, open_system
from ledger_pipelines_tests.support.serving.shifted_clock import ShiftedUp, running_shifted_up
from ledger_pipelines_tests.support.webhook_receiver import SECRET, running_receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_STATES = """
{ repositoryOrError(repositorySelector: {repositoryLocationName: "ledger", repositoryName: "__repository__"}) {
    ... on Repository {
        sensors { name sensorState { id ticks(limit: 1) { status } } }
        schedules { name scheduleState { id } } } } }
"""
_OF_LEDGER = 'repositoryLocationName: "ledger", repositoryName: "__repository__"'


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WIB)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A computed small demo under `ledger up` with a clock that the tests set, and a webhook."""
    with running_receiver() as receiver:
        variables = {"LEDGER_ALERT_WEBHOOK_URL": receiver.url, "LEDGER_ALERT_WEBHOOK_SECRET": SECRET}
        with running_shifted_up(at("2026-11-30 03:30"), **variables) as up:
            up.settle()
            with open_system(up, receiver, up.token, lambda: up.command("balance", "test-system")[0]) as system:
                system.wait_for("sync_missed", QUIET)
                yield system


def shifted(system: System) -> ShiftedUp:
    """Return the `ledger up` of a system, whose clock can be set."""
    assert isinstance(system.up, ShiftedUp)
    return system.up


def switch_off(system: System, *names: str) -> None:
    """Switch sensors and schedules off, as in Dagster's web UI, and wait until their last ticks have ended."""
    graphql = dagster_graphql_from_settings(system.installation.settings)
    found = graphql.query(_STATES)["repositoryOrError"]
    stops = {sensor["name"]: f'stopSensor(id: "{sensor["sensorState"]["id"]}")' for sensor in found["sensors"]}
    for schedule in found["schedules"]:
        stops[schedule["name"]] = f'stopRunningSchedule(id: "{schedule["scheduleState"]["id"]}")'
    for name in names:
        graphql.query(f"mutation {{ {stops[name]} {{ __typename }} }}")

    def in_tick() -> list[str]:
        sensors = graphql.query(_STATES)["repositoryOrError"]["sensors"]
        return [sensor["name"] for sensor in sensors if "STARTED" in str(sensor["sensorState"]["ticks"])]

    system.up.wait_until(lambda: not {*in_tick()} & {*names}, in_tick)


def switch_on(system: System, kind: str, *names: str) -> None:
    """Switch sensors or schedules on again; the kind is `Sensor` or `Schedule`."""
    graphql = dagster_graphql_from_settings(system.installation.settings)
    for name in names:
        of = f'{kind.lower()}Selector: {{{_OF_LEDGER}, {kind.lower()}Name: "{name}"}}'
        graphql.query(f"mutation {{ start{kind}({of}) {{ __typename }} }}")


def test_a_sync_that_does_not_happen(system: System) -> None:
    up = shifted(system)
    switch_off(system, "hourly_sync")
    up.set(at("2026-11-30 04:12"))
    with caused_and_resolved(system, "sync_missed"):
        up.installation.checked_output("sync", "start", "--wait")
    switch_on(system, "Schedule", "hourly_sync")


def test_a_change_that_waits(system: System) -> None:
    up = shifted(system)
    queued = sa.select(sa.func.count()).select_from(pending_changes)
    with (
        system.source(database_urls.DEMO_BILLING_DATABASE) as billing,
        system.installation.warehouse() as warehouse,
        system.installation.warehouse("READ COMMITTED") as writer,
    ):
        written = write_locks.c.table_name.contains("monthly_customer_balances")
        assert len(writer.execute(sa.select(write_locks).where(written).with_for_update()).all()) == 1
        customer = billing.scalar(sa.select(sa.func.min(users.c.id)).where(users.c.role == "customer"))
        raised = {"harga_per_meter_kubik": users.c.harga_per_meter_kubik + 1, "updated_at": None}
        billing.execute(sa.update(users).where(users.c.id == customer).values(raised))
        up.wait_until(lambda: warehouse.scalar(queued))
        up.clock.set(at("2026-11-30 04:35"))
        with caused_and_resolved(system, "changes_wait"):
            writer.rollback()


def test_a_month_that_is_missing(system: System) -> None:
    sensors = ("readings", "prices", "deposits")
    switch_off(system, *sensors, "month_turn")
    shifted(system).set(at("2026-12-01 00:02"))
    system.log_in()
    with caused_and_resolved(system, "month_missing"):
        switch_on(system, "Sensor", *sensors)
