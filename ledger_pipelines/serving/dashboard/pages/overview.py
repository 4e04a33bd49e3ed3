"""The overview page: current state, and the figures of a year."""

from fastapi import APIRouter, Response

from ledger_pipelines.serving.dagster.graphql import dagster_graphql_from_settings
from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Chart, Locale, Series
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.pages.incidents import load_open_incidents
from ledger_pipelines.serving.dashboard.pages.parameters import YearParameter
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.routes import GuardedPage, RequestContextDep
from ledger_pipelines.warehouse.ops.first_computation import is_computed
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines.warehouse.queries.customers.low_balances import alerts_page, count_alerted_customers
from ledger_pipelines.warehouse.queries.freshness import freshness
from ledger_pipelines.warehouse.queries.rejections import count_rejected_rows
from ledger_pipelines.warehouse.queries.year import YearReport, years_with_balances

router = APIRouter(route_class=GuardedPage)
_NAV = NavEntry(1, "/", "overview.title")
_ALERTS = 5


@router.get("/")
@router.get("/realtime-balance/test")
def overview(context: RequestContextDep, year: YearParameter = None) -> Response:
    """Show the current state and the figures of a year, by default the current year."""
    app_context = context.app_context
    found = app_context.year_figures(year)
    with app_context.snapshot() as connection:
        incidents = load_open_incidents(connection)
        years = years_with_balances(connection)
        computed = is_computed(connection)
        fresh = freshness(connection)
        sync = sync_history.latest(connection)
        low = alerts_page(connection, per_page=_ALERTS)
        low_customers = count_alerted_customers(connection)
        rejected = count_rejected_rows(connection)
    return render_page(
        context,
        "overview.html",
        nav_entry=_NAV,
        found=found,
        incidents=incidents,
        years=years or [found.year],
        charts=_charts(Locale(context.translate, context.formats), found) if found.monthly_trend else [],
        computed=computed,
        fresh=fresh,
        sync=sync,
        alerts=low,
        low_customers=low_customers,
        rejected_total=rejected,
        dagster_up=None,
        dagster_address=dagster_graphql_from_settings(app_context.settings).address,
    )


def _charts(locale: Locale, found: YearReport) -> list[Chart]:
    plain, months = locale.translate.plain, found.monthly_trend
    keys = [month.year_month for month in months]
    flows = [
        Series(plain("overview.deposits"), [month.monthly_deposits for month in months], "chart-deposits"),
        Series(
            plain("overview.purchases"), [month.monthly_purchases for month in months], "chart-purchases", hatched=True
        ),
    ]
    balance = [Series(plain("overview.balance"), [month.monthly_balance for month in months], "chart-balance")]
    return [
        charts.monthly_amounts(locale, plain("charts.flows"), keys, flows),
        charts.monthly_amounts(locale, plain("charts.balance"), keys, balance, lines=True),
        charts.monthly_volume(locale, plain("charts.volume"), keys, [month.monthly_volume for month in months]),
    ]
