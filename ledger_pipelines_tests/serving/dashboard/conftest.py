"""Fixtures: the dashboard on the computed small demo, for users of each role."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.serving.conftest import Installation
from ledger_pipelines_tests.support.serving.api import Api, new_api
from ledger_pipelines_tests.support.serving.dashboard_client import Desk, new_desk


@pytest.fixture(scope="module")
def application(computed: Installation) -> Iterator[Api]:
    """Yield the application for the tests of a module, with its own tokens."""
    with new_api(computed.settings) as made:
        yield made


@pytest.fixture
def anonymous(application: Api) -> Iterator[Desk]:
    """Yield a client without a login."""
    with new_desk(application) as dashboard:
        yield dashboard


@pytest.fixture
def viewer(application: Api) -> Iterator[Desk]:
    """Yield a client of a viewer."""
    with new_desk(application, application.callers.viewer) as dashboard:
        yield dashboard


@pytest.fixture
def admin(application: Api) -> Iterator[Desk]:
    """Yield a client of an administrator."""
    with new_desk(application, application.callers.admin) as dashboard:
        yield dashboard
