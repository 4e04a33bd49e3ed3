"""The API server: uvicorn, configured by the settings."""

import sys

import uvicorn

from ledger_pipelines.serving.app import create_app
from ledger_pipelines.settings import Settings

_THREAD_SWITCH_SECONDS = 0.0005
#: Longer than the keep-alive of proxies and clients: the server must not close a connection that is about to be used.
_KEEP_ALIVE_SECONDS = 75


def uvicorn_config(settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration: only trusted proxies' headers count, and no header names the server software."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        access_log=False,  # commands are in the audit log, request counts in the metrics
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
    )


def serve(settings: Settings) -> None:
    """Serve requests until a signal stops the process."""
    # By default the event loop would wait up to 5 ms for each thread that handles a request.
    sys.setswitchinterval(_THREAD_SWITCH_SECONDS)
    uvicorn.Server(uvicorn_config(settings)).run()
