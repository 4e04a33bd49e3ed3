"""/api/realtime-balance: the ledger's figures."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from ledger_pipelines.serving.api import acts
from ledger_pipelines.serving.api import balance_answers as answers
from ledger_pipelines.serving.api.errors import documented, not_found, wrong
from ledger_pipelines.serving.api.exact import ExactJson
from ledger_pipelines.serving.api.guard import GuardedRoute
from ledger_pipelines.serving.api.parameters import (
    CustomerId,
    DecimalsAs,
    Month,
    StartMonth,
    Year,
    YearMonth,
    in_horizon,
)  # fmt: skip
from ledger_pipelines.serving.api.parts import Has
from ledger_pipelines.serving.api.status import status_of
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.first_computation import is_computed, never_computed
from ledger_pipelines.warehouse.loaded import months_loaded
from ledger_pipelines.warehouse.questions import customer as questions
from ledger_pipelines.warehouse.questions.customer import Customer
from ledger_pipelines.warehouse.questions.exact import total
from ledger_pipelines.warehouse.questions.rejections import why_no_customer
from ledger_pipelines.warehouse.tables import customers

router = APIRouter(
    prefix="/api/realtime-balance",
    tags=["balances"],
    route_class=GuardedRoute,
    responses=documented(401, 403, 422, 429, 503),
)


@router.get("/status", response_model=answers.LedgerStatus)
def status(parts: Has, decimals: DecimalsAs = "number") -> ExactJson:
    """How large the ledger is, how current, and which balances were written last."""
    return ExactJson(status_of(parts), decimals)


@router.get("/customer/{id}/balance", response_model=answers.CustomerBalance, responses=documented(404))
def balance(
    parts: Has, customer_id: CustomerId, year_month: YearMonth = None, decimals: DecimalsAs = "number"
) -> ExactJson:
    """A customer's balance of a month."""
    month = year_month or parts.horizon.current
    with parts.reading() as connection:
        customer = questions.customer_of(connection, customer_id)
        found = questions.balance_of(connection, customer_id, month)
    if customer is None or found is None:
        with parts.snapshot() as connection:  # why it is not there is told of one moment
            customer = known(connection, customer_id, parts.settings)
            month = year_month or parts.current_month(connection)  # the clock's may not have been turned yet
            found = questions.balance_of(connection, customer_id, month)
            if found is None:
                raise not_found(_no_balance(connection, customer, month, parts.settings))
    answer = answers.CustomerBalance(
        customer_id=customer_id,
        customer_name=customer.name,
        year_month=month,
        balance=answers.BalanceOfMonth.model_validate(found),
    )
    return ExactJson(answer, decimals)


@router.get("/customer/{id}/transactions", response_model=answers.CustomerTransactions, responses=documented(404))
def transactions(
    parts: Has, customer_id: CustomerId, year_month: YearMonth = None, decimals: DecimalsAs = "number"
) -> ExactJson:
    """A customer's transactions of a month, each with the price that was in force."""
    with parts.reading() as connection:
        month = year_month or parts.current_month(connection)
        customer = known(connection, customer_id, parts.settings)
        found = questions.transactions_of(connection, customer_id, month)
    answer = answers.CustomerTransactions(
        customer_id=customer_id,
        customer_name=customer.name,
        year_month=month,
        transactions=[answers.TransactionOfMonth.model_validate(transaction) for transaction in found],
        summary=answers.TransactionsSummary(
            total_transactions=len(found),
            total_volume=total((transaction.volume_sm3 for transaction in found), 4),
            total_amount=total((transaction.total_harga for transaction in found), 2),
        ),
    )
    return ExactJson(answer, decimals)


@router.get("/dashboard", response_model=answers.YearInFigures)
def dashboard(parts: Has, year: Year = None, decimals: DecimalsAs = "number") -> ExactJson:
    """A year in figures: its sums, its months, the customers that used most; as of `generated_at`."""
    found = parts.year(year)
    return ExactJson(answers.YearInFigures.model_validate(found), decimals)


class Update(BaseModel):
    """What is to be recalculated."""

    model_config = ConfigDict(extra="forbid")

    start_month: Month | None = Field(default=None, description="The first month; not given: the first of all")


@router.post("/customer/{id}/update", response_model=answers.UpdateStarted, responses=documented(404, 413))
def update(
    parts: Has, customer_id: CustomerId, start_month: StartMonth = None, body: Annotated[Update | None, Body()] = None
) -> ExactJson:
    """Recalculate a customer from a month to the current one; answered at once. The month by query or body."""
    asked = {month for month in (start_month, body.start_month if body else None) if month is not None}
    if len(asked) > 1:
        raise wrong("start_month", "the query names another month than the body")
    first = asked.pop() if asked else parts.horizon.first
    in_horizon(parts.horizon, "start_month", first)
    run_id = acts.recalculate(parts.settings, customer_id, first)
    answer = answers.UpdateStarted(
        message=f"Customer {customer_id} is being recalculated from {first} on.",
        customer_id=customer_id,
        start_month=first,
        run_id=run_id,
    )
    return ExactJson(answer)


def known(connection: sa.Connection, customer_id: int, settings: Settings) -> Customer:
    """The customer of an id.

    Raises:
        ApiError: there is none.
    """
    customer = questions.customer_of(connection, customer_id)
    if customer is None and not months_loaded(connection, customers):
        raise not_found(f"No customer is known yet. {never_computed(settings)}")
    if customer is None and (reason := why_no_customer(connection, customer_id)):
        raise not_found(
            f"Customer {customer_id} has no balance: the row in users of the billing application cannot be used "
            f"({reason}). It is computed as soon as it is corrected there."
        )
    if customer is None:
        raise not_found(
            f"There is no customer {customer_id}. Customers are the billing application's users with the role "
            "customer or fob, by their id."
        )
    return customer


def _no_balance(connection: sa.Connection, customer: Customer, month: str, settings: Settings) -> str:
    who = f"Customer {customer.customer_id}" + (f" ({customer.name})" if customer.name else "")
    months = questions.months_of(connection, customer.customer_id)
    if months is None and not is_computed(connection):
        return f"{who} has no balance yet. {never_computed(settings)}"
    if months is None:
        return f"{who} has no balance yet: there is neither a reading nor a deposit."
    first, last = months
    return f"{who} has no balance of {month}, but of the months from {first} to {last}."
