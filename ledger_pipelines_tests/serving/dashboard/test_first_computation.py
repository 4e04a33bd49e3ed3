"""Pages of an installation without an ERP whose ledger has never been computed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from starlette.testclient import TestClient

from ledger_pipelines.serving.app import create_app
from ledger_pipelines.serving.dashboard.translations import CATALOGUE
from ledger_pipelines.serving.dashboard.translations.formats import LANGUAGES
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.support.servers import fresh_warehouse
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, running_api
from ledger_pipelines_tests.support.serving.dashboard_client import DashboardClient, open_dashboard_client, visible_text

OWN_BILLING_URL = SecretStr("mysql+pymysql://reader:hush@127.0.0.1:1/billing")
CHECK, COMPUTE = "ledger billing test-connection", "ledger balance initialize --all"


@pytest.fixture(scope="module")
def warehouse(embedded_url: sa.URL) -> Iterator[SecretStr]:
    """Yield the URL of a warehouse without computed data."""
    with fresh_warehouse(embedded_url) as url:
        yield SecretStr(url.render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def uncomputed_api(warehouse: SecretStr) -> Iterator[ApiUnderTest]:
    """Yield the application on that warehouse, with a billing application that is not the demo's, and no ERP."""
    with running_api(Settings(warehouse_url=warehouse, billing_url=OWN_BILLING_URL)) as made:
        yield made


@pytest.fixture(params=LANGUAGES)
def uncomputed(request: pytest.FixtureRequest, uncomputed_api: ApiUnderTest) -> Iterator[DashboardClient]:
    """Yield a client of an administrator, in each language."""
    with open_dashboard_client(uncomputed_api, uncomputed_api.callers.admin, request.param) as dashboard:
        yield dashboard


def text(dashboard: DashboardClient, key: str) -> str:
    """Return a text in the client's language, up to its first placeholder."""
    return CATALOGUE[key][dashboard.language == "id"].partition("{")[0]


@pytest.mark.parametrize("path", ["/", "/customers"])
def test_commands_are_shown_in_order(uncomputed: DashboardClient, path: str) -> None:
    page = visible_text(uncomputed.get(path))
    assert text(uncomputed, "first.nothing_computed") in page
    assert text(uncomputed, "first.own") in page
    assert page.index(CHECK) < page.index(COMPUTE)
    assert "demo" not in page


def test_overview_shows_no_year_and_no_current_state(uncomputed: DashboardClient) -> None:
    page = visible_text(uncomputed.get("/"))
    assert text(uncomputed, "overview.no_balances") not in page
    assert text(uncomputed, "overview.realtime_current") not in page
    assert text(uncomputed, "overview.realtime_never") in page


@pytest.mark.parametrize("path", ["/", "/customers"])
def test_demo_is_computed_by_its_first_start(uncomputed_api: ApiUnderTest, warehouse: SecretStr, path: str) -> None:
    settings = Settings(warehouse_url=warehouse)
    with TestClient(create_app(settings)) as client:
        demo = replace(uncomputed_api, client=client, settings=settings)
        with open_dashboard_client(demo, demo.callers.viewer) as dashboard:
            page = visible_text(dashboard.get(path))
    assert text(dashboard, "first.demo") in page
    assert COMPUTE in page
    assert CHECK not in page


@pytest.mark.parametrize("path", ["/", "/syncs", "/invoices"])
def test_pages_without_an_erp_offer_no_sync(uncomputed: DashboardClient, path: str) -> None:
    page = visible_text(uncomputed.get(path))
    assert text(uncomputed, "sync.no_erp") in page
    keys = ("overview.never_synced", "sync.start_now", "reconciliation.compare_now", "reconciliation.never_compared")
    assert not any(text(uncomputed, key) in page for key in keys)


@pytest.mark.parametrize("path", ["/", "/customers", "/syncs", "/invoices"])
def test_computed_ledger_with_erp_shows_no_hints(admin: DashboardClient, path: str) -> None:
    page = visible_text(admin.get(path))
    assert text(admin, "first.nothing_computed") not in page
    assert text(admin, "sync.no_erp") not in page
