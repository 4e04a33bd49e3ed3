"""The reconciliations: balances against the billing application's totals, purchases against the ERP's invoices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.api import acts
from ledger_pipelines.serving.dashboard.dagster_state import RunState, run_state
from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, Number, path_with
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited
from ledger_pipelines.serving.dashboard.visit import Visit
from ledger_pipelines.serving.reconciliation import COMPARISON, INVOICES
from ledger_pipelines.serving.web_ui import web_ui_of
from ledger_pipelines.warehouse.questions.comparison import balance_comparison
from ledger_pipelines.warehouse.questions.invoices import (
    SELECTIONS,
    invoice_months,
    invoice_reconciliation,
    invoice_summary,
)
from ledger_pipelines.warehouse.questions.paging import Paged, offset

router = APIRouter(route_class=GuardedPage)
_Choice = Annotated[str, Query(max_length=20)]
_ALL = "all"
_DAGSTER_SECONDS = 2.0


@router.get("/comparison")
def comparison(visit: Visited, number: Number = 1, show: _Choice = "", run: UUID | None = None) -> Response:
    """Balances against the billing application's own: those that do not match, or all."""
    only = show != _ALL
    with visit.parts.snapshot() as connection:
        summary = visit.parts.compared(connection)
        rows = balance_comparison(connection, only_mismatches=only, limit=PER_PAGE, offset=offset(number, PER_PAGE))
    total = summary.mismatches if only else summary.customers
    return page(
        visit,
        "comparison.html",
        here="comparison",
        run=_run(visit, run),
        summary=summary,
        rows=Paged(rows, number, PER_PAGE, total),
        only_mismatches=only,
        page_path=lambda to: path_with("/comparison", show=show, page=to),
    )


@router.get("/invoices")
def invoices(
    visit: Visited, number: Number = 1, month: _Choice = "", show: _Choice = "", run: UUID | None = None
) -> Response:
    """A month's purchases against the ERP's invoices: what does not match, or all."""
    statuses = SELECTIONS[_ALL if show == _ALL else "mismatches"]
    with visit.parts.snapshot() as connection:
        months = invoice_months(connection)
        wanted = month if month in months else max(months, default="")
        summary = invoice_summary(connection, wanted)
        rows = invoice_reconciliation(
            connection, wanted, statuses=statuses, limit=PER_PAGE, offset=offset(number, PER_PAGE)
        )
    unknown = bool(months) and month not in ("", wanted)
    return page(
        visit,
        "invoices.html",
        here="invoices",
        fault=visit.words("reconciliation.no_such_month", asked=month) if unknown else None,
        run=_run(visit, run),
        months=months,
        month=wanted,
        summary=summary,
        rows=Paged(rows, number, PER_PAGE, summary.having(statuses)),
        only_mismatches=show != _ALL,
        page_path=lambda to: path_with("/invoices", month=wanted, show=show, page=to),
    )


@router.post("/comparison")
def compare(visit: Visited) -> Response:
    """Compare balances now; how that goes is shown on the page."""
    return _started("/comparison", acts.reconcile(visit.parts.settings, COMPARISON, visit.parts.horizon))


@router.post("/invoices")
def reconcile(visit: Visited) -> Response:
    """Compare the invoices of all months now; how that goes is shown on the page."""
    return _started("/invoices", acts.reconcile(visit.parts.settings, INVOICES, visit.parts.horizon))


def _started(path: str, run_id: str) -> Response:
    return RedirectResponse(f"{path}?run={run_id}", 303)


def _run(visit: Visit, run: UUID | None) -> RunState | None:
    """How the run is getting on that somebody has just asked for."""
    web_ui = web_ui_of(visit.parts.settings, timeout_seconds=_DAGSTER_SECONDS)
    return None if run is None else run_state(web_ui, run)
