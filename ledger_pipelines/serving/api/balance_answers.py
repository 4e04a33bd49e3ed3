"""What /api/realtime-balance answers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from ledger_pipelines.serving.api.answers import Answer, Exact, YearMonthKey


class BalanceOfMonth(Answer):
    """The figures of a month."""

    opening_balance: Exact
    total_deposits: Exact
    total_purchases: Exact
    closing_balance: Exact
    total_volume_sm3: Exact
    last_calculated_at: datetime


class CustomerBalance(Answer):
    """The balance of a customer and month."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey
    balance: BalanceOfMonth


class StatusStatistics(Answer):
    """The ledger in numbers."""

    total_monthly_balances: int
    total_transaction_calculations: int
    active_customers: int = Field(description="Customers of the billing application that have a balance")
    avg_query_time_ms: Exact = Field(description="Mean of the two usual queries: a balance, and a month's transactions")


class RecentUpdate(Answer):
    """A balance that was written of late."""

    customer_name: str | None
    year_month: YearMonthKey
    last_calculated_at: datetime
    closing_balance: Exact


class OpenIncident(Answer):
    """What is wrong and waits for a person."""

    id: int
    kind: str = Field(description="What kind of incident, such as deletion_refused")
    subject: str = Field(description="What it is about: a customer, a table, a sensor, a job")
    customers: list[int] = Field(description="Customers whose figures may be wrong because of it; none: no one's alone")
    opened_at: datetime
    last_seen_at: datetime
    occurrences: int = Field(description="How often it was seen")
    owner: str = Field(description="The team that takes care of it")
    reason: str = Field(description="What is wrong")
    what_to_do: str


class LedgerStatus(Answer):
    """How the ledger is."""

    status: Literal["operational", "blocked", "catching_up", "empty"] = Field(
        description=(
            "blocked: incidents are open, so balances may be wrong; else empty: nothing is computed yet; "
            "else catching_up: changes wait, or a month has just begun; else operational: every balance is current"
        )
    )
    incidents: list[OpenIncident] = Field(description="The open incidents, the oldest first; always as of now")
    statistics: StatusStatistics
    recent_updates: list[RecentUpdate] = Field(description="The ten balances written last, the newest first")
    checked_at: datetime


class TransactionOfMonth(Answer):
    """What a reading cost."""

    data_pencatatan_id: int
    transaction_date: datetime
    volume_flow_meter: Exact
    koreksi_meter: Exact
    volume_sm3: Exact
    harga_per_m3: Exact
    total_harga: Exact
    pricing_used: dict[str, Any] = Field(description="The rule that gave the price, the entry as used, and its dates")
    tekanan_keluar: Exact | None
    suhu: Exact | None
    calculated_at: datetime
    is_recalculated: bool


class TransactionsSummary(Answer):
    """The transactions together."""

    total_transactions: int
    total_volume: Exact
    total_amount: Exact


class CustomerTransactions(Answer):
    """The transactions of a customer and month."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey
    transactions: list[TransactionOfMonth]
    summary: TransactionsSummary


class YearSummary(Answer):
    """A year's sums."""

    total_customers: int
    total_deposits: Exact
    total_purchases: Exact
    total_closing_balance: Exact = Field(
        description="The sum of each customer's balance in the last month of the year that has one"
    )
    total_volume: Exact


class MonthlyTrend(Answer):
    """The sums over all customers of a month."""

    year_month: YearMonthKey
    monthly_deposits: Exact
    monthly_purchases: Exact
    monthly_balance: Exact
    monthly_volume: Exact


class TopCustomer(Answer):
    """A customer that used much."""

    id: int
    name: str | None
    total_volume: Exact
    total_purchases: Exact
    avg_balance: Exact = Field(description="The mean of its closing balances of the year, to 2 decimals")


class YearInFigures(Answer):
    """A year in figures."""

    year: int
    summary: YearSummary
    monthly_trend: list[MonthlyTrend]
    top_customers: list[TopCustomer] = Field(description="The ten that used most, by volume")
    generated_at: datetime


class UpdateStarted(Answer):
    """A customer is being recalculated."""

    success: Literal[True] = True
    message: str
    customer_id: int
    start_month: YearMonthKey
    run_id: str = Field(description="The run, by which Dagster knows it")
