"""Whether the ledger has been computed, and of which billing application it is."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.first_computation import (
    COMPUTE_COMMAND,
    demand_same_source,
    is_computed,
    never_computed,
    note_source,
)
from ledger_pipelines.warehouse.loaded import mark_loaded
from ledger_pipelines.warehouse.schema import WarehouseError

DEMO = Settings(home=Path("/nowhere"))
OWN = DEMO.model_copy(update={"billing_url": SecretStr("mysql+pymysql://reader@db.example.com/billing")})


def compute(connection: sa.Connection) -> None:
    """Mark a month of the balances as written for every customer."""
    mark_loaded(connection, tables.monthly_customer_balances, ["2025-01"], "test")


def test_only_balances_of_every_customer_are_a_first_computation(connection: sa.Connection) -> None:
    assert not is_computed(connection)
    mark_loaded(connection, tables.meter_readings, ["2025-01"], "test")
    assert not is_computed(connection)
    compute(connection)
    assert is_computed(connection)


def test_each_installation_is_told_what_is_true_for_it() -> None:
    assert "the demo's" in never_computed(DEMO)
    assert "demo" not in never_computed(OWN)
    assert "ledger billing test-connection" in never_computed(OWN)
    assert all(COMPUTE_COMMAND in never_computed(settings) for settings in (DEMO, OWN))


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [(DEMO, OWN, "holds the demo's ledger"), (OWN, DEMO, "holds the ledger of your own billing application")],
)
def test_the_demo_and_ones_own_are_not_mixed(
    connection: sa.Connection, first: Settings, then: Settings, expected: str
) -> None:
    note_source(connection, first)
    demand_same_source(connection, then)  # nothing has been computed: the warehouse may still be of either
    compute(connection)
    note_source(connection, then)  # as every later command does
    demand_same_source(connection, first)
    with pytest.raises(WarehouseError, match=expected):
        demand_same_source(connection, then)


def test_an_empty_warehouse_becomes_that_of_the_settings(connection: sa.Connection) -> None:
    for settings in (DEMO, OWN):
        note_source(connection, settings)
    compute(connection)
    demand_same_source(connection, OWN)
    with pytest.raises(WarehouseError):
        demand_same_source(connection, DEMO)


def test_a_computed_ledger_without_a_mark_gets_none(connection: sa.Connection) -> None:
    """A command in a shell with other settings must not decide whose ledger it is."""
    compute(connection)
    note_source(connection, DEMO)
    demand_same_source(connection, OWN)
