"""/api/realtime-balance: stored results of the reconciliations; each response is one snapshot."""

from typing import Literal

from fastapi import APIRouter

from ledger_pipelines.serving.web.context import AppContextDep
from ledger_pipelines.serving.web.errors import error_responses
from ledger_pipelines.serving.web.exact_json import ExactJsonResponse
from ledger_pipelines.serving.web.guarded_route import GuardedRoute
from ledger_pipelines.serving.web.models import Pagination, ResponseModel, pagination_of
from ledger_pipelines.serving.web.parameters import (
    DEFAULT_PER_PAGE,
    AccountFilter,
    ComparisonFilter,
    DecimalsParameter,
    Page,
    PerPage,
    YearMonth,
)
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.queries.reconciliation.comparison import (
    ComparedCustomer,
    ComparisonSummary,
    balance_comparison,
)
from ledger_pipelines.warehouse.queries.reconciliation.invoices import (
    SELECTIONS,
    InvoiceSummary,
    ReconciledAccount,
    invoice_reconciliation,
    invoice_summary,
)
from ledger_pipelines.warehouse.tables.json_types import YearMonthKey

router = APIRouter(
    prefix="/api/realtime-balance",
    tags=["reconciliation"],
    route_class=GuardedRoute,
    responses=error_responses(401, 403, 422, 429, 503),
)


class ComparisonReport(ResponseModel):
    """Last comparison of the stored balances with the billing application's totals."""

    success: Literal[True] = True
    summary: ComparisonSummary
    data: list[ComparedCustomer]
    pagination: Pagination


@router.get("/comparison-report", response_model=ComparisonReport)
def comparison_report(
    app_context: AppContextDep,
    only: ComparisonFilter = None,
    per_page: PerPage = None,
    page: Page = None,
    decimals: DecimalsParameter = "number",
) -> ExactJsonResponse:
    """Return the last comparison of the ledger's balances with the billing application's totals, with the reasons."""
    mismatches, number, size = only == "mismatches", page or 1, per_page or DEFAULT_PER_PAGE
    with app_context.snapshot() as connection:
        summary = app_context.cached_comparison_summary(connection)
        found = balance_comparison(connection, only_mismatches=mismatches, limit=size, offset=page_offset(number, size))
    total = summary.mismatching if mismatches else summary.total_customers
    response = ComparisonReport(
        summary=summary, data=found, pagination=pagination_of(ResultPage(found, number, size, total))
    )
    return ExactJsonResponse(response, decimals)


class InvoiceReconciliation(ResponseModel):
    """Last comparison of a month's purchases with the ERP's invoices."""

    success: Literal[True] = True
    year_month: YearMonthKey
    summary: InvoiceSummary
    data: list[ReconciledAccount]
    pagination: Pagination


@router.get("/invoice-reconciliation", response_model=InvoiceReconciliation)
def invoices(
    app_context: AppContextDep,
    year_month: YearMonth = None,
    only: AccountFilter = None,
    per_page: PerPage = None,
    page: Page = None,
    decimals: DecimalsParameter = "number",
) -> ExactJsonResponse:
    """Return the last comparison of a month's purchases with the ERP's invoices, per account."""
    number, size = page or 1, per_page or DEFAULT_PER_PAGE
    statuses = SELECTIONS[only or "all"]
    with app_context.snapshot() as connection:
        month = year_month or app_context.current_month(connection)
        summary = invoice_summary(connection, month)
        found = invoice_reconciliation(
            connection, month, statuses=statuses, limit=size, offset=page_offset(number, size)
        )
    response = InvoiceReconciliation(
        year_month=month,
        summary=summary,
        data=found,
        pagination=pagination_of(ResultPage(found, number, size, summary.count_with_status(statuses))),
    )
    return ExactJsonResponse(response, decimals)
