"""/api/realtime-balance: what the reconciliations found, as it is stored; each answer is of one snapshot."""

from fastapi import APIRouter

from ledger_pipelines.serving.api import reconciliation_answers as answers
from ledger_pipelines.serving.api.answers import pagination_of
from ledger_pipelines.serving.api.errors import documented
from ledger_pipelines.serving.api.exact import ExactJson
from ledger_pipelines.serving.api.guard import GuardedRoute
from ledger_pipelines.serving.api.parameters import PER_PAGE, DecimalsAs, Only, OnlyAccounts, Page, PerPage, YearMonth
from ledger_pipelines.serving.api.parts import Has
from ledger_pipelines.warehouse.questions.comparison import balance_comparison
from ledger_pipelines.warehouse.questions.invoices import SELECTIONS, invoice_reconciliation, invoice_summary
from ledger_pipelines.warehouse.questions.paging import Paged, offset

router = APIRouter(
    prefix="/api/realtime-balance",
    tags=["reconciliation"],
    route_class=GuardedRoute,
    responses=documented(401, 403, 422, 429, 503),
)


@router.get("/comparison-report", response_model=answers.ComparisonReport)
def comparison_report(
    parts: Has, only: Only = None, per_page: PerPage = None, page: Page = None, decimals: DecimalsAs = "number"
) -> ExactJson:
    """The stored balances beside the application's own totals, with the reasons of a difference."""
    mismatches, number, size = only == "mismatches", page or 1, per_page or PER_PAGE
    with parts.snapshot() as connection:
        summary = parts.compared(connection)
        found = balance_comparison(connection, only_mismatches=mismatches, limit=size, offset=offset(number, size))
    total = summary.mismatches if mismatches else summary.customers
    answer = answers.ComparisonReport(
        summary=answers.ComparisonSummary.model_validate(summary),
        data=[answers.ComparedCustomer.model_validate(customer) for customer in found],
        pagination=pagination_of(Paged(found, number, size, total)),
    )
    return ExactJson(answer, decimals)


@router.get("/invoice-reconciliation", response_model=answers.InvoiceReconciliation)
def invoices(
    parts: Has,
    year_month: YearMonth = None,
    only: OnlyAccounts = None,
    per_page: PerPage = None,
    page: Page = None,
    decimals: DecimalsAs = "number",
) -> ExactJson:
    """A month's purchases beside what the ERP invoiced to the customers' business partners, account by account."""
    number, size = page or 1, per_page or PER_PAGE
    statuses = SELECTIONS[only or "all"]
    with parts.snapshot() as connection:
        month = year_month or parts.current_month(connection)
        summary = invoice_summary(connection, month)
        found = invoice_reconciliation(connection, month, statuses=statuses, limit=size, offset=offset(number, size))
    answer = answers.InvoiceReconciliation(
        year_month=month,
        summary=answers.InvoiceSummary.model_validate(summary),
        data=[answers.ReconciledAccount.model_validate(account) for account in found],
        pagination=pagination_of(Paged(found, number, size, summary.having(statuses))),
    )
    return ExactJson(answer, decimals)
