"""The FastAPI application with all routes and middleware; it opens no connection before the first request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from ledger_pipelines.serving.api import balance, health, metrics, reconciliation, sync
from ledger_pipelines.serving.api.metrics import MetricsMiddleware, PipelineCollector, RequestMetrics
from ledger_pipelines.serving.dashboard.pages.registration import register_dashboard
from ledger_pipelines.serving.web import errors
from ledger_pipelines.serving.web.context import AppContext, create_context
from ledger_pipelines.serving.web.middleware import BodyLimitMiddleware, OutermostMiddleware
from ledger_pipelines.settings import Settings

_DESCRIPTION = "Monthly customer balances of a gas distributor, their reconciliation, and the syncs of its ERP."
_BEARER = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "API token, created with `ledger token create`"}
}


def create_app(settings: Settings, context: AppContext | None = None) -> FastAPI:
    """Create the application.

    Args:
        settings: The installation's settings.
        context: Use these engines, limits and caches instead of creating them from the settings.
    """
    app_context = context or create_context(settings)

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
    app.state.parts = app_context
    request_metrics = RequestMetrics()
    request_metrics.registry.register(PipelineCollector(app_context))
    app.state.metrics = request_metrics
    for module in (balance, reconciliation, sync, health, metrics):
        app.include_router(module.router)
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
