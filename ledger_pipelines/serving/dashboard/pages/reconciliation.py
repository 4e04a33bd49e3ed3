"""Pages of reconciliations: balances against the application's totals, purchases against the ERP's invoices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.dashboard.dagster_state import RunState, fetch_run_state
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, PageNumber, build_path
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.request_context import RequestContext
from ledger_pipelines.serving.dashboard.routes import GuardedPage, RequestContextDep
from ledger_pipelines.serving.reconciliation import COMPARISON, INVOICES
from ledger_pipelines.serving.web import commands
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.queries.reconciliation.comparison import balance_comparison
from ledger_pipelines.warehouse.queries.reconciliation.invoices import (
    SELECTIONS,
    invoice_months,
    invoice_reconciliation,
    invoice_summary,
)

router = APIRouter(route_class=GuardedPage)
_COMPARISON_NAV = NavEntry(7, "/comparison", "reconciliation.nav_comparison")
_INVOICES_NAV = NavEntry(8, "/invoices", "reconciliation.nav_invoices")
_FilterValue = Annotated[str, Query(max_length=20)]
_ALL = "all"
_DAGSTER_SECONDS = 2.0


@router.get("/comparison")
def comparison(
    context: RequestContextDep, number: PageNumber = 1, show: _FilterValue = "", run: UUID | None = None
) -> Response:
    """Show balances against the billing application's totals: mismatches only, or all."""
    only_mismatches, requested_run = show != _ALL, _requested_run(context, run)
    with context.app_context.snapshot() as connection:
        summary = context.app_context.cached_comparison_summary(connection)
        rows = balance_comparison(
            connection, only_mismatches=only_mismatches, limit=PER_PAGE, offset=page_offset(number, PER_PAGE)
        )
    total = summary.mismatching if only_mismatches else summary.total_customers
    return render_page(
        context,
        "comparison.html",
        nav_entry=_COMPARISON_NAV,
        run=requested_run,
        summary=summary,
        rows=ResultPage(rows, number, PER_PAGE, total),
        only_mismatches=only_mismatches,
        page_path=lambda to: build_path("/comparison", show=show, page=to),
    )


@router.get("/invoices")
def invoices(
    context: RequestContextDep,
    number: PageNumber = 1,
    month: _FilterValue = "",
    show: _FilterValue = "",
    run: UUID | None = None,
) -> Response:
    """Show a month's purchases against the ERP's invoices: mismatches only, or all."""
    statuses, requested_run = SELECTIONS[_ALL if show == _ALL else "mismatches"], _requested_run(context, run)
    with context.app_context.snapshot() as connection:
        months = invoice_months(connection)
        wanted = month if month in months else max(months, default="")
        summary = invoice_summary(connection, wanted)
        rows = invoice_reconciliation(
            connection, wanted, statuses=statuses, limit=PER_PAGE, offset=page_offset(number, PER_PAGE)
        )
    unknown = bool(months) and month not in ("", wanted)
    return render_page(
        context,
        "invoices.html",
        nav_entry=_INVOICES_NAV,
        fault=context.translate("reconciliation.no_such_month", asked=month) if unknown else None,
        run=requested_run,
        months=months,
        month=wanted,
        summary=summary,
        rows=ResultPage(rows, number, PER_PAGE, summary.count_with_status(statuses)),
        only_mismatches=show != _ALL,
        page_path=lambda to: build_path("/invoices", month=wanted, show=show, page=to),
    )


@router.post("/comparison")
def compare(context: RequestContextDep) -> Response:
    """Start a comparison of balances; the page shows the state of its run."""
    return _start(context, COMPARISON, _COMPARISON_NAV.path)


@router.post("/invoices")
def reconcile(context: RequestContextDep) -> Response:
    """Start a reconciliation of the invoices of all months; the page shows the state of its run."""
    return _start(context, INVOICES, _INVOICES_NAV.path)


def _start(context: RequestContext, name: str, path: str) -> Response:
    app_context = context.app_context
    run_id = commands.start_reconciliation(app_context.settings, name, app_context.horizon)
    return RedirectResponse(f"{path}?run={run_id}", 303)


def _requested_run(context: RequestContext, run: UUID | None) -> RunState | None:
    """Return the state of the run in the page's query; called before the results are read, which must not be older."""
    return None if run is None else fetch_run_state(context.app_context.settings, run, _DAGSTER_SECONDS)
