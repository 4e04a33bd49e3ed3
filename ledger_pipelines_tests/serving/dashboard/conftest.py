"""The dashboard on the small demo that is computed, and who looks at it."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.serving.api.apis import Api, new_api
from ledger_pipelines_tests.serving.conftest import Installation
from ledger_pipelines_tests.serving.dashboard.desk import Desk, new_desk


@pytest.fixture(scope="module")
def application(computed: Installation) -> Iterator[Api]:
    """The application for the tests of a module, with tokens of its own."""
    with new_api(computed.settings) as made:
        yield made


@pytest.fixture
def stranger(application: Api) -> Iterator[Desk]:
    """Somebody who is not logged in."""
    with new_desk(application) as desk:
        yield desk


@pytest.fixture
def viewer(application: Api) -> Iterator[Desk]:
    """Somebody who may read."""
    with new_desk(application, application.callers.viewer) as desk:
        yield desk


@pytest.fixture
def admin(application: Api) -> Iterator[Desk]:
    """Somebody who may act."""
    with new_desk(application, application.callers.admin) as desk:
        yield desk
