"""The server's process: uvicorn, with what the settings say."""

import sys

import uvicorn

from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.settings import Settings

_SWITCH_SECONDS = 0.0005
#: Longer than proxies and clients keep theirs: whoever closes first must not be the one who is just being asked.
_KEEP_SECONDS = 75


def config_of(settings: Settings) -> uvicorn.Config:
    """How the server is run: headers of proxies count only where the settings trust them, nothing tells what it is."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        access_log=False,  # acts are in the audit log, numbers in the metrics
        timeout_keep_alive=_KEEP_SECONDS,
        timeout_graceful_shutdown=5,
    )


def serve(settings: Settings) -> None:
    """Answer requests until a signal to end."""
    # The loop that reads requests and sends answers must not wait 5 ms for each thread that is at work on one.
    sys.setswitchinterval(_SWITCH_SECONDS)
    uvicorn.Server(config_of(settings)).run()
