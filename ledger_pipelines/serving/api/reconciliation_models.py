"""Response models of the balance comparison and the invoice reconciliation."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ledger_pipelines.serving.web.models import Exact, Pagination, ResponseModel, YearMonthKey

Status = Literal["matched", "differs", "not_invoiced", "customer_without_partner", "partner_without_customer"]


class Reason(ResponseModel):
    """Reason of a difference; see docs/rules.md, Balance comparison."""

    name: str
    amount: Exact = Field(description="Part of the difference with this reason, in rupiah")
    rows: int | None = Field(description="Number of rows with this reason; null if the reason is found in totals")


class ReasonTotal(ResponseModel):
    """Reason of differences over all customers."""

    name: str
    amount: Exact = Field(description="Part of the total difference with this reason, in rupiah")
    customers: int = Field(validation_alias="rows", description="Number of customers with this reason")


class ComparisonSummary(ResponseModel):
    """Balance comparison of all customers."""

    total_customers: int = Field(validation_alias="customers")
    matching: int = Field(validation_alias="matches")
    mismatching: int = Field(validation_alias="mismatches")
    stored_balance: Exact = Field(validation_alias="ledger_balance")
    application_balance: Exact
    difference: Exact
    largest_difference: Exact
    reasons: list[ReasonTotal] = Field(description="All known reasons, also those that no customer has")
    compared_at: datetime | None = Field(description="Time of the last comparison of all customers; null: never")


class ComparedCustomer(ResponseModel):
    """Comparison of a customer's balance with the billing application."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey | None = Field(
        validation_alias="last_month", description="Month of the stored balance; null if the customer has none"
    )
    stored_balance: Exact = Field(validation_alias="ledger_balance")
    application_balance: Exact = Field(description="total_deposit - total_purchases of the billing application")
    difference: Exact = Field(description="stored_balance - application_balance")
    matches: bool = Field(description="Whether the balances differ by less than 0.01")
    reasons: list[Reason] = Field(description="Reasons with a nonzero part of the difference")
    compared_at: datetime = Field(description="Time when this row last changed")


class ComparisonReport(ResponseModel):
    """Last comparison of the stored balances with the billing application's totals."""

    success: Literal[True] = True
    summary: ComparisonSummary
    data: list[ComparedCustomer]
    pagination: Pagination


class StatusTotals(ResponseModel):
    """Sums of a month's accounts with one status."""

    status: Status
    accounts: int
    purchases: Exact
    invoiced: Exact
    difference: Exact


class InvoiceSummary(ResponseModel):
    """Sums of a month."""

    accounts: int
    mismatches: int = Field(description="Number of accounts that do not match")
    totals: list[StatusTotals] = Field(description="One entry per status")
    compared_at: datetime | None = Field(description="Time of the last comparison of this month; null: never")


class ReconciledAccount(ResponseModel):
    """Account: linked customers and business partners; see docs/rules.md, Invoice reconciliation."""

    account: str = Field(description="Account key: customer:N or partner:C")
    customer_id: int | None = Field(description="First of the customers; null if the account has none")
    customer_name: str | None
    customers: list[int]
    bp_codes: list[str]
    partner_name: str | None
    purchases: Exact = Field(description="Purchases of the customers in the month, in rupiah")
    invoiced: Exact = Field(description="Amount invoiced to the business partners for the month, in rupiah")
    invoice_lines: int
    difference: Exact = Field(description="purchases - invoiced")
    status: Status
    compared_at: datetime = Field(description="Time when this row last changed")


class InvoiceReconciliation(ResponseModel):
    """Last comparison of a month's purchases with the ERP's invoices."""

    success: Literal[True] = True
    year_month: YearMonthKey
    summary: InvoiceSummary
    data: list[ReconciledAccount]
    pagination: Pagination
