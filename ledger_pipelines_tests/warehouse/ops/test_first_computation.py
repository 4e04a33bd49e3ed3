"""The first computation, and the protection against mixing the demo's ledger with a user's own."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops.first_computation import (
    COMPUTE_COMMAND,
    is_computed,
    never_computed_message,
    record_source,
    require_same_source,
)
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.schema import WarehouseError

DEMO = Settings(home=Path("/nowhere"))
OWN = DEMO.model_copy(update={"billing_url": SecretStr("mysql+pymysql://reader@db.example.com/billing")})


def mark_computed(connection: sa.Connection) -> None:
    """Mark a month of balances as written for every customer."""
    mark_loaded(connection, tables.monthly_customer_balances, ["2025-01"], "test")


def test_only_balances_of_every_customer_count_as_computed(connection: sa.Connection) -> None:
    assert not is_computed(connection)
    mark_loaded(connection, tables.meter_readings, ["2025-01"], "test")
    assert not is_computed(connection)
    mark_computed(connection)
    assert is_computed(connection)


def test_never_computed_message_depends_on_the_billing_application() -> None:
    assert "the demo's" in never_computed_message(DEMO)
    assert "demo" not in never_computed_message(OWN)
    assert "ledger billing test-connection" in never_computed_message(OWN)
    assert all(COMPUTE_COMMAND in never_computed_message(settings) for settings in (DEMO, OWN))


@pytest.mark.parametrize(
    ("recorded", "other", "expected"),
    [(DEMO, OWN, "holds the demo's ledger"), (OWN, DEMO, "holds the ledger of your own billing application")],
)
def test_demo_and_own_billing_are_not_mixed(
    connection: sa.Connection, recorded: Settings, other: Settings, expected: str
) -> None:
    record_source(connection, recorded)
    require_same_source(connection, other)  # nothing has been computed: both are still allowed
    mark_computed(connection)
    record_source(connection, other)  # as every later command does
    require_same_source(connection, recorded)
    with pytest.raises(WarehouseError, match=expected):
        require_same_source(connection, other)


def test_an_empty_warehouse_takes_the_latest_settings(connection: sa.Connection) -> None:
    for settings in (DEMO, OWN):
        record_source(connection, settings)
    mark_computed(connection)
    require_same_source(connection, OWN)
    with pytest.raises(WarehouseError):
        require_same_source(connection, DEMO)


def test_a_computed_ledger_without_a_recorded_source_stays_without(connection: sa.Connection) -> None:
    """A command run with other settings must not decide which billing application the ledger belongs to."""
    mark_computed(connection)
    record_source(connection, DEMO)
    require_same_source(connection, OWN)
    assert connection.execute(sa.select(tables.watermarks)).all() == []
