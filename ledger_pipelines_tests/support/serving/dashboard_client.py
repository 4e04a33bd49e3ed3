"""Client of the dashboard without a browser: requests pages, fills in forms."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import sqlalchemy as sa
from httpx2 import Response
from starlette.testclient import TestClient

from ledger_pipelines.serving.dashboard.pages.registration import page_routers
from ledger_pipelines.serving.dashboard.routes import GuardedPage
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, Callers

_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
_INVISIBLE = re.compile(r"<script type=\"application/json\".*?</script>|<style.*?</style>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_WHITESPACE = re.compile(r"[ \t\r\n]+")


def visible_text(page: Response) -> str:
    """Return the visible text of a page, without tags and chart data, with runs of whitespace collapsed."""
    return _WHITESPACE.sub(" ", unescape(_TAG.sub(" ", _INVISIBLE.sub("", page.text))))


def guarded_paths(method: str) -> list[str]:
    """Return the paths of pages that require a login, with their parameters in braces."""
    routes = [route for router in page_routers() for route in router.routes if isinstance(route, GuardedPage)]
    return [route.path for route in routes if method in (route.methods or ())]


@dataclass
class DashboardClient:
    """Client with the cookies and forms of one browser."""

    api: ApiUnderTest
    client: TestClient
    language: str = "en"

    @property
    def callers(self) -> Callers:
        """One token of each kind."""
        return self.api.callers

    @property
    def warehouse(self) -> sa.Engine:
        """Engine of the warehouse that the pages show."""
        return self.api.warehouse

    def get(self, path: str, **options: Any) -> Response:
        """Request a page without following redirects."""
        headers = {"Accept-Language": self.language, **options.pop("headers", {})}
        return self.client.get(path, headers=headers, follow_redirects=False, **options)

    def form_token(self, path: str) -> str:
        """Return the form token of a page."""
        found = _FORM_TOKEN.search(self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def post(self, path: str, fields: Mapping[str, Any] | None = None, *, page: str = "/") -> Response:
        """Fill in a form of `page` and post it to `path`."""
        form = {"form_token": self.form_token(page), **(fields or {})}
        return self.client.post(path, data=form, headers={"Accept-Language": self.language}, follow_redirects=False)

    def log_in(self, token: str, next_path: str = "/") -> Response:
        """Log in with an access token."""
        return self.post("/login", {"token": token, "next": next_path}, page="/login")


@contextmanager
def open_dashboard_client(
    api: ApiUnderTest, token: str | None = None, language: str = "en", address: str = "testclient"
) -> Iterator[DashboardClient]:
    """Yield a client with its own cookies at a network address; logged in if a token is given."""
    client = TestClient(api.client.app, raise_server_exceptions=False, client=(address, 50000))
    dashboard = DashboardClient(api, client, language)
    if token is not None:
        assert dashboard.log_in(token).status_code == 303
    yield dashboard
