"""The reconciliations: balances against the billing application's totals, purchases against the ERP's invoices."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, Number, path_with
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited
from ledger_pipelines.warehouse.questions.paging import Paged, offset
from ledger_pipelines.warehouse.reconciliation import (
    SELECTIONS,
    balance_comparison,
    invoice_months,
    invoice_reconciliation,
    invoice_summary,
)

router = APIRouter(route_class=GuardedPage)
_Choice = Annotated[str, Query(max_length=20)]
_ALL = "all"


@router.get("/comparison")
def comparison(visit: Visited, number: Number = 1, show: _Choice = "") -> Response:
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
        summary=summary,
        rows=Paged(rows, number, PER_PAGE, total),
        only_mismatches=only,
        page_path=lambda to: path_with("/comparison", show=show, page=to),
    )


@router.get("/invoices")
def invoices(visit: Visited, number: Number = 1, month: _Choice = "", show: _Choice = "") -> Response:
    """A month's purchases against the ERP's invoices: what does not match, or all."""
    statuses = SELECTIONS[_ALL if show == _ALL else "mismatches"]
    with visit.parts.snapshot() as connection:
        months = invoice_months(connection)
        wanted = month if month in months else max(months, default="")
        summary = invoice_summary(connection, wanted)
        rows = invoice_reconciliation(
            connection, wanted, statuses=statuses, limit=PER_PAGE, offset=offset(number, PER_PAGE)
        )
    return page(
        visit,
        "invoices.html",
        here="invoices",
        months=months,
        month=wanted,
        summary=summary,
        rows=Paged(rows, number, PER_PAGE, summary.having(statuses)),
        only_mismatches=show != _ALL,
        page_path=lambda to: path_with("/invoices", month=wanted, show=show, page=to),
    )
