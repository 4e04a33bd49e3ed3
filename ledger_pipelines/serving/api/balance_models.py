"""Response models of /api/realtime-balance."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from ledger_pipelines.serving.web.models import ExactDecimal, ResponseModel, YearMonthKey


class BalanceOfMonth(ResponseModel):
    """Balance figures of a month, in rupiah and Sm³."""

    opening_balance: ExactDecimal
    total_deposits: ExactDecimal
    total_purchases: ExactDecimal
    closing_balance: ExactDecimal
    total_volume_sm3: ExactDecimal
    last_calculated_at: datetime


class CustomerBalance(ResponseModel):
    """Balance of a customer in a month."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey
    balance: BalanceOfMonth


class TransactionOfMonth(ResponseModel):
    """Transaction: the cost of one reading."""

    data_pencatatan_id: int
    transaction_date: datetime
    volume_flow_meter: ExactDecimal
    koreksi_meter: ExactDecimal
    volume_sm3: ExactDecimal
    harga_per_m3: ExactDecimal
    total_harga: ExactDecimal
    pricing_used: dict[str, Any] = Field(description="Pricing rule that applied, the entry as used, and its dates")
    tekanan_keluar: ExactDecimal | None
    suhu: ExactDecimal | None
    calculated_at: datetime
    is_recalculated: bool


class TransactionsSummary(ResponseModel):
    """Sums of the transactions."""

    total_transactions: int
    total_volume: ExactDecimal
    total_amount: ExactDecimal


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
    total_deposits: ExactDecimal
    total_purchases: ExactDecimal
    total_closing_balance: ExactDecimal = Field(description="Sum of each customer's last closing balance of the year")
    total_volume: ExactDecimal


class MonthlyTrend(ResponseModel):
    """Sums of a month over all customers."""

    year_month: YearMonthKey
    monthly_deposits: ExactDecimal
    monthly_purchases: ExactDecimal
    monthly_balance: ExactDecimal
    monthly_volume: ExactDecimal


class TopCustomerModel(ResponseModel):
    """Customer with a large volume."""

    id: int
    name: str | None
    total_volume: ExactDecimal
    total_purchases: ExactDecimal
    avg_balance: ExactDecimal = Field(description="Mean of the customer's closing balances of the year, to 2 decimals")


class YearInFigures(ResponseModel):
    """Figures of a year."""

    year: int
    summary: YearSummary
    monthly_trend: list[MonthlyTrend]
    top_customers: list[TopCustomerModel] = Field(description="The ten customers with the largest volume")
    generated_at: datetime


class UpdateStarted(ResponseModel):
    """Started recalculation of a customer."""

    success: Literal[True] = True
    message: str
    customer_id: int
    start_month: YearMonthKey
    run_id: str = Field(description="Dagster's run id")
