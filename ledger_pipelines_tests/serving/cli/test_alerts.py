"""`ledger alerts` on a small demo: alerts, thresholds of single customers, and delivery to the webhook."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines.warehouse.tables import balance_alerts, balance_thresholds, monthly_customer_balances
from ledger_pipelines_tests.support.serving.installation import Installation, json_of
from ledger_pipelines_tests.support.webhook_receiver import SECRET, running_receiver

CUSTOMER = 11


@pytest.fixture(scope="module")
def made(computed: Installation) -> Iterator[Installation]:
    """The small demo without alerts and thresholds; its own alerts are restored afterwards."""
    _delete_alerts(computed)
    yield computed
    _delete_alerts(computed)
    computed.succeed("balance", "sync", "--all")


def _delete_alerts(installation: Installation) -> None:
    with installation.warehouse() as connection:
        connection.execute(sa.delete(balance_alerts))
        connection.execute(sa.delete(balance_thresholds))


@pytest.fixture
def demo(made: Installation) -> Iterator[Installation]:
    """The demo, without alerts and thresholds."""
    yield made
    _delete_alerts(made)


def balance_of(installation: Installation) -> Decimal:
    """Return the customer's current balance."""
    balance = monthly_customer_balances.c
    latest = sa.select(balance.closing_balance).where(balance.customer_id == CUSTOMER)
    with installation.warehouse() as connection:
        found = connection.scalar(latest.order_by(balance.year_month.desc()).limit(1))
    assert isinstance(found, Decimal)
    return found


def listed(installation: Installation, *options: str) -> list[dict[str, Any]]:
    """Return the alerts in the JSON output of `ledger alerts list`."""
    alerts: list[dict[str, Any]] = installation.run_json("alerts", "list", *options)["alerts"]
    return alerts


def set_threshold(installation: Installation, *options: str) -> dict[str, Any]:
    """Run `ledger alerts set` for the customer and return its JSON output."""
    return installation.run_json("alerts", "set", "--customer-id", str(CUSTOMER), *options)


def test_new_threshold_is_evaluated_immediately(demo: Installation) -> None:
    balance = balance_of(demo)
    assert set_threshold(demo, "--threshold", str(balance + 1), "--days", "0")["raised"] == 1
    assert set_threshold(demo, "--threshold", str(balance + 2))["raised"] == 0
    (alert,) = listed(demo)
    assert (alert["customer_id"], alert["kind"], Decimal(alert["balance"])) == (CUSTOMER, "threshold", balance)
    assert Decimal(alert["threshold"]) == balance + 1
    assert alert["delivered_at"] is None
    assert set_threshold(demo, "--threshold", str(balance))["cleared"] == 1
    assert listed(demo) == []
    assert [one["id"] for one in listed(demo, "--all", "--customer-id", str(CUSTOMER))] == [alert["id"]]
    assert listed(demo, "--all", "--customer-id", "4711") == []


def test_thresholds_are_listed_and_cleared(demo: Installation) -> None:
    set_threshold(demo, "--threshold", "-1000000.5")
    set_threshold(demo, "--days", "30")
    answer = demo.run_json("alerts", "thresholds")
    assert answer["usual"] == {"threshold": "0.00", "days": 7}
    (own,) = answer["thresholds"]
    assert (own["customer_id"], own["threshold"], own["days"]) == (CUSTOMER, "-1000000.50", 30)
    assert "-1,000,000.50" in demo.run("alerts", "thresholds").stdout
    demo.succeed("alerts", "clear", "--customer-id", str(CUSTOMER))
    assert demo.run_json("alerts", "thresholds")["thresholds"] == []


def test_changes_are_audited(demo: Installation) -> None:
    set_threshold(demo, "--threshold", "-5", "--days", "30")
    demo.run("alerts", "clear", "--customer-id", str(CUSTOMER))
    demo.run("alerts", "list")
    with demo.warehouse() as connection:
        entries = audit.latest(connection, limit=2)
    assert [(entry.action, entry.target, entry.outcome) for entry in entries] == [
        ("ledger alerts clear", f"customer {CUSTOMER}", "done"),
        ("ledger alerts set", f"customer {CUSTOMER}, threshold -5, days 30", "done"),
    ]


@pytest.mark.usefixtures("narrow")
def test_text_output(demo: Installation) -> None:
    result = demo.run(
        "alerts", "set", "--customer-id", str(CUSTOMER), "--threshold", str(balance_of(demo) + 1), "--days", "0"
    )
    assert "1 alert raised" in result.stderr
    headings = r"threshold +days left +days +cleared at +delivered at +last error"
    assert re.search(headings, demo.run("alerts", "list").stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "--customer-id", "4711", "--days", "3"], "There is no customer 4711"),
        (["set", "--customer-id", "11"], "Give --threshold (in rupiah), --days, or both."),
        (["set", "--customer-id", "11", "--threshold", "much"], "--threshold is not a number"),
        (["deliver"], "LEDGER_ALERT_WEBHOOK_URL"),
    ],
)
def test_invalid_request_is_explained(demo: Installation, arguments: list[str], message: str) -> None:
    result = demo.run("alerts", *arguments, "--json")
    assert result.exit_code == 1
    assert message in json_of(result)["error"]


def test_deliver_command(demo: Installation) -> None:
    set_threshold(demo, "--threshold", str(balance_of(demo) + 1), "--days", "0")
    with running_receiver() as receiver:
        webhook = {"LEDGER_ALERT_WEBHOOK_URL": receiver.url, "LEDGER_ALERT_WEBHOOK_SECRET": SECRET}
        receiver.answers = [422]
        refused = demo.run("alerts", "deliver", **webhook)
        assert refused.exit_code == 1
        assert "status 422" in refused.stderr
        with demo.warehouse() as connection:
            connection.execute(sa.update(balance_alerts).values(next_attempt_at=None))
        assert demo.run_json("alerts", "deliver", **webhook)["delivered"] == 1
        assert len(receiver.received) == 2
    assert listed(demo)[0]["attempts"] == 2
