"""The running server: `X-Forwarded-For` and `-Proto` count only from trusted proxies."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx2
import pytest
import uvicorn

from ledger_pipelines.serving.app import uvicorn_config
from ledger_pipelines.serving.web.address import api_url, is_ready
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.support.servers import free_port
from ledger_pipelines_tests.support.serving.api import ApiUnderTest
from ledger_pipelines_tests.support.tables import newest_audit_entry
from ledger_pipelines_tests.support.waiting import wait_until

FORWARDED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """Run the server in a thread; yield its URL."""
    server = uvicorn.Server(uvicorn_config(settings))
    thread = Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: is_ready(settings))
        yield api_url(settings)
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.mark.parametrize(
    ("proxies", "address", "scheme"),
    [(None, "127.0.0.1", "http"), ("127.0.0.0/8", "203.0.113.7", "https"), ("10.0.0.1", "127.0.0.1", "http")],
)
def test_forwarded_headers(api: ApiUnderTest, proxies: str | None, address: str, scheme: str) -> None:
    settings = api.settings.model_copy(update={"api_port": free_port(), "api_trusted_proxies": proxies})
    with running(settings) as root:
        response = httpx2.post(f"{root}/api/sync/cancel", headers=FORWARDED)
    assert response.status_code == 401
    assert ("Strict-Transport-Security" in response.headers) == (scheme == "https")
    assert "server" not in response.headers
    assert newest_audit_entry(api.warehouse).address == address


def test_is_ready_without_a_server(api: ApiUnderTest) -> None:
    assert not is_ready(api.settings.model_copy(update={"api_port": free_port()}))
