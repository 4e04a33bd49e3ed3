"""How the ledger is, for the status page and the metrics: its counts are cached, its open incidents are not."""

from decimal import Decimal
from typing import Literal

from ledger_pipelines.serving.api.balance_answers import LedgerStatus, OpenIncident, RecentUpdate, StatusStatistics
from ledger_pipelines.serving.api.parts import Parts
from ledger_pipelines.serving.health import usual_query_ms
from ledger_pipelines.warehouse.incidents import open_incidents
from ledger_pipelines.warehouse.questions import status as questions

_CENT = Decimal("0.01")


def status_of(parts: Parts) -> LedgerStatus:
    """Return how the ledger is: its counts as of a moment ago, its open incidents as of now.

    Raises:
        WarehouseError: the warehouse is away.
    """
    month = parts.horizon.current
    with parts.reading() as connection:
        turned = parts.current_month(connection) == month
        incidents = [OpenIncident.model_validate(incident) for incident in open_incidents(connection)]
    # What was found before a month began, or before it was turned, is not how the ledger is after that.
    counted = parts.statuses.get((month, turned), lambda: _status(parts, turned=turned))
    return counted.model_copy(update={"status": "blocked", "incidents": incidents}) if incidents else counted


def _status(parts: Parts, *, turned: bool) -> LedgerStatus:
    with parts.snapshot() as connection:
        found = questions.status(connection)
        took = list(usual_query_ms(connection).values())
    return LedgerStatus(
        status=_word(found, turned=turned),
        incidents=[],
        statistics=StatusStatistics(
            total_monthly_balances=found.total_monthly_balances,
            total_transaction_calculations=found.total_transaction_calculations,
            active_customers=found.active_customers,
            avg_query_time_ms=Decimal(str(sum(took) / len(took) if took else 0)).quantize(_CENT),
        ),
        recent_updates=[RecentUpdate.model_validate(update) for update in found.recent_updates],
        checked_at=found.checked_at,
    )


def _word(found: questions.Status, *, turned: bool) -> Literal["operational", "catching_up", "empty"]:
    if not found.total_monthly_balances:
        return "empty"
    return "catching_up" if found.pending_changes or found.stale_months or not turned else "operational"
