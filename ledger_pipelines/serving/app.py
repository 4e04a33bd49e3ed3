"""The FastAPI application of API and dashboard, and its server: `python -m ledger_pipelines.serving.app`.

The only module that knows both; it opens no connection before the first request.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from ledger_pipelines.serving import api
from ledger_pipelines.serving.api.metrics import MetricsMiddleware, PipelineCollector, RequestMetrics
from ledger_pipelines.serving.dashboard.pages.registration import register_dashboard
from ledger_pipelines.serving.web import errors
from ledger_pipelines.serving.web.context import create_context
from ledger_pipelines.serving.web.discovery import declared_in
from ledger_pipelines.serving.web.middleware import BodyLimitMiddleware, OutermostMiddleware
from ledger_pipelines.settings import Settings, load_settings

_DESCRIPTION = "Monthly customer balances of a gas distributor, their reconciliation, and the syncs of its ERP."
_THREAD_SWITCH_SECONDS = 0.0005
#: Longer than the keep-alive of proxies and clients: the server must not close a connection that is about to be used.
_KEEP_ALIVE_SECONDS = 75
_BEARER = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "API token, created with `ledger token create`"}
}


def create_app(settings: Settings) -> FastAPI:
    """Create the application of an installation."""
    app_context = create_context(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        app_context.close()

    app = FastAPI(
        title="ledger_pipelines",
        version=version("ledger-pipelines"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from another origin
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.app_context = app_context
    request_metrics = RequestMetrics()
    request_metrics.registry.register(PipelineCollector(app_context))
    app.state.metrics = request_metrics
    for router in api_routers():
        app.include_router(router)
    register_dashboard(app)
    errors.add_exception_handlers(app)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(MetricsMiddleware, request_metrics)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(OutermostMiddleware)  # added last, so it handles requests first
    return app


def api_routers() -> list[APIRouter]:
    """Return the routers of the API, ordered by prefix."""
    return sorted(declared_in(api, APIRouter), key=lambda router: router.prefix)


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


if __name__ == "__main__":
    serve(load_settings())
