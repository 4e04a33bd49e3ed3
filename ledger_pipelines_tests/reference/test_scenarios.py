"""The reference agrees with every scenario folder, before and after its change."""

from unittest.mock import ANY

import pytest

from ledger_pipelines_tests.reference.ledger import REASONS, compute_ledger, last_readable
from ledger_pipelines_tests.reference.model import Ledger, Transaction
from ledger_pipelines_tests.scenarios.load import FOLDER, Scenario, load_scenarios

SCENARIOS = load_scenarios()


def test_every_folder_is_a_distinct_scenario() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and not path.name.startswith("__")}

    assert {scenario.name for scenario in SCENARIOS} == folders
    assert len(SCENARIOS) >= 35
    assert len({scenario.rule for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_reference_agrees(scenario: Scenario) -> None:
    ledger = compute_ledger(scenario.given, first_month=scenario.first_month, current_month=scenario.current_month)

    _assert_equal(ledger, scenario.then)


@pytest.mark.parametrize(
    "scenario", [scenario for scenario in SCENARIOS if scenario.after], ids=lambda scenario: scenario.name
)
def test_the_reference_agrees_after_the_change(scenario: Scenario) -> None:
    assert scenario.after is not None
    ledger = compute_ledger(
        scenario.after.given,
        first_month=scenario.first_month,
        current_month=scenario.after.current_month,
        last_readable_texts=last_readable(scenario.given),
    )

    _assert_equal(ledger, scenario.after.then)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_tables_are_complete(scenario: Scenario) -> None:
    """Every given reading is either a transaction or rejected, and every reason is defined."""
    steps = [(scenario.given, scenario.then)]
    if scenario.after:
        steps.append((scenario.after.given, scenario.after.then))
    for given, then in steps:
        rejected = {int(row) for table, row in then.rejected if table == "data_pencatatan"}
        assert {row["id"] for row in given.readings} == rejected | then.transactions.keys()
        assert not rejected & then.transactions.keys()
        assert set(then.rejected.values()) <= REASONS.keys()


def test_every_reason_has_a_scenario() -> None:
    assert {reason for scenario in SCENARIOS for reason in scenario.then.rejected.values()} == REASONS.keys()


def test_every_column_has_a_scenario() -> None:
    """A scenario may leave out a column of its transactions, but some scenario states each column."""
    transactions = [row for scenario in SCENARIOS for row in scenario.then.transactions.values()]
    stated = {name for row in transactions for name, value in vars(row).items() if value is not ANY}
    assert stated == Transaction.__dataclass_fields__.keys(), "add the column to a scenario"


def _assert_equal(found: Ledger, expected: Ledger) -> None:
    """Compare table by table, so that a failure shows the row."""
    assert found.transactions == expected.transactions
    assert found.balances == expected.balances
    assert found.rejected == expected.rejected
