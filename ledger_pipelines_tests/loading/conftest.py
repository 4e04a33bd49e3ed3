"""Fixtures of the tests of loading."""

import pytest

from ledger_pipelines_tests.loading.rows import CURRENT, FIRST
from ledger_pipelines_tests.pipeline import Pipeline


@pytest.fixture
def pipeline(shared_pipeline: Pipeline) -> Pipeline:
    """Return the module's pipeline with an empty warehouse."""
    shared_pipeline.reset(FIRST, CURRENT)
    return shared_pipeline
