"""Incidents with a running `ledger up`: each is caused and resolved, and all seven displays show it."""

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.serving.incident_displays import QUIET, System, caused_and_resolved, open_system
from ledger_pipelines_tests.support.serving.installation import (
    INITIALIZE,
    SEED_SMALL_DEMO,
    json_of,
    temporary_installation,
)
from ledger_pipelines_tests.support.serving.running_up import running_up
from ledger_pipelines_tests.support.webhook_receiver import SECRET, running_receiver

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A computed and synced small demo under `ledger up`, with a webhook."""
    with running_receiver() as receiver, temporary_installation() as installation:
        installation.variables.update(
            LEDGER_ALERT_WEBHOOK_URL=receiver.url,
            LEDGER_ALERT_WEBHOOK_SECRET=SECRET,
            LEDGER_DELETION_GUARD_ROWS="3",
        )
        for command in (SEED_SMALL_DEMO, INITIALIZE, ("sync", "start", "--wait")):
            installation.succeed(*command)
        with running_up(installation) as up:
            up.wait_for_output("The ledger is up")
            tested = lambda: installation.run("balance", "test-system", "--json").exit_code  # noqa: E731
            with open_system(up, receiver, up.first_token(), tested) as system:
                yield system


def largest_customer(connection: sa.Connection) -> int:
    """Return the customer with the most readings."""
    column = data_pencatatan.c.customer_id
    counted = sa.select(column).join(users, users.c.id == column).where(users.c.role == "customer")
    customer: int = connection.execute(
        counted.group_by(column).order_by(sa.func.count().desc(), column).limit(1)
    ).scalar_one()
    return customer


KEYS = {"users": "id", "data_pencatatan": "customer_id"}


def back_up(connection: sa.Connection, customer: int) -> None:
    """Copy a customer's rows to other tables."""
    for table, key in KEYS.items():
        connection.execute(sa.text(f"CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {key} = {customer}"))


def restore(connection: sa.Connection) -> None:
    """Restore the rows that were backed up."""
    for table in KEYS:
        connection.execute(sa.text(f"INSERT INTO {table} SELECT * FROM kept_{table}"))


def delete(connection: sa.Connection, customer: int) -> None:
    """Delete a customer with all readings, as a cascading foreign key does."""
    connection.execute(sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id == customer))
    connection.execute(sa.delete(users).where(users.c.id == customer))


def test_displays_are_quiet_without_incidents(system: System) -> None:
    system.wait_for("deletion_refused", QUIET)
    assert system.announced("deletion_refused") == {"terminal": 0, "webhook": 0}


def test_a_sensor_that_fails(system: System) -> None:
    with system.source(database_urls.DEMO_BILLING_DATABASE) as billing:
        billing.execute(sa.text("ALTER TABLE data_pencatatan RENAME TO elsewhere"))
        with caused_and_resolved(system, "poll_failed", count=3):  # each poll reads both tables
            billing.execute(sa.text("ALTER TABLE elsewhere RENAME TO data_pencatatan"))


def test_a_change_that_is_retried(system: System) -> None:
    with system.source(database_urls.DEMO_BILLING_DATABASE) as billing, system.installation.warehouse() as warehouse:
        customer = largest_customer(billing)
        refuse = f"ADD CONSTRAINT broken CHECK (customer_id <> {customer}) NOT VALID"
        warehouse.execute(sa.text(f"ALTER TABLE ledger.monthly_customer_balances {refuse}"))
        price = sa.update(users).where(users.c.id == customer)
        billing.execute(price.values(harga_per_meter_kubik=users.c.harga_per_meter_kubik + 1, updated_at=None))
        with caused_and_resolved(system, "change_retried"):
            warehouse.execute(sa.text("ALTER TABLE ledger.monthly_customer_balances DROP CONSTRAINT broken"))


def test_a_sync_that_fails(system: System) -> None:
    with system.source(database_urls.DEMO_ERP_DATABASE) as erp:
        erp.execute(sa.text("ALTER TABLE stockbywh RENAME TO elsewhere"))
        assert system.installation.run("sync", "start", "--wait").exit_code == 1
        with caused_and_resolved(system, "sync_failed"):
            erp.execute(sa.text("ALTER TABLE elsewhere RENAME TO stockbywh"))
            system.installation.succeed("sync", "start", "--wait")


def test_a_run_that_fails(system: System) -> None:
    with system.installation.warehouse() as warehouse:
        refuse = "ADD CONSTRAINT broken CHECK (customer_id < 0) NOT VALID"
        warehouse.execute(sa.text(f"ALTER TABLE ledger.monthly_customer_balances {refuse}"))
        assert system.installation.run("balance", "sync", "--all", "--force").exit_code == 1
        with caused_and_resolved(system, "run_failed"):
            warehouse.execute(sa.text("ALTER TABLE ledger.monthly_customer_balances DROP CONSTRAINT broken"))
            system.installation.succeed("balance", "sync", "--all")


def test_a_deletion_that_is_refused_and_restored(system: System) -> None:
    with system.source(database_urls.DEMO_BILLING_DATABASE) as billing:
        customer = largest_customer(billing)
        back_up(billing, customer)
        delete(billing, customer)
        with caused_and_resolved(system, "deletion_refused"):
            restore(billing)


@pytest.mark.parametrize("way", ["command", "click"])
def test_a_deletion_that_is_refused_and_confirmed(system: System, way: str) -> None:
    with system.source(database_urls.DEMO_BILLING_DATABASE) as billing, system.installation.warehouse() as warehouse:
        customer = largest_customer(billing)
        # A recently closed incident with the same subject would be reopened; it may be that of the test before.
        warehouse.execute(
            sa.text("UPDATE ops.incidents SET closed_at = closed_at - interval '1 hour' WHERE state = 'closed'")
        )
        delete(billing, customer)
        with caused_and_resolved(system, "deletion_refused"):
            if way == "command":
                answer = json_of(
                    system.installation.run("incidents", "confirm", "--customer-id", str(customer), "--json")
                )
                assert answer["confirmed"]["rows"]["billing.customers"] == 1
            else:
                page = system.browser.get("/").text
                (action,) = re.findall(r'action="(/incidents/\d+/confirm)"', page)
                fields = dict(re.findall(r'name="(form_token|rows)" value="([^"]+)"', page.partition(action)[2]))
                assert system.browser.post(action, data=fields).status_code in (200, 303)
        counted = sa.text(f"SELECT count(*) FROM ledger.monthly_customer_balances WHERE customer_id = {customer}")
        assert warehouse.scalar(counted) == 0
