"""The dashboard of a running `ledger up` in a real browser: main workflows and accessibility."""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from ledger_pipelines.horizon import month_of
from ledger_pipelines.serving.dagster.graphql import dagster_graphql_from_settings
from ledger_pipelines.serving.dashboard.translations.formats import Formats
from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.open_incidents import FAILED, REFUSED, temporary_incidents
from ledger_pipelines_tests.support.serving.blocked_syncs import LINES, count_sync_sessions, locked_invoice_lines
from ledger_pipelines_tests.support.serving.chromium import PATIENCE_MS, running_chromium
from ledger_pipelines_tests.support.serving.dashboard_client import guarded_paths
from ledger_pipelines_tests.support.serving.running_up import RunningUp, new_running_up, run_statuses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_SERIOUS = ("error", "warning")
WIDTHS = {"desktop": 1280, "phone": 390}
CUSTOMER = 11


@pytest.fixture(scope="module")
def up() -> Iterator[RunningUp]:
    """Yield a `ledger up` that has computed the demo's ledger and copied its ERP."""
    with new_running_up() as running:
        running.wait_for_output("is being copied")
        graphql = dagster_graphql_from_settings(running.installation.settings)
        running.wait_until(lambda: run_statuses(graphql)[-2:] == ["SUCCESS", "SUCCESS"])
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield the Chromium of this machine."""
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def page(request: pytest.FixtureRequest, up: RunningUp, browser: Browser) -> Iterator[Page]:
    """Yield a logged-in window of the requested width; fail on console errors and warnings."""
    width = WIDTHS[getattr(request, "param", "desktop")]
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        base_url=api_url(up.installation.settings),
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_MS)
    console_errors: list[str] = []
    window = context.new_page()
    window.on("console", lambda message: console_errors.append(message.text) if message.type in _SERIOUS else None)
    window.on("pageerror", lambda error: console_errors.append(str(error)))
    window.goto("/")
    window.get_by_label("Access token").fill(up.first_token())
    window.get_by_role("button", name="Log in").click()
    expect(window.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    yield window
    assert console_errors == []
    context.close()


def balance_in_english(up: RunningUp) -> str:
    """Return the customer's balance in the current month, formatted as on the page."""
    of = monthly_customer_balances.c
    with up.installation.warehouse() as connection:
        balance: Decimal = connection.execute(
            sa.select(of.closing_balance).where(
                of.customer_id == CUSTOMER, of.year_month == month_of(datetime.now(WIB), WIB)
            )
        ).scalar_one()
    return Formats("en", WIB).rupiah(balance)


def test_customer_is_found_and_recalculated(up: RunningUp, page: Page) -> None:
    with up.installation.warehouse() as connection:
        name = connection.scalar(sa.select(customers.c.name).where(customers.c.customer_id == CUSTOMER))
    page.get_by_role("link", name="Customers", exact=True).click()
    expect(page.get_by_label("Name, number or contract number")).to_be_focused()
    page.keyboard.type(str(name).lower())
    page.keyboard.press("Enter")
    page.get_by_role("link", name=str(name)).first.click()
    expect(page.get_by_role("heading", level=1, name=str(name))).to_be_visible()
    expect(page.locator(".figures dd").first).to_contain_text(balance_in_english(up))
    expect(page.locator(".plot .main-svg").first).to_be_attached()

    right = balance_in_english(up)
    with up.installation.warehouse() as connection:
        of = monthly_customer_balances.c
        connection.execute(
            sa.update(monthly_customer_balances)
            .where(of.customer_id == CUSTOMER, of.year_month == month_of(datetime.now(WIB), WIB))
            .values(closing_balance=of.closing_balance + 1)
        )
    page.reload()
    expect(page.locator(".figures dd").first).not_to_contain_text(right)
    page.get_by_label("From month").select_option(index=1)
    page.get_by_role("button", name="Recalculate now").click()
    expect(page.get_by_role("status").filter(has_text="The recalculation is done.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name=re.compile("^Run .* in Dagster$"))).to_be_visible()
    expect(page.locator(".figures dd").first).to_contain_text(right)

    page.locator("tbody th a").first.click()
    reading = page.locator(".explanation").first
    reading.locator("summary").click()
    expect(reading.locator(".formula").last).to_contain_text("= Rp")


def test_syncs_are_started_and_cancelled(up: RunningUp, page: Page) -> None:
    page.get_by_role("link", name="ERP syncs").first.click()
    page.get_by_label(LINES.name).check()
    page.get_by_role("button", name="Start now").click()
    expect(page).to_have_url(re.compile(r"/syncs/\d+$"))
    expect(page.locator(".facts .badge")).to_have_text("Completed", timeout=PATIENCE_MS)
    expect(page.get_by_role("row", name=re.compile(LINES.name))).to_contain_text("Completed")

    with locked_invoice_lines(up.installation):
        page.get_by_role("link", name="ERP syncs").first.click()
        page.get_by_label(LINES.name).check()
        page.get_by_role("button", name="Start now").click()
        up.wait_until(lambda: count_sync_sessions(up.installation) > 0)
        expect(page.get_by_role("row", name=re.compile(LINES.name))).to_contain_text("Running")
        page.get_by_role("button", name="Cancel this sync").click()
        expect(page.locator(".facts .badge")).to_have_text("Cancelled", timeout=PATIENCE_MS)


def test_refused_deletion_is_confirmed(up: RunningUp, page: Page) -> None:
    with up.installation.warehouse() as warehouse, temporary_incidents(warehouse, REFUSED):
        page.reload()
        page.get_by_role("button", name="Confirm this deletion").click()
        expect(page.get_by_role("article").filter(has_text=REFUSED.reason)).to_contain_text("Confirmed by first-admin")


def test_language_is_switched(page: Page) -> None:
    page.get_by_role("link", name="Bahasa Indonesia").click()
    expect(page.get_by_role("heading", level=1, name="Ikhtisar")).to_be_visible()
    page.get_by_role("link", name="Pelanggan", exact=True).click()
    expect(page.get_by_role("button", name="Cari")).to_be_visible()
    page.get_by_role("button", name="Keluar").click()
    expect(page.get_by_role("heading", level=1, name="Masuk")).to_be_visible()


def test_skip_link_works(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("page", WIDTHS, indirect=True)
def test_every_page_is_accessible(up: RunningUp, page: Page) -> None:
    """Check axe-core's rules, sideways scrolling, and the contrast in light and dark mode, with open incidents."""
    with up.installation.warehouse() as warehouse, temporary_incidents(warehouse, REFUSED, FAILED):
        assert_every_page_is_accessible(page)


def assert_every_page_is_accessible(page: Page) -> None:
    """Check every page."""
    month = month_of(datetime.now(WIB), WIB)
    paths = [path for path in guarded_paths("GET") if not path.startswith("/fragments/")]
    paths = [path.replace("{id}", str(CUSTOMER) if "customers" in path else "1") for path in paths]
    assert "/syncs/1" in paths
    found: dict[str, list[tuple[str, str]]] = {}
    for path in [*(path.replace("{month}", month) for path in paths), "/customers?q=PT"]:
        page.emulate_media(color_scheme="light")
        page.goto(path)
        if (details := page.locator(".explanation summary")).count():
            details.first.click()
        found[path] = violations_of(page)
        page.emulate_media(color_scheme="dark")
        found[path] += violations_of(page, runOnly=["color-contrast"])
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth"), path
    assert {path: of_page for path, of_page in found.items() if of_page} == {}


def violations_of(page: Page, **options: object) -> list[tuple[str, str]]:
    """Return axe-core's violations on a page: rule and element."""
    violations = Axe().run(page, options=dict(options)).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in violations]
