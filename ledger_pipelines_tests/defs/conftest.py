"""Fixtures of the tests of definitions: a code location over its own databases, and sensors that poll only once."""

from collections.abc import Iterator

import pytest

from ledger_pipelines.defs.automation import realtime
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.code_location import CodeLocation, new_code_location


@pytest.fixture(scope="module")
def location(shared_pipeline: Pipeline) -> Iterator[CodeLocation]:
    """Yield a code location over the module's databases, with an ephemeral instance."""
    with new_code_location(shared_pipeline) as made:
        yield made


@pytest.fixture
def single_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ticks and real-time runs poll only once."""
    monkeypatch.setattr(realtime, "TICK_SECONDS", 0)
    monkeypatch.setattr(realtime, "IDLE_TIMEOUT_SECONDS", 0)
