"""Fixtures of the tests of resources."""

from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Yield an ephemeral instance."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made
