"""The pages of an installation whose ledger has never been computed, and of one without an ERP."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from starlette.testclient import TestClient

from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.serving.dashboard.formats import LANGUAGES
from ledger_pipelines.serving.dashboard.words import CATALOGUE
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.servers import fresh_warehouse
from ledger_pipelines_tests.serving.api.apis import Api, new_api
from ledger_pipelines_tests.serving.dashboard.desk import Desk, new_desk, text_of

OWN = SecretStr("mysql+pymysql://reader:hush@127.0.0.1:1/billing")
CHECK, COMPUTE = "ledger billing test-connection", "ledger balance initialize --all"


@pytest.fixture(scope="module")
def warehouse(embedded_url: sa.URL) -> Iterator[SecretStr]:
    """A warehouse in which nothing has been computed."""
    with fresh_warehouse(embedded_url) as url:
        yield SecretStr(url.render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def own_application(warehouse: SecretStr) -> Iterator[Api]:
    """The application over it, with a billing application of one's own and no ERP."""
    with new_api(Settings(warehouse_url=warehouse, billing_url=OWN)) as made:
        yield made


@pytest.fixture(params=LANGUAGES)
def own(request: pytest.FixtureRequest, own_application: Api) -> Iterator[Desk]:
    """An administrator, in each language."""
    with new_desk(own_application, own_application.callers.admin, request.param) as desk:
        yield desk


def said(desk: Desk, key: str) -> str:
    """A text in the language of a reader, up to what is filled in."""
    return CATALOGUE[key][desk.language == "id"].partition("{")[0]


@pytest.mark.parametrize("path", ["/", "/customers"])
def test_both_commands_are_named_in_their_order(own: Desk, path: str) -> None:
    page = text_of(own.get(path))
    assert said(own, "first.nothing_computed") in page
    assert said(own, "first.own") in page
    assert page.index(CHECK) < page.index(COMPUTE)
    assert "demo" not in page


def test_the_overview_shows_neither_an_empty_year_nor_that_all_is_up_to_date(own: Desk) -> None:
    page = text_of(own.get("/"))
    assert said(own, "overview.no_balances") not in page
    assert said(own, "overview.realtime_current") not in page
    assert said(own, "overview.realtime_never") in page


@pytest.mark.parametrize("path", ["/", "/customers"])
def test_of_the_demo_it_is_said_that_its_first_start_computes_it(
    own_application: Api, warehouse: SecretStr, path: str
) -> None:
    settings = Settings(warehouse_url=warehouse)
    with TestClient(create_app(settings)) as client:
        demo = replace(own_application, client=client, settings=settings)
        with new_desk(demo, demo.callers.viewer) as desk:
            page = text_of(desk.get(path))
    assert said(desk, "first.demo") in page
    assert COMPUTE in page
    assert CHECK not in page


@pytest.mark.parametrize("path", ["/", "/syncs", "/invoices"])
def test_where_there_is_no_erp_the_pages_say_so_and_offer_nothing_of_it(own: Desk, path: str) -> None:
    page = text_of(own.get(path))
    assert said(own, "sync.no_erp") in page
    keys = ("overview.never_synced", "sync.start_now", "reconciliation.compare_now", "reconciliation.never_compared")
    assert not any(said(own, key) in page for key in keys)


@pytest.mark.parametrize("path", ["/", "/customers", "/syncs", "/invoices"])
def test_with_a_computed_ledger_and_an_erp_nothing_of_that_is_said(admin: Desk, path: str) -> None:
    page = text_of(admin.get(path))
    assert said(admin, "first.nothing_computed") not in page
    assert said(admin, "sync.no_erp") not in page
