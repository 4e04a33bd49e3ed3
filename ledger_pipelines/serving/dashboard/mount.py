"""The dashboard put into the application, beside the API, in the same process."""

from fastapi import FastAPI

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
from ledger_pipelines.serving.dashboard.remembered import Remembered
from ledger_pipelines.serving.dashboard.shell import lost

ROUTERS = (
    login.static,
    login.router,
    *(module.router for module in (overview, customers, syncs, incidents, records, reconciliation, fragments)),
)


def add_dashboard(app: FastAPI) -> None:
    """Add the pages to an application that has the parts of the API."""
    app.state.remembered = Remembered()
    for router in ROUTERS:
        app.include_router(router)
    for status in (404, 405):  # of addresses that are none; others' 404s are answered where they arise
        app.add_exception_handler(status, lost)
