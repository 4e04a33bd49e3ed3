"""The search for customers, a customer, and a month of one."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Form, Path, Query, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.horizon import shift
from ledger_pipelines.serving.api import acts
from ledger_pipelines.serving.api.balance import known
from ledger_pipelines.serving.api.parameters import CustomerId, Month, in_horizon
from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Chart, Reader, Series
from ledger_pipelines.serving.dashboard.dagster_state import run_state
from ledger_pipelines.serving.dashboard.explain import Explainer
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited
from ledger_pipelines.serving.dashboard.visit import Visit
from ledger_pipelines.serving.web_ui import web_ui_of
from ledger_pipelines.warehouse.first_computation import is_computed
from ledger_pipelines.warehouse.questions.customer import (
    Balance,
    CustomerDetails,
    balance_of,
    balances_of,
    details_of,
)
from ledger_pipelines.warehouse.questions.customer_search import find_customers
from ledger_pipelines.warehouse.questions.exact import total
from ledger_pipelines.warehouse.questions.low_balances import alerts
from ledger_pipelines.warehouse.questions.month_details import deposits_of, priced_readings_of

router = APIRouter(prefix="/customers", route_class=GuardedPage)
_FOUND = 50
_ALERTS = 10
_DAGSTER_SECONDS = 2.0


@router.get("")
def search(visit: Visited, q: Annotated[str, Query(max_length=100)] = "") -> Response:
    """The customers that a text finds."""
    text = q.replace("\0", "").strip()
    with visit.parts.reading() as connection:
        found = find_customers(connection, text, _FOUND + 1) if text else []
        computed = is_computed(connection)
    more = len(found) > _FOUND
    return page(visit, "customers.html", here="customers", computed=computed, q=text, found=found[:_FOUND], more=more)


@router.get("/{id}")
def customer(visit: Visited, customer_id: CustomerId, run: UUID | None = None, start_month: str = "") -> Response:
    """A customer, month by month."""
    parts = visit.parts
    with parts.snapshot() as connection:
        found = _customer(visit, connection, customer_id)
        months = balances_of(connection, customer_id)
        low = alerts(connection, customer_id=customer_id, cleared=True, per_page=_ALERTS)
        computed = bool(months) or is_computed(connection)
    horizon = parts.horizon.months
    state = None if run is None else run_state(web_ui_of(parts.settings, timeout_seconds=_DAGSTER_SECONDS), run)
    return page(
        visit,
        "customer.html",
        here="customers",
        customer=found,
        name=_name(visit, found),
        months=months,
        computed=computed,
        charts=_charts(Reader(visit.words, visit.formats), months),
        alerts=low,
        run=state,
        horizon=list(reversed(horizon)),
        start_month=start_month if start_month in horizon else horizon[-1],
    )


@router.post("/{id}/recalculate")
def recalculate_customer(visit: Visited, customer_id: CustomerId, start_month: Annotated[Month, Form()]) -> Response:
    """Recalculate a customer from a month on; how it goes is shown on the customer's page."""
    settings, horizon = visit.parts.settings, visit.parts.horizon
    in_horizon(horizon, "start_month", start_month)
    run_id = acts.recalculate(settings, customer_id, start_month)
    return RedirectResponse(f"/customers/{customer_id}?run={run_id}&start_month={start_month}", 303)


@router.get("/{id}/months/{month}")
def month(visit: Visited, customer_id: CustomerId, month: Annotated[Month, Path()]) -> Response:
    """A month of a customer: each reading explained, and each deposit."""
    parts = visit.parts
    with parts.snapshot() as connection:
        found = _customer(visit, connection, customer_id)
        balance = balance_of(connection, customer_id, month)
        rows = priced_readings_of(connection, customer_id, month)
        deposits = deposits_of(connection, customer_id, month)
        computed = balance is not None or is_computed(connection)
    explainer = Explainer(visit.words, visit.formats)
    horizon = parts.horizon
    return page(
        visit,
        "month.html",
        here="customers",
        customer=found,
        name=_name(visit, found),
        month=month,
        before=shift(month, -1) if month > horizon.first else None,
        after=shift(month, 1) if month < horizon.current else None,
        balance=balance,
        computed=computed,
        readings=[(row, explainer.steps(row)) for row in rows],
        volume=total((row.volume_sm3 for row in rows), 4),
        amount=total((row.total_harga for row in rows), 2),
        deposits=deposits,
        deposited=total((deposit.amount for deposit in deposits), 2),
    )


def _customer(visit: Visit, connection: sa.Connection, customer_id: int) -> CustomerDetails:
    """The customer; of one that the billing application has dropped, who still has balances, the number alone.

    Raises:
        ApiError: there is none, and never was.
    """
    found = details_of(connection, customer_id)
    if found is not None:
        return found
    gone = known(connection, customer_id, visit.parts.settings)
    unknown: dict[str, Any] = dict.fromkeys(CustomerDetails.__dataclass_fields__)
    return CustomerDetails(
        **{**unknown, "customer_id": gone.customer_id, "role": "gone", "use_realtime_calculation": True}
    )


def _name(visit: Visit, found: CustomerDetails) -> str:
    return found.name or visit.words.plain("customer.nameless", id=found.customer_id)


def _charts(reader: Reader, months: Sequence[Balance]) -> list[Chart]:
    if not months:
        return []
    plain, keys = reader.words.plain, [month.year_month for month in months]
    balance = [Series(plain("overview.balance"), [month.closing_balance for month in months], "chart-balance")]
    flows = [
        Series(plain("overview.deposits"), [month.total_deposits for month in months], "chart-deposits"),
        Series(
            plain("overview.purchases"), [month.total_purchases for month in months], "chart-purchases", hatched=True
        ),
    ]
    return [
        charts.monthly_amounts(reader, plain("charts.balance"), keys, balance, lines=True),
        charts.monthly_amounts(reader, plain("charts.flows"), keys, flows),
        charts.monthly_volume(reader, plain("charts.volume"), keys, [month.total_volume_sm3 for month in months]),
    ]
