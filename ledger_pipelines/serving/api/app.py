"""The application: every part put together. Nothing is connected to before the first request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from ledger_pipelines.serving.api import balance, errors, health, metrics, reconciliation, sync
from ledger_pipelines.serving.api.metrics import Measured, Metrics, PipelineCollector
from ledger_pipelines.serving.api.middleware import BoundedBody, Outermost
from ledger_pipelines.serving.api.parts import Parts, parts_of
from ledger_pipelines.serving.dashboard.mount import add_dashboard
from ledger_pipelines.settings import Settings

_DESCRIPTION = "Customer balances of a gas distributor, month by month, and the syncs of its ERP."
_BEARER = {"bearer": {"type": "http", "scheme": "bearer", "description": "A token of `ledger token create`"}}


def create_app(settings: Settings, parts: Parts | None = None) -> FastAPI:
    """The application of some settings.

    Args:
        settings: Where everything is.
        parts: What it is made of, if not of what the settings say.
    """
    made = parts or parts_of(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        made.close()

    app = FastAPI(
        title="ledger_pipelines",
        version=version("ledger-pipelines"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page loads from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.parts = made
    counting = Metrics()
    counting.registry.register(PipelineCollector(made))
    app.state.metrics = counting
    for module in (balance, reconciliation, sync, health, metrics):
        app.include_router(module.router)
    add_dashboard(app)
    errors.install(app)
    app.add_middleware(BoundedBody)
    app.add_middleware(Measured, counting)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Outermost)  # added last, so it sees requests first
    return app
