"""What the reconciliations answer: balances against the application's totals, purchases against the ERP's invoices."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ledger_pipelines.serving.api.answers import Answer, Exact, Pagination, YearMonthKey

Status = Literal["matched", "differs", "not_invoiced", "customer_without_partner", "partner_without_customer"]


class Reason(Answer):
    """Why balances differ: docs/rules.md, Balance comparison."""

    name: str
    amount: Exact = Field(description="What it adds to the difference, in rupiah")
    rows: int | None = Field(description="How many rows it comes from; null where it comes from totals")


class ReasonOfAll(Answer):
    """What a reason comes to over all customers."""

    name: str
    amount: Exact = Field(description="What it adds to the sum of the differences, in rupiah")
    customers: int = Field(validation_alias="rows", description="How many customers have it")


class ComparisonSummary(Answer):
    """All customers compared."""

    total_customers: int = Field(validation_alias="customers")
    matching: int = Field(validation_alias="matches")
    mismatching: int = Field(validation_alias="mismatches")
    stored_balance: Exact = Field(validation_alias="ledger_balance")
    application_balance: Exact
    difference: Exact
    largest_difference: Exact
    reasons: list[ReasonOfAll] = Field(description="Every reason there is, also those that nobody has")
    compared_at: datetime | None = Field(description="When all customers were last compared; null: never")


class ComparedCustomer(Answer):
    """A customer's balance, ours and the application's."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey | None = Field(
        validation_alias="last_month", description="The month of the stored balance; null: there is none"
    )
    stored_balance: Exact = Field(validation_alias="ledger_balance")
    application_balance: Exact = Field(description="total_deposit - total_purchases of the application")
    difference: Exact = Field(description="stored_balance - application_balance")
    matches: bool = Field(description="Whether they differ by less than 0.01")
    reasons: list[Reason] = Field(description="Those that add something to the difference")
    compared_at: datetime = Field(description="When this last changed")


class ComparisonReport(Answer):
    """The stored balances beside the application's own totals, as they were last compared."""

    success: Literal[True] = True
    summary: ComparisonSummary
    data: list[ComparedCustomer]
    pagination: Pagination


class StatusTotals(Answer):
    """The accounts of a month that have a status."""

    status: Status
    accounts: int
    purchases: Exact
    invoiced: Exact
    difference: Exact


class InvoiceSummary(Answer):
    """A month as a whole."""

    accounts: int
    mismatches: int = Field(description="How many accounts do not match")
    totals: list[StatusTotals] = Field(description="One for each status")
    compared_at: datetime | None = Field(description="When the month was last compared; null: never")


class ReconciledAccount(Answer):
    """Customers and business partners that belong together: docs/rules.md, Invoice reconciliation."""

    account: str = Field(description="customer:N or partner:C")
    customer_id: int | None = Field(description="The first of the customers; null: there is none")
    customer_name: str | None
    customers: list[int]
    bp_codes: list[str]
    partner_name: str | None
    purchases: Exact = Field(description="Of the customers in the month, in rupiah")
    invoiced: Exact = Field(description="To the business partners for the month, in rupiah")
    invoice_lines: int
    difference: Exact = Field(description="purchases - invoiced")
    status: Status
    compared_at: datetime = Field(description="When this last changed")


class InvoiceReconciliation(Answer):
    """A month's purchases beside what the ERP invoiced, as they were last compared."""

    success: Literal[True] = True
    year_month: YearMonthKey
    summary: InvoiceSummary
    data: list[ReconciledAccount]
    pagination: Pagination
