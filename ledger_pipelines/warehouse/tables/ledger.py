"""The computed tables of schema ``ledger``: transactions, balances, invalidations, alerts of low balances."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.domain import AlertKind
from ledger_pipelines.warehouse.tables.common import (
    ExactNumber,
    Moment,
    MonthKey,
    Rupiah,
    StandardVolume,
    column,
    customer_id,
    key,
    one_of,
    table,
    year_month,
)

transaction_calculations = table(
    "ledger",
    "transaction_calculations",
    "Cost of each usable reading: one row per reading",
    customer_id(),
    column("data_pencatatan_id", sa.BigInteger, "The reading: data_pencatatan.id; unique over all months"),
    year_month("Month of the reading in WIB"),
    column("transaction_date", Moment, "Time of the reading"),
    column("volume_flow_meter", ExactNumber, "Volume as recorded: metered m³, or Sm³ for fob"),
    column("koreksi_meter", ExactNumber, "Correction factor applied; 1 for fob"),
    column("volume_sm3", StandardVolume, "volume_flow_meter × koreksi_meter, rounded to 4 decimals"),
    column("harga_per_m3", ExactNumber, "Price in force at the time of the reading, rupiah per Sm³"),
    column("total_harga", Rupiah, "volume_flow_meter × koreksi_meter × harga_per_m3, rounded once to 2 decimals"),
    column(
        "pricing_used",
        JSONB,
        "Price rule that applied, the price entry, its dates, and the source of the factor",
    ),
    column("tekanan_keluar", ExactNumber, "Outlet pressure in force, bar gauge", null=True),
    column("suhu", ExactNumber, "Gas temperature in force, °C", null=True),
    column("calculated_at", Moment, "When this row last changed"),
    column("is_recalculated", sa.Boolean, "True if the row replaced or corrected an earlier one"),
    key("data_pencatatan_id", "year_month"),
    sa.Index(None, "customer_id", "transaction_date"),
    by_month=True,
)

monthly_customer_balances = table(
    "ledger",
    "monthly_customer_balances",
    "Balances: one row per customer and month, without a gap from the first activity on",
    customer_id(),
    year_month("The month"),
    column("opening_balance", Rupiah, "closing_balance of the month before; 0 before the first"),
    column("total_deposits", Rupiah, "Signed deposits dated in the month"),
    column("total_purchases", Rupiah, "Sum of total_harga of the month's transactions"),
    column(
        "closing_balance",
        Rupiah,
        "opening_balance + total_deposits - total_purchases; negative: the customer owes",
    ),
    column("total_volume_sm3", StandardVolume, "Sum of volume_sm3 of the month's transactions"),
    column(
        "calculation_details",
        JSONB,
        "Number of transactions and of deposit entries in the month's figures",
    ),
    column("last_calculated_at", Moment, "When this row last changed"),
    key("customer_id", "year_month"),
    sa.Index(None, "year_month"),
)

stale_months = table(
    "ledger",
    "stale_months",
    "Invalidations: months of a table to recalculate because their inputs changed; empty if all are current",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id of the invalidation"),
    column("table_name", sa.Text, "The table to recalculate"),
    column("year_month", MonthKey, "The month to recalculate"),
    column("customer_id", sa.BigInteger, "The customer to recalculate; null: every customer", null=True),
    column("noted_at", Moment, "When the change was detected", server_default=sa.func.now()),
    sa.UniqueConstraint("table_name", "year_month", "customer_id", postgresql_nulls_not_distinct=True),
)

balance_thresholds = table(
    "ledger",
    "balance_thresholds",
    "Customers' own limits of a low balance; customers without a row have the defaults",
    customer_id(),
    column("threshold", Rupiah, "A balance below this amount is low, in rupiah; null: the default", null=True),
    column(
        "days", sa.Integer, "A balance that lasts fewer days is low; 0: never by days; null: the default", null=True
    ),
    column("set_at", Moment, "When it was last set", server_default=sa.func.now()),
    key("customer_id"),
    sa.CheckConstraint("days >= 0", name="days"),
    sa.CheckConstraint("threshold IS NOT NULL OR days IS NOT NULL", name="says_something"),
)

_OPEN, _UNDELIVERED = sa.text("cleared_at IS NULL"), sa.text("delivered_at IS NULL")

balance_alerts = table(
    "ledger",
    "balance_alerts",
    "Low balances: one row each time that a customer's current balance became low",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id of the alert"),
    column(
        "event_id",
        sa.Uuid,
        "Id of the alert for the receiver of the webhook, the same in every attempt",
        server_default=sa.text("gen_random_uuid()"),
    ),
    customer_id(),
    column("kind", sa.Text, "threshold: the balance fell below the threshold; days_left: it lasts too few days"),
    column(
        "raised_at", Moment, "When the alert was raised: when the low balance was written", server_default=sa.func.now()
    ),
    column("balance", Rupiah, "Closing balance of the current month when the alert was raised"),
    column("threshold", Rupiah, "The customer's threshold at that time, in rupiah"),
    column(
        "days_left",
        ExactNumber,
        "Days that the balance would last at the average use of 30 days, truncated to one decimal; null: no use",
        null=True,
    ),
    column("days", sa.Integer, "The customer's limit of days at that time; 0: never by days"),
    column("run_id", sa.Text, "The run that wrote the balance"),
    column(
        "cleared_at",
        Moment,
        "When the alert was cleared: when a balance was written that is not low; null: still low",
        null=True,
    ),
    column(
        "delivered_at", Moment, "When the webhook accepted it; null: not yet, or no webhook is configured", null=True
    ),
    column("attempts", sa.Integer, "Number of attempts to post it", server_default=sa.text("0")),
    column("next_attempt_at", Moment, "Earliest time of the next attempt; null: not posted yet", null=True),
    column("last_error", sa.Text, "Why the last attempt failed; null: it did not fail", null=True),
    one_of("kind", AlertKind),
    # At most one open alert per customer and kind, even if several processes write balances.
    sa.Index("uq_balance_alerts_open", "customer_id", "kind", unique=True, postgresql_where=_OPEN),
    sa.Index("ix_balance_alerts_undelivered", "raised_at", postgresql_where=_UNDELIVERED),
)
