"""Fixtures: an API on the small computed demo."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.serving.conftest import Installation
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, running_api


@pytest.fixture(scope="module")
def api(computed: Installation) -> Iterator[ApiUnderTest]:
    """API for the tests of a module, with its own tokens."""
    with running_api(computed.settings) as api_under_test:
        yield api_under_test
