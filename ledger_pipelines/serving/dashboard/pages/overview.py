"""The overview: how everything is, and a year in figures."""

from fastapi import APIRouter, Response

from ledger_pipelines.serving.dashboard import charts
from ledger_pipelines.serving.dashboard.charts import Chart, Reader, Series
from ledger_pipelines.serving.dashboard.pages.incidents import open_now
from ledger_pipelines.serving.dashboard.pages.parameters import ChosenYear
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited
from ledger_pipelines.serving.web_ui import web_ui_of
from ledger_pipelines.warehouse import sync_history
from ledger_pipelines.warehouse.first_computation import is_computed
from ledger_pipelines.warehouse.questions.freshness import freshness
from ledger_pipelines.warehouse.questions.low_balances import alerts, customers_alerted
from ledger_pipelines.warehouse.questions.rejections import how_many
from ledger_pipelines.warehouse.questions.year import Year, years_with_balances

router = APIRouter(route_class=GuardedPage)
_ALERTS = 5


@router.get("/")
@router.get("/realtime-balance/test")
def overview(visit: Visited, year: ChosenYear = None) -> Response:
    """How everything is, and a year in figures; without a year the current one."""
    parts = visit.parts
    found = parts.year(year)
    with parts.snapshot() as connection:
        incidents = open_now(connection)
        years = years_with_balances(connection)
        computed = is_computed(connection)
        fresh = freshness(connection)
        sync = sync_history.latest(connection)
        low = alerts(connection, per_page=_ALERTS)
        low_customers = customers_alerted(connection)
        rejected = how_many(connection)
    return page(
        visit,
        "overview.html",
        here="overview",
        found=found,
        incidents=incidents,
        years=years or [found.year],
        charts=_charts(Reader(visit.words, visit.formats), found) if found.monthly_trend else [],
        computed=computed,
        fresh=fresh,
        sync=sync,
        alerts=low,
        low_customers=low_customers,
        rejected_total=rejected,
        dagster_up=None,
        dagster_address=web_ui_of(parts.settings).address,
    )


def _charts(reader: Reader, found: Year) -> list[Chart]:
    plain, months = reader.words.plain, found.monthly_trend
    keys = [month.year_month for month in months]
    flows = [
        Series(plain("overview.deposits"), [month.monthly_deposits for month in months], "chart-deposits"),
        Series(
            plain("overview.purchases"), [month.monthly_purchases for month in months], "chart-purchases", hatched=True
        ),
    ]
    balance = [Series(plain("overview.balance"), [month.monthly_balance for month in months], "chart-balance")]
    return [
        charts.monthly_amounts(reader, plain("charts.flows"), keys, flows),
        charts.monthly_amounts(reader, plain("charts.balance"), keys, balance, lines=True),
        charts.monthly_volume(reader, plain("charts.volume"), keys, [month.monthly_volume for month in months]),
    ]
