"""Registration of the dashboard on the FastAPI application that also serves the API."""

from fastapi import FastAPI

from ledger_pipelines.serving.dashboard.cache import DashboardCache
from ledger_pipelines.serving.dashboard.pages import (
    customers,
    fragments,
    incidents,
    login,
    overview,
    reconciliation,
    records,
    syncs,
)
from ledger_pipelines.serving.dashboard.routes import answer_unknown_path

ROUTERS = (
    login.static_router,
    login.router,
    *(module.router for module in (overview, customers, syncs, incidents, records, reconciliation, fragments)),
)


def register_dashboard(app: FastAPI) -> None:
    """Register the pages, their cache and their handler of unknown paths.

    `app.state.context` must be set.
    """
    app.state.dashboard_cache = DashboardCache()
    for router in ROUTERS:
        app.include_router(router)
    for status in (404, 405):  # of paths without a route; pages raise and render their own 404s
        app.add_exception_handler(status, answer_unknown_path)
