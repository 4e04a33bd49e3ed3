"""Sensor that posts incidents and low balances: ticks over the alerts of a real run, to a real receiver."""

import json
from collections.abc import Iterator

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.definitions import build_definitions
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.tables import balance_alerts
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.code_location import CodeLocation, materialized_metadata, new_code_location
from ledger_pipelines_tests.support.open_incidents import REFUSED, temporary_incidents
from ledger_pipelines_tests.support.webhook_receiver import SECRET, Receiver

WITHDRAWN = '[{"date": "2025-03-05", "amount": -5}]'


@pytest.fixture
def location(pipeline: Pipeline) -> Iterator[CodeLocation]:
    """Yield a code location whose only customer owes 5 rupiah."""
    pipeline.fill(SourceState((user_row(1, role="fob", harga_per_meter_kubik=1, deposit_history=WITHDRAWN),)))
    with new_code_location(pipeline) as made:
        yield made


def tick(location: CodeLocation, **settings: str) -> str:
    """Return the skip message of one tick of the sensor."""
    validated = Settings(**settings)
    update = {name: getattr(validated, name) for name in settings}
    definitions = build_definitions(
        location.settings.model_copy(update=update), resources={"databases": location.databases}
    )
    sensor = definitions.resolve_sensor_def("alert_deliveries")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    found = location.evaluate_sensor(sensor)
    assert not found.run_requests
    return str(found.skip_message)


def test_a_run_records_and_the_sensor_posts(location: CodeLocation, receiver: Receiver) -> None:
    result = location.run()
    assert result.success
    ((_, metadata),) = list(materialized_metadata(result, "monthly_customer_balances").items())[-1:]
    assert metadata["customers_owing"] == 1
    assert "LEDGER_ALERT_WEBHOOK_URL is not set" in tick(location)
    webhook = {"alert_webhook_url": receiver.url, "alert_webhook_secret": SECRET}
    receiver.answers = [500]
    assert tick(location, **webhook) == "0 delivered, 1 to be retried. Last error: status 500: what the receiver says"
    assert tick(location, **webhook) == "No messages to deliver."
    with location.databases.warehouse.begin() as connection:
        connection.execute(sa.update(balance_alerts).values(next_attempt_at=sa.func.now()))
    assert tick(location, **webhook) == "1 delivered."
    assert [json.loads(message.body)["data"]["balance"] for message in receiver.received] == ["-5.00", "-5.00"]
    with location.databases.warehouse.connect() as connection:
        assert connection.scalar(sa.select(balance_alerts.c.run_id)) == result.run_id


def test_an_incident_is_posted_by_the_same_sensor(location: CodeLocation, receiver: Receiver) -> None:
    webhook = {"alert_webhook_url": receiver.url, "alert_webhook_secret": SECRET}
    with temporary_incidents(location.databases.warehouse, REFUSED):
        assert tick(location, **webhook) == "1 delivered."
        assert tick(location, **webhook) == "No messages to deliver."
    assert [json.loads(message.body)["type"] for message in receiver.received] == ["incident.opened"]


def test_a_run_does_not_depend_on_the_webhook(location: CodeLocation, receiver: Receiver) -> None:
    receiver.answers = ["silence"]
    location.pipeline.run()
    assert location.pipeline.rows(balance_alerts)
    assert location.run().success
    assert receiver.received == []
