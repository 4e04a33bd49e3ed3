"""Pages of customers: search, a customer, and one month of a customer."""

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Form, Path, Query, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.horizon import shift_month
from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Chart, Locale, Series
from ledger_pipelines.serving.dashboard.dagster_state import fetch_run_state
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.price_explanation import PriceExplainer
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.request_context import RequestContext
from ledger_pipelines.serving.dashboard.routes import GuardedPage, RequestContextDep
from ledger_pipelines.serving.web import commands
from ledger_pipelines.serving.web.customers import get_customer
from ledger_pipelines.serving.web.parameters import CustomerId, Month, check_month_in_horizon
from ledger_pipelines.warehouse.ops.first_computation import is_computed
from ledger_pipelines.warehouse.queries.customers.customer import (
    CustomerDetails,
    MonthBalance,
    Transaction,
    balance_of,
    balances_of,
    details_of,
)
from ledger_pipelines.warehouse.queries.customers.low_balances import alerts_page
from ledger_pipelines.warehouse.queries.customers.month_details import deposits_of, priced_readings_of
from ledger_pipelines.warehouse.queries.customers.search import find_customers
from ledger_pipelines.warehouse.queries.exact_sums import exact_total

router = APIRouter(prefix="/customers", route_class=GuardedPage)
_NAV = NavEntry(2, "/customers", "customer.customers")
_MAX_RESULTS = 50
_ALERTS = 10
_DAGSTER_SECONDS = 2.0


@router.get("")
def search(context: RequestContextDep, q: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Show the customers that match a search text."""
    text = q.replace("\0", "").strip()
    with context.app_context.read_connection() as connection:
        found = find_customers(connection, text, _MAX_RESULTS + 1) if text else []
        computed = is_computed(connection)
    more = len(found) > _MAX_RESULTS
    return render_page(
        context,
        "customers.html",
        nav_entry=_NAV,
        computed=computed,
        q=text,
        found=found[:_MAX_RESULTS],
        more=more,
    )


@router.get("/{id}")
def customer(
    context: RequestContextDep, customer_id: CustomerId, run: UUID | None = None, start_month: str = ""
) -> Response:
    """Show a customer with all months."""
    app_context = context.app_context
    # Before the balances, which must not be older than the state of the run.
    state = None if run is None else fetch_run_state(app_context.settings, run, _DAGSTER_SECONDS)
    with app_context.snapshot() as connection:
        found = _load_customer(context, connection, customer_id)
        months = balances_of(connection, customer_id)
        low = alerts_page(connection, customer_id=customer_id, include_cleared=True, per_page=_ALERTS)
        computed = bool(months) or is_computed(connection)
    horizon = app_context.horizon.months
    return render_page(
        context,
        "customer.html",
        nav_entry=_NAV,
        customer=found,
        name=_name(context, found),
        months=months,
        computed=computed,
        charts=_charts(Locale(context.translate, context.formats), months),
        alerts=low,
        run=state,
        horizon=list(reversed(horizon)),
        start_month=start_month if start_month in horizon else horizon[-1],
    )


@router.post("/{id}/recalculate")
def recalculate_customer(
    context: RequestContextDep, customer_id: CustomerId, start_month: Annotated[Month, Form()]
) -> Response:
    """Start a recalculation from a month on; the customer's page shows the state of its run."""
    settings, horizon = context.app_context.settings, context.app_context.horizon
    check_month_in_horizon(horizon, "start_month", start_month)
    run_id = commands.start_recalculation(settings, customer_id, start_month)
    return RedirectResponse(f"/customers/{customer_id}?run={run_id}&start_month={start_month}", 303)


@router.get("/{id}/months/{month}")
def month(context: RequestContextDep, customer_id: CustomerId, month: Annotated[Month, Path()]) -> Response:
    """Show one month of a customer: each reading with its explanation, and each deposit."""
    app_context = context.app_context
    with app_context.snapshot() as connection:
        found = _load_customer(context, connection, customer_id)
        balance = balance_of(connection, customer_id, month)
        rows = priced_readings_of(connection, customer_id, month)
        deposits = deposits_of(connection, customer_id, month)
        computed = balance is not None or is_computed(connection)
    columns = [item.name for item in fields(Transaction) if context.translate.has(f"customer.column_{item.name}")]
    explainer = PriceExplainer(context.translate, context.formats)
    horizon = app_context.horizon
    return render_page(
        context,
        "month.html",
        nav_entry=_NAV,
        customer=found,
        name=_name(context, found),
        month=month,
        before=shift_month(month, -1) if month > horizon.first else None,
        after=shift_month(month, 1) if month < horizon.current else None,
        balance=balance,
        computed=computed,
        readings=[(row, explainer.steps(row)) for row in rows],
        columns=columns,
        totals=column_totals(rows, columns),
        deposits=deposits,
        deposited=exact_total((deposit.amount for deposit in deposits), 2),
    )


def column_totals(rows: Sequence[object], columns: Sequence[str]) -> dict[str, Decimal]:
    """Return the sums of the columns that can be added up: the volume in Sm³ and, by their names, the amounts."""
    summed = [name for name in columns if name == "volume_sm3" or name.startswith("total_")]
    return {name: exact_total((getattr(row, name) or Decimal(0) for row in rows), 2) for name in summed}


def _load_customer(context: RequestContext, connection: sa.Connection, customer_id: int) -> CustomerDetails:
    """Return a customer; only the number if the billing application has deleted a customer who has balances.

    Raises:
        ApiError: The customer has no ledger; the message gives the reason.
        UnknownCustomerError: There is no such customer, and there never was.
    """
    found = details_of(connection, customer_id)
    if found is not None:
        return found
    gone = get_customer(connection, customer_id, context.app_context.settings)
    unknown: dict[str, Any] = dict.fromkeys(CustomerDetails.__dataclass_fields__)
    return CustomerDetails(
        **{**unknown, "customer_id": gone.customer_id, "role": "gone", "use_realtime_calculation": True}
    )


def _name(context: RequestContext, found: CustomerDetails) -> str:
    return found.name or context.translate.plain("customer.nameless", id=found.customer_id)


def _charts(locale: Locale, months: Sequence[MonthBalance]) -> list[Chart]:
    if not months:
        return []
    plain, keys = locale.translate.plain, [month.year_month for month in months]
    balance = [Series(plain("overview.balance"), [month.closing_balance for month in months], "chart-balance")]
    flows = [
        Series(plain("overview.deposits"), [month.total_deposits for month in months], "chart-deposits"),
        Series(
            plain("overview.purchases"), [month.total_purchases for month in months], "chart-purchases", hatched=True
        ),
    ]
    return [
        charts.monthly_amounts(locale, plain("charts.balance"), keys, balance, lines=True),
        charts.monthly_amounts(locale, plain("charts.flows"), keys, flows),
        charts.monthly_volume(locale, plain("charts.volume"), keys, [month.total_volume_sm3 for month in months]),
    ]
