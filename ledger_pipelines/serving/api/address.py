"""Where the API of some settings is, and whether it answers; for whoever starts it or points at it."""

import urllib.error
import urllib.request

from ledger_pipelines.serving.web_ui import reached_by
from ledger_pipelines.settings import Settings

_TIMEOUT_SECONDS = 5


def address_of(settings: Settings) -> str:
    """Its address, reached from this machine, whether it runs or not."""
    return f"http://{reached_by(settings.api_host)}:{settings.api_port}"


def is_ready(settings: Settings) -> bool:
    """Whether it answers requests."""
    try:
        with urllib.request.urlopen(  # noqa: S310 - the address is our own and of http
            f"{address_of(settings)}/health/ready", timeout=_TIMEOUT_SECONDS
        ) as answer:
            return bool(answer.status == 200)
    except OSError:  # not there yet, or not ready
        return False
