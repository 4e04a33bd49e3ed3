"""Address of the API, and whether it is ready."""

import urllib.error
import urllib.request

from ledger_pipelines.serving.dagster.graphql import connectable_host
from ledger_pipelines.settings import Settings

_TIMEOUT_SECONDS = 5


def api_url(settings: Settings) -> str:
    """Return the API's URL as reached from this machine, whether the API runs or not."""
    return f"http://{connectable_host(settings.api_host)}:{settings.api_port}"


def is_ready(settings: Settings) -> bool:
    """Return whether the API's readiness check succeeds."""
    try:
        with urllib.request.urlopen(  # noqa: S310 - the address is our own and of http
            f"{api_url(settings)}/health/ready", timeout=_TIMEOUT_SECONDS
        ) as response:
            return bool(response.status == 200)
    except OSError:  # not started, or not ready
        return False
