"""Fixtures: the dashboard on the computed small demo, for users of each role."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.support.serving.api import ApiUnderTest
from ledger_pipelines_tests.support.serving.dashboard_client import DashboardClient, open_dashboard_client


@pytest.fixture
def anonymous(api: ApiUnderTest) -> Iterator[DashboardClient]:
    """Yield a client without a login."""
    with open_dashboard_client(api) as dashboard:
        yield dashboard


@pytest.fixture
def viewer(api: ApiUnderTest) -> Iterator[DashboardClient]:
    """Yield a client of a viewer."""
    with open_dashboard_client(api, api.callers.viewer) as dashboard:
        yield dashboard


@pytest.fixture
def admin(api: ApiUnderTest) -> Iterator[DashboardClient]:
    """Yield a client of an administrator."""
    with open_dashboard_client(api, api.callers.admin) as dashboard:
        yield dashboard
