"""Fixtures of the tests of the ledger."""

import pytest

from ledger_pipelines_tests.support.billing_pipeline import Pipeline


@pytest.fixture
def ledger(shared_pipeline: Pipeline) -> Pipeline:
    """Return the module's pipeline with an empty warehouse and three months."""
    shared_pipeline.reset("2025-01", "2025-03")
    return shared_pipeline
