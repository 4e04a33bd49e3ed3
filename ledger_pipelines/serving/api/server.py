"""The server's process: uvicorn, with what the settings say."""

import uvicorn

from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.settings import Settings


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
        timeout_graceful_shutdown=5,
    )


def serve(settings: Settings) -> None:
    """Answer requests until a signal to end."""
    uvicorn.Server(config_of(settings)).run()
