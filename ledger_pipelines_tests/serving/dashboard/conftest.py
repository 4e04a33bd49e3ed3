"""Fixtures: the dashboard on the computed small demo, for users of each role."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.support.serving.api import ApiUnderTest, running_api
from ledger_pipelines_tests.support.serving.dashboard_client import DashboardClient, open_dashboard_client
from ledger_pipelines_tests.support.serving.installation import Installation


@pytest.fixture(scope="module")
def application(computed: Installation) -> Iterator[ApiUnderTest]:
    """Yield the application for the tests of a module, with its own tokens."""
    with running_api(computed.settings) as made:
        yield made


@pytest.fixture
def anonymous(application: ApiUnderTest) -> Iterator[DashboardClient]:
    """Yield a client without a login."""
    with open_dashboard_client(application) as dashboard:
        yield dashboard


@pytest.fixture
def viewer(application: ApiUnderTest) -> Iterator[DashboardClient]:
    """Yield a client of a viewer."""
    with open_dashboard_client(application, application.callers.viewer) as dashboard:
        yield dashboard


@pytest.fixture
def admin(application: ApiUnderTest) -> Iterator[DashboardClient]:
    """Yield a client of an administrator."""
    with open_dashboard_client(application, application.callers.admin) as dashboard:
        yield dashboard
