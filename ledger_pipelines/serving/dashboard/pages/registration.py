"""Registration of the dashboard on the FastAPI application that also serves the API."""

from fastapi import APIRouter, FastAPI

from ledger_pipelines.serving.dashboard import pages
from ledger_pipelines.serving.dashboard.cache import DashboardCache
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.routes import answer_unknown_path
from ledger_pipelines.serving.web.discovery import declared_in


def page_routers() -> list[APIRouter]:
    """Return the routers of all pages."""
    return declared_in(pages, APIRouter)


def register_dashboard(app: FastAPI) -> None:
    """Register the pages, their navigation, their cache and their handler of unknown paths.

    `app.state.app_context` must be set.
    """
    app.state.dashboard_cache = DashboardCache()
    app.state.navigation = sorted(declared_in(pages, NavEntry))
    for router in page_routers():
        app.include_router(router)
    for status in (404, 405):  # of paths without a route; pages raise and render their own 404s
        app.add_exception_handler(status, answer_unknown_path)
