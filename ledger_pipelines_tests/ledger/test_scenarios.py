"""The product agrees with every scenario folder, before and after its change."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines_tests.scenarios.load import Scenario, load_scenarios
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, describe_differences, new_pipeline
from ledger_pipelines_tests.support.wide_billing_schema import metadata


@pytest.fixture(scope="module")
def shared_pipeline(embedded_url: sa.URL) -> Iterator[Pipeline]:
    """Yield a pipeline whose source columns have wider types than the ledger."""
    with new_pipeline(embedded_url, embedded_url, metadata) as pipeline:
        yield pipeline


@pytest.mark.parametrize("scenario", load_scenarios(), ids=lambda scenario: scenario.name)
def test_ledger_equals_the_scenario(shared_pipeline: Pipeline, scenario: Scenario) -> None:
    shared_pipeline.reset(scenario.first_month, scenario.current_month)
    shared_pipeline.fill(scenario.given)
    shared_pipeline.run()
    assert describe_differences(shared_pipeline.ledger(), scenario.then) == []
    if scenario.after is not None:
        shared_pipeline.horizon = type(shared_pipeline.horizon)(
            scenario.first_month, scenario.after.current_month, shared_pipeline.horizon.zone
        )
        shared_pipeline.fill(scenario.after.given)
        shared_pipeline.run()
        assert describe_differences(shared_pipeline.ledger(), scenario.after.then) == []
