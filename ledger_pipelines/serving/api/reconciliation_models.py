"""Response models of the balance comparison and the invoice reconciliation."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ledger_pipelines.serving.web.models import ExactDecimal, Pagination, ResponseModel, YearMonthKey

Status = Literal["matched", "differs", "not_invoiced", "customer_without_partner", "partner_without_customer"]


class ReasonModel(ResponseModel):
    """Reason of a difference; see docs/rules.md, Balance comparison."""

    name: str
    amount: ExactDecimal = Field(description="Part of the difference with this reason, in rupiah")
    rows: int | None = Field(description="Number of rows with this reason; null if the reason is found in totals")


class ReasonTotal(ResponseModel):
    """Reason of differences over all customers."""

    name: str
    amount: ExactDecimal = Field(description="Part of the total difference with this reason, in rupiah")
    customers: int = Field(validation_alias="rows", description="Number of customers with this reason")


class ComparisonSummaryModel(ResponseModel):
    """Balance comparison of all customers."""

    total_customers: int = Field(validation_alias="customers")
    matching: int = Field(validation_alias="matches")
    mismatching: int = Field(validation_alias="mismatches")
    stored_balance: ExactDecimal = Field(validation_alias="ledger_balance")
    application_balance: ExactDecimal
    difference: ExactDecimal
    largest_difference: ExactDecimal
    reasons: list[ReasonTotal] = Field(description="All known reasons, also those that no customer has")
    compared_at: datetime | None = Field(description="Time of the last comparison of all customers; null: never")


class ComparedCustomer(ResponseModel):
    """Comparison of a customer's balance with the billing application."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey | None = Field(
        validation_alias="last_month", description="Month of the stored balance; null if the customer has none"
    )
    stored_balance: ExactDecimal = Field(validation_alias="ledger_balance")
    application_balance: ExactDecimal = Field(description="total_deposit - total_purchases of the billing application")
    difference: ExactDecimal = Field(description="stored_balance - application_balance")
    matches: bool = Field(description="Whether the balances differ by less than 0.01")
    reasons: list[ReasonModel] = Field(description="Reasons with a nonzero part of the difference")
    compared_at: datetime = Field(description="Time when this row last changed")


class ComparisonReport(ResponseModel):
    """Last comparison of the stored balances with the billing application's totals."""

    success: Literal[True] = True
    summary: ComparisonSummaryModel
    data: list[ComparedCustomer]
    pagination: Pagination


class StatusTotalsModel(ResponseModel):
    """Sums of a month's accounts with one status."""

    status: Status
    accounts: int
    purchases: ExactDecimal
    invoiced: ExactDecimal
    difference: ExactDecimal


class InvoiceSummaryModel(ResponseModel):
    """Sums of a month."""

    accounts: int
    mismatches: int = Field(description="Number of accounts that do not match")
    totals: list[StatusTotalsModel] = Field(description="One entry per status")
    compared_at: datetime | None = Field(description="Time of the last comparison of this month; null: never")


class ReconciledAccountModel(ResponseModel):
    """Account: linked customers and business partners; see docs/rules.md, Invoice reconciliation."""

    account: str = Field(description="Account key: customer:N or partner:C")
    customer_id: int | None = Field(description="First of the customers; null if the account has none")
    customer_name: str | None
    customers: list[int]
    bp_codes: list[str]
    partner_name: str | None
    purchases: ExactDecimal = Field(description="Purchases of the customers in the month, in rupiah")
    invoiced: ExactDecimal = Field(description="Amount invoiced to the business partners for the month, in rupiah")
    invoice_lines: int
    difference: ExactDecimal = Field(description="purchases - invoiced")
    status: Status
    compared_at: datetime = Field(description="Time when this row last changed")


class InvoiceReconciliation(ResponseModel):
    """Last comparison of a month's purchases with the ERP's invoices."""

    success: Literal[True] = True
    year_month: YearMonthKey
    summary: InvoiceSummaryModel
    data: list[ReconciledAccountModel]
    pagination: Pagination
