"""Response models that all routes share; OpenAPI describes responses from them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger_pipelines.warehouse.ops.incidents import OpenIncident
from ledger_pipelines.warehouse.queries.paging import ResultPage
from ledger_pipelines.warehouse.queries.status import RecentUpdate
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal


class ResponseModel(BaseModel):
    """Base of all response models.

    Fields may be read models of the warehouse queries, whose attribute docstrings become descriptions.
    """

    model_config = ConfigDict(from_attributes=True, populate_by_name=True, use_attribute_docstrings=True)


class ErrorResponse(ResponseModel):
    """Body of every error response."""

    success: Literal[False] = False
    message: str = Field(description="What went wrong and what to do about it")
    errors: dict[str, list[str]] = Field(
        default_factory=dict, description="Messages by parameter; empty unless a parameter is invalid", examples=[{}]
    )


class Pagination(ResponseModel):
    """Position of a page within a list."""

    current_page: int
    last_page: int
    per_page: int
    total: int
    first: int | None = Field(
        alias="from", description="Number of the first item on the page, from 1; null if the page is empty"
    )
    last: int | None = Field(alias="to", description="Number of the last item on the page; null if the page is empty")


def pagination_of(page: ResultPage[Any]) -> Pagination:
    """Return the position of a page within its list."""
    return Pagination.model_validate(page.pagination())


class StatusStatistics(ResponseModel):
    """Counts of the ledger."""

    total_monthly_balances: int
    total_transaction_calculations: int
    active_customers: int = Field(description="Number of the billing application's customers with a balance")
    avg_query_time_ms: ExactDecimal = Field(
        description="Mean time of the two most common queries: a balance and a month's transactions"
    )


class LedgerStatus(ResponseModel):
    """Status of the ledger."""

    status: Literal["operational", "blocked", "catching_up", "empty"] = Field(
        description=(
            "The first that applies: blocked: incidents are open, so balances may be wrong; empty: nothing is computed "
            "yet; catching_up: changes are queued, or a new month is not open yet; operational: every balance is "
            "current"
        )
    )
    incidents: Sequence[OpenIncident] = Field(description="Open incidents, oldest first; never cached")
    statistics: StatusStatistics
    recent_updates: Sequence[RecentUpdate] = Field(description="The ten most recently written balances, newest first")
    checked_at: datetime
