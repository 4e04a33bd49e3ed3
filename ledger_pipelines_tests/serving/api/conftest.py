"""An API on the small demo that is computed."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.serving.api.apis import Api, new_api
from ledger_pipelines_tests.serving.conftest import Installation


@pytest.fixture(scope="module")
def api(computed: Installation) -> Iterator[Api]:
    """An API for the tests of a module, with tokens of its own."""
    with new_api(computed.settings) as made:
        yield made
