"""Fixtures of the tests of loading."""

import pytest

from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.builders import CURRENT, FIRST


@pytest.fixture
def pipeline(shared_pipeline: Pipeline) -> Pipeline:
    """Return the module's pipeline with an empty warehouse."""
    shared_pipeline.reset(FIRST, CURRENT)
    return shared_pipeline
