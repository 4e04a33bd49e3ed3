"""/api/realtime-balance: balances, transactions and yearly figures, and the command to recalculate a customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from ledger_pipelines.serving.web import commands
from ledger_pipelines.serving.web.context import AppContextDep
from ledger_pipelines.serving.web.customers import get_customer
from ledger_pipelines.serving.web.errors import error_responses, invalid_parameter, not_found
from ledger_pipelines.serving.web.exact_json import ExactJsonResponse
from ledger_pipelines.serving.web.guarded_route import GuardedRoute
from ledger_pipelines.serving.web.models import LedgerStatus, ResponseModel
from ledger_pipelines.serving.web.parameters import (  # fmt: skip
    CustomerId,
    DecimalsParameter,
    Month,
    StartMonth,
    Year,
    YearMonth,
    check_month_in_horizon,
)
from ledger_pipelines.serving.web.status import ledger_status
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.ops.first_computation import is_computed, never_computed_message
from ledger_pipelines.warehouse.queries.customers import customer as customer_queries
from ledger_pipelines.warehouse.queries.customers.customer import BalanceFigures, CustomerName, Transaction
from ledger_pipelines.warehouse.queries.exact_sums import exact_total
from ledger_pipelines.warehouse.queries.year import MonthlyTrend, TopCustomer, YearSummary
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal, YearMonthKey

router = APIRouter(
    prefix="/api/realtime-balance",
    tags=["balances"],
    route_class=GuardedRoute,
    responses=error_responses(401, 403, 422, 429, 503),
)


@router.get("/status", response_model=LedgerStatus)
def status(app_context: AppContextDep, decimals: DecimalsParameter = "number") -> ExactJsonResponse:
    """Return whether the balances are current, the open incidents, counts, and the ten balances written last."""
    return ExactJsonResponse(ledger_status(app_context), decimals)


class CustomerBalance(ResponseModel):
    """Balance of a customer in a month."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey
    balance: BalanceFigures


@router.get("/customer/{id}/balance", response_model=CustomerBalance, responses=error_responses(404))
def balance(
    app_context: AppContextDep,
    customer_id: CustomerId,
    year_month: YearMonth = None,
    decimals: DecimalsParameter = "number",
) -> ExactJsonResponse:
    """Return a customer's balance of a month."""
    month = year_month or app_context.horizon.current
    with app_context.read_connection() as connection:
        customer = customer_queries.customer_of(connection, customer_id)
        found = customer_queries.balance_of(connection, customer_id, month)
    if customer is None or found is None:
        with app_context.snapshot() as connection:  # one snapshot, so that the explanation is consistent
            customer = get_customer(connection, customer_id, app_context.settings)
            month = year_month or app_context.current_month(connection)  # the calendar month may not be open yet
            found = customer_queries.balance_of(connection, customer_id, month)
            if found is None:
                raise not_found(_no_balance_message(connection, customer, month, app_context.settings))
    response = CustomerBalance(customer_id=customer_id, customer_name=customer.name, year_month=month, balance=found)
    return ExactJsonResponse(response, decimals)


class TransactionsSummary(ResponseModel):
    """Sums of the transactions."""

    total_transactions: int
    total_volume: ExactDecimal
    total_amount: ExactDecimal


class CustomerTransactions(ResponseModel):
    """Transactions of a customer in a month."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey
    transactions: Sequence[Transaction]
    summary: TransactionsSummary


@router.get("/customer/{id}/transactions", response_model=CustomerTransactions, responses=error_responses(404))
def transactions(
    app_context: AppContextDep,
    customer_id: CustomerId,
    year_month: YearMonth = None,
    decimals: DecimalsParameter = "number",
) -> ExactJsonResponse:
    """Return a customer's transactions of a month, each with the price in force."""
    with app_context.read_connection() as connection:
        month = year_month or app_context.current_month(connection)
        customer = get_customer(connection, customer_id, app_context.settings)
        found = customer_queries.transactions_of(connection, customer_id, month)
    response = CustomerTransactions(
        customer_id=customer_id,
        customer_name=customer.name,
        year_month=month,
        transactions=found,
        summary=TransactionsSummary(
            total_transactions=len(found),
            total_volume=exact_total((transaction.volume_sm3 for transaction in found), 4),
            total_amount=exact_total((transaction.total_harga for transaction in found), 2),
        ),
    )
    return ExactJsonResponse(response, decimals)


class YearInFigures(ResponseModel):
    """Figures of a year."""

    year: int
    summary: YearSummary
    monthly_trend: Sequence[MonthlyTrend]
    top_customers: Sequence[TopCustomer] = Field(description="The ten customers with the largest volume")
    generated_at: datetime


@router.get("/dashboard", response_model=YearInFigures)
def dashboard(
    app_context: AppContextDep, year: Year = None, decimals: DecimalsParameter = "number"
) -> ExactJsonResponse:
    """Return the sums of a year and its months, and the ten customers with the largest volume, as of `generated_at`."""
    found = app_context.year_figures(year)
    return ExactJsonResponse(YearInFigures.model_validate(found), decimals)


class UpdateRequest(BaseModel):
    """Request to recalculate a customer."""

    model_config = ConfigDict(extra="forbid")

    start_month: Month | None = Field(
        default=None, description="First month to recalculate (YYYY-MM, WIB). Default: the first month of the ledger"
    )


class UpdateStarted(ResponseModel):
    """Started recalculation of a customer."""

    success: Literal[True] = True
    message: str
    customer_id: int
    start_month: YearMonthKey
    run_id: str = Field(description="Dagster's run id")


@router.post("/customer/{id}/update", response_model=UpdateStarted, responses=error_responses(404, 413))
def update(
    app_context: AppContextDep,
    customer_id: CustomerId,
    start_month: StartMonth = None,
    body: Annotated[UpdateRequest | None, Body()] = None,
) -> ExactJsonResponse:
    """Start a run that recalculates a customer from a month to the current one, without waiting for the run.

    Give the month in the query or in the body.
    """
    months = {month for month in (start_month, body.start_month if body else None) if month is not None}
    if len(months) > 1:
        raise invalid_parameter("start_month", "the query and the body name different months")
    first = months.pop() if months else app_context.horizon.first
    check_month_in_horizon(app_context.horizon, "start_month", first)
    run_id = commands.start_recalculation(app_context.settings, customer_id, first)
    response = UpdateStarted(
        message=f"Customer {customer_id} is being recalculated from {first} on.",
        customer_id=customer_id,
        start_month=first,
        run_id=run_id,
    )
    return ExactJsonResponse(response)


def _no_balance_message(connection: sa.Connection, customer: CustomerName, month: str, settings: Settings) -> str:
    name = f"Customer {customer.customer_id}" + (f" ({customer.name})" if customer.name else "")
    months = customer_queries.months_of(connection, customer.customer_id)
    if months is None and not is_computed(connection):
        return f"{name} has no balance yet. {never_computed_message(settings)}"
    if months is None:
        return f"{name} has no balance yet: the customer has neither readings nor deposits."
    first, last = months
    return f"{name} has no balance for {month}. Balances exist for {first} to {last}."
