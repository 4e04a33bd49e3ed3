"""Chromium of this machine, for tests in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from ledger_pipelines_tests.support.servers import require_chromium

PATIENCE_MS = 120_000
# Without a sandbox because tests may run as root; the other flags prevent requests to anything but our pages.
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def running_chromium(*flags: str) -> Iterator[Browser]:
    """Yield a browser with additional flags."""
    path = require_chromium()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *flags])
        yield chromium
        chromium.close()
