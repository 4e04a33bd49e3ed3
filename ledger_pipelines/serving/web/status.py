"""Status of the ledger for the API and the metrics: counts are cached, open incidents are not."""

from decimal import Decimal
from typing import Literal

from ledger_pipelines.serving.health import measure_queries
from ledger_pipelines.serving.web.context import AppContext
from ledger_pipelines.serving.web.models import LedgerStatus, StatusStatistics
from ledger_pipelines.warehouse.ops.incidents import open_incidents
from ledger_pipelines.warehouse.queries import status as status_queries
from ledger_pipelines.warehouse.queries.freshness import Freshness, freshness

_CENT = Decimal("0.01")


def ledger_status(app_context: AppContext) -> LedgerStatus:
    """Return the status of the ledger, with cached counts and the incidents that are open now.

    Raises:
        WarehouseError: the warehouse is unavailable.
    """
    month = app_context.horizon.current
    with app_context.read_connection() as connection:
        turned = app_context.current_month(connection) == month
        incidents = open_incidents(connection)
    # The key holds the month and whether it was opened: a status from before either change is outdated after it.
    status = app_context.status_cache.get((month, turned), lambda: _query_status(app_context, turned=turned))
    return status.model_copy(update={"status": "blocked", "incidents": incidents}) if incidents else status


def _query_status(app_context: AppContext, *, turned: bool) -> LedgerStatus:
    with app_context.snapshot() as connection:
        found = status_queries.status_summary(connection)
        fresh = freshness(connection)
        took = list(measure_queries(connection).values())
    return LedgerStatus(
        status=_state(found, fresh, turned=turned),
        incidents=[],
        statistics=StatusStatistics(
            total_monthly_balances=found.total_monthly_balances,
            total_transaction_calculations=found.total_transaction_calculations,
            active_customers=found.active_customers,
            avg_query_time_ms=Decimal(str(sum(took) / len(took) if took else 0)).quantize(_CENT),
        ),
        recent_updates=found.recent_updates,
        checked_at=found.checked_at,
    )


def _state(
    found: status_queries.StatusSummary, fresh: Freshness, *, turned: bool
) -> Literal["operational", "catching_up", "empty"]:
    if not found.total_monthly_balances:
        return "empty"
    return "catching_up" if fresh.pending or fresh.stale or not turned else "operational"
