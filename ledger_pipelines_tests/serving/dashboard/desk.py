"""The dashboard as somebody sees it without a browser: pages asked for, forms filled in."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import sqlalchemy as sa
from httpx2 import Response
from starlette.testclient import TestClient

from ledger_pipelines.serving.dashboard.mount import ROUTERS
from ledger_pipelines.serving.dashboard.shell import GuardedPage
from ledger_pipelines_tests.serving.api.apis import Api, Callers

_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
_HIDDEN = re.compile(r"<script type=\"application/json\".*?</script>|<style.*?</style>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_BLANKS = re.compile(r"[ \t\r\n]+")


def text_of(page: Response) -> str:
    """What one reads of a page, tags and figures of charts left out, runs of blanks as one."""
    return _BLANKS.sub(" ", unescape(_TAG.sub(" ", _HIDDEN.sub("", page.text))))


def guarded_paths(method: str) -> list[str]:
    """The addresses of pages for who is logged in, with their parameters in braces."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, GuardedPage)]
    return [route.path for route in routes if method in (route.methods or ())]


@dataclass
class Desk:
    """Somebody's browser, as far as cookies and forms go."""

    api: Api
    client: TestClient
    language: str = "en"

    @property
    def callers(self) -> Callers:
        """A token of each kind."""
        return self.api.callers

    @property
    def warehouse(self) -> sa.Engine:
        """What the pages tell of."""
        return self.api.warehouse

    def get(self, path: str, **options: Any) -> Response:
        """Ask for a page; no redirect is followed."""
        headers = {"Accept-Language": self.language, **options.pop("headers", {})}
        return self.client.get(path, headers=headers, follow_redirects=False, **options)

    def form_token(self, path: str) -> str:
        """What the forms of a page carry."""
        found = _FORM_TOKEN.search(self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def post(self, path: str, fields: Mapping[str, Any] | None = None, *, page: str = "/") -> Response:
        """Fill in a form of a page and send it."""
        sent = {"form_token": self.form_token(page), **(fields or {})}
        return self.client.post(path, data=sent, headers={"Accept-Language": self.language}, follow_redirects=False)

    def log_in(self, token: str, next_path: str = "/") -> Response:
        """Log in with a token."""
        return self.post("/login", {"token": token, "next": next_path}, page="/login")


@contextmanager
def new_desk(api: Api, token: str | None = None, language: str = "en", address: str = "testclient") -> Iterator[Desk]:
    """A browser of its own at an address; logged in, if a token is given."""
    client = TestClient(api.client.app, raise_server_exceptions=False, client=(address, 50000))
    desk = Desk(api, client, language)
    if token is not None:
        assert desk.log_in(token).status_code == 303
    yield desk
