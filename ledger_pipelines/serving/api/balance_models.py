"""Response models of /api/realtime-balance."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from ledger_pipelines.serving.web.models import Exact, ResponseModel, YearMonthKey


class BalanceOfMonth(ResponseModel):
    """Balance figures of a month, in rupiah and Sm³."""

    opening_balance: Exact
    total_deposits: Exact
    total_purchases: Exact
    closing_balance: Exact
    total_volume_sm3: Exact
    last_calculated_at: datetime


class CustomerBalance(ResponseModel):
    """Balance of a customer in a month."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey
    balance: BalanceOfMonth


class StatusStatistics(ResponseModel):
    """Counts of the ledger."""

    total_monthly_balances: int
    total_transaction_calculations: int
    active_customers: int = Field(description="Number of the billing application's customers with a balance")
    avg_query_time_ms: Exact = Field(
        description="Mean time of the two most common queries: a balance and a month's transactions"
    )


class RecentUpdate(ResponseModel):
    """Recently written balance."""

    customer_name: str | None
    year_month: YearMonthKey
    last_calculated_at: datetime
    closing_balance: Exact


class OpenIncident(ResponseModel):
    """Incident that needs a person's action."""

    id: int
    kind: str = Field(description="Kind of incident, such as deletion_refused")
    subject: str = Field(description="Affected object: a customer, table, sensor or job")
    customers: list[int] = Field(
        description="Customers whose figures may be wrong; empty: not limited to certain customers"
    )
    opened_at: datetime
    last_seen_at: datetime
    occurrences: int = Field(description="Number of times the incident was detected")
    owner: str = Field(description="Team that is responsible")
    reason: str = Field(description="What is wrong")
    what_to_do: str


class LedgerStatus(ResponseModel):
    """Status of the ledger."""

    status: Literal["operational", "blocked", "catching_up", "empty"] = Field(
        description=(
            "The first that applies: blocked: incidents are open, so balances may be wrong; empty: nothing is computed "
            "yet; catching_up: changes are queued, or a new month is not open yet; operational: every balance is "
            "current"
        )
    )
    incidents: list[OpenIncident] = Field(description="Open incidents, oldest first; never cached")
    statistics: StatusStatistics
    recent_updates: list[RecentUpdate] = Field(description="The ten most recently written balances, newest first")
    checked_at: datetime


class TransactionOfMonth(ResponseModel):
    """Transaction: the cost of one reading."""

    data_pencatatan_id: int
    transaction_date: datetime
    volume_flow_meter: Exact
    koreksi_meter: Exact
    volume_sm3: Exact
    harga_per_m3: Exact
    total_harga: Exact
    pricing_used: dict[str, Any] = Field(description="Pricing rule that applied, the entry as used, and its dates")
    tekanan_keluar: Exact | None
    suhu: Exact | None
    calculated_at: datetime
    is_recalculated: bool


class TransactionsSummary(ResponseModel):
    """Sums of the transactions."""

    total_transactions: int
    total_volume: Exact
    total_amount: Exact


class CustomerTransactions(ResponseModel):
    """Transactions of a customer in a month."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey
    transactions: list[TransactionOfMonth]
    summary: TransactionsSummary


class YearSummary(ResponseModel):
    """Sums of a year."""

    total_customers: int
    total_deposits: Exact
    total_purchases: Exact
    total_closing_balance: Exact = Field(description="Sum of each customer's last closing balance of the year")
    total_volume: Exact


class MonthlyTrend(ResponseModel):
    """Sums of a month over all customers."""

    year_month: YearMonthKey
    monthly_deposits: Exact
    monthly_purchases: Exact
    monthly_balance: Exact
    monthly_volume: Exact


class TopCustomer(ResponseModel):
    """Customer with a large volume."""

    id: int
    name: str | None
    total_volume: Exact
    total_purchases: Exact
    avg_balance: Exact = Field(description="Mean of the customer's closing balances of the year, to 2 decimals")


class YearInFigures(ResponseModel):
    """Figures of a year."""

    year: int
    summary: YearSummary
    monthly_trend: list[MonthlyTrend]
    top_customers: list[TopCustomer] = Field(description="The ten customers with the largest volume")
    generated_at: datetime


class UpdateStarted(ResponseModel):
    """Started recalculation of a customer."""

    success: Literal[True] = True
    message: str
    customer_id: int
    start_month: YearMonthKey
    run_id: str = Field(description="Dagster's run id")
