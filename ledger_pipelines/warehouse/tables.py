"""Every table of the warehouse, declared once: columns, types, keys and comments.

What belongs here: declarations. How a month of a table is written is in ``months.py``; how the schema changes over
time is in ``migrations/`` (a test holds the two together). The ERP's tables are made from their catalogue, which is a
declaration too and knows no library.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem

from ledger_pipelines.sources.erp_tables import ERP_TABLES, ErpTable, Kind

SCHEMAS = ("billing", "erp", "ledger", "analytics", "ops")

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

#: A month key, compared bytewise, so that text order is month order under any locale.
MonthKey = sa.String(7, collation="C")
#: As many digits as were given.
Digits = sa.Numeric()
#: Rupiah to 2 decimals. The precision is room for any product of numbers that the readers let in.
Rupiah = sa.Numeric(60, 2)
#: Standard cubic metres to 4 decimals.
StandardVolume = sa.Numeric(60, 4)
Moment = sa.DateTime(timezone=True)
#: The time by the clock; now() is when the transaction began.
_CLOCK = sa.text("clock_timestamp()")


def _column(
    name: str, type_: Any, comment: str, *items: sa.Computed | sa.Identity, null: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, type_, *items, nullable=null, comment=comment, **options)


def _table(schema: str, name: str, comment: str, *items: SchemaItem, by_month: bool = False) -> sa.Table:
    options: dict[str, Any] = {"postgresql_partition_by": "LIST (year_month)"} if by_month else {}
    return sa.Table(name, metadata, *items, schema=schema, comment=comment, **options)


def _key(*columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns)


def _customer_id() -> sa.Column[Any]:
    return _column("customer_id", sa.BigInteger, "The customer: users.id of the billing application")


def _year_month(comment: str) -> sa.Column[Any]:
    return _column("year_month", MonthKey, comment)


def _price_fields(of: str) -> Sequence[sa.Column[Any]]:
    return (
        _column("harga_per_meter_kubik", Digits, f"Price of one Sm³ in rupiah, {of}", null=True),
        _column("tekanan_keluar", Digits, f"Outlet pressure in bar gauge, {of}", null=True),
        _column("suhu", Digits, f"Gas temperature in °C, {of}", null=True),
        _column("koreksi_meter", Digits, f"Correction factor from metered m³ to Sm³, {of}", null=True),
    )


customers = _table(
    "billing",
    "customers",
    "The billing application's customers: its users with role customer or fob",
    _customer_id(),
    _column("name", sa.Text, "Name", null=True),
    _column("email", sa.Text, "E-mail address", null=True),
    _column("role", sa.Text, "customer: metered; fob: billed free on board, in Sm³"),
    _column("no_kontrak", sa.Text, "Contract number", null=True),
    _column("alamat", sa.Text, "Address", null=True),
    _column("nomor_tlpn", sa.Text, "Telephone number", null=True),
    _column("total_deposit", Digits, "The application's own running total of deposits, in rupiah", null=True),
    _column("total_purchases", Digits, "The application's own running total of purchases, in rupiah", null=True),
    *_price_fields("the customer's default"),
    _column("use_realtime_calculation", sa.Boolean, "False: automatic recalculation leaves the customer alone"),
    _column("balance_last_updated_at", Moment, "When the application last updated its balance", null=True),
    _column("created_at", Moment, "When the application created the row", null=True),
    _column("updated_at", Moment, "When the application last changed the row", null=True),
    _key("customer_id"),
)

prices = _table(
    "billing",
    "prices",
    "Price entries of the customers (users.pricing_history), one row a usable entry",
    _customer_id(),
    _column(
        "position",
        sa.Integer,
        "Place of the entry in the customer's list, from 0; the first that applies wins",
    ),
    _column("rule", sa.Text, "custom_period or monthly"),
    _column("valid_from", Moment, "First moment at which the entry applies"),
    _column("valid_to", Moment, "First moment at which it applies no more (the end in the source is inclusive)"),
    *_price_fields("as the entry gives it"),
    _column("entry", JSONB, "The entry as it stands in the application"),
    _key("customer_id", "position"),
    sa.CheckConstraint("rule IN ('custom_period', 'monthly')", name="rule"),
    sa.CheckConstraint("valid_from < valid_to", name="period"),
)

deposits = _table(
    "billing",
    "deposits",
    "Deposit entries of the customers (users.deposit_history), one row a usable entry",
    _customer_id(),
    _year_month("Month of the deposit in WIB"),
    _column("deposited_at", Moment, "The deposit's own date"),
    _column(
        "ordinal",
        sa.Integer,
        "0, or which of several entries of the customer at the same moment, in list order",
    ),
    _column("amount", Rupiah, "Signed rupiah: what the entry adds to (or takes from) the balance"),
    _column("amount_given", Digits, "The amount as the entry gives it"),
    _column("keterangan", sa.Text, "penambahan: adds to the balance; pengurangan: takes from it"),
    _column("description", sa.Text, "Free text of the entry", null=True),
    _key("customer_id", "deposited_at", "ordinal", "year_month"),
    by_month=True,
)

meter_readings = _table(
    "billing",
    "meter_readings",
    "Usable meter readings (data_pencatatan), one row a reading",
    _column("reading_id", sa.BigInteger, "data_pencatatan.id of the billing application"),
    _customer_id(),
    _year_month("Month of reading_at in WIB"),
    _column("kind", sa.Text, "metered: volume in metered m³; fob: volume in Sm³"),
    _column("reading_at", Moment, "The reading's moment: pembacaan_awal.waktu (metered) or waktu (fob)"),
    _column("ended_at", Moment, "pembacaan_akhir.waktu of a metered reading", null=True),
    _column("volume", Digits, "volume_flow_meter (m³) or volume_sm3 (Sm³), every digit as given"),
    _column("opening_volume", Digits, "State of the meter at the start, m³", null=True),
    _column("closing_volume", Digits, "State of the meter at the end, m³", null=True),
    _column("harga_final", Digits, "The application's own amount for the reading, in rupiah", null=True),
    _column("status_pembayaran", sa.Text, "belum_lunas: unpaid; lunas: paid", null=True),
    _column("created_at", Moment, "When the application created the row", null=True),
    _column("updated_at", Moment, "When the application last changed the row", null=True),
    _key("reading_id", "year_month"),
    sa.Index(None, "customer_id", "reading_at"),
    by_month=True,
)

transaction_calculations = _table(
    "ledger",
    "transaction_calculations",
    "What each usable reading cost: one row a reading",
    _customer_id(),
    _column("data_pencatatan_id", sa.BigInteger, "The reading: data_pencatatan.id; unique over all months"),
    _year_month("Month of the reading in WIB"),
    _column("transaction_date", Moment, "The reading's moment"),
    _column("volume_flow_meter", Digits, "Volume as given: metered m³, or Sm³ for fob"),
    _column("koreksi_meter", Digits, "Correction factor applied; 1 for fob"),
    _column("volume_sm3", StandardVolume, "volume_flow_meter × koreksi_meter, rounded to 4 decimals"),
    _column("harga_per_m3", Digits, "Price of one Sm³ in rupiah in force at the reading's moment"),
    _column("total_harga", Rupiah, "volume_flow_meter × koreksi_meter × harga_per_m3, rounded once to 2 decimals"),
    _column(
        "pricing_used",
        JSONB,
        "Which rule gave the price, the entry as used, its dates, where the factor is from",
    ),
    _column("tekanan_keluar", Digits, "Outlet pressure in force, bar gauge", null=True),
    _column("suhu", Digits, "Gas temperature in force, °C", null=True),
    _column("calculated_at", Moment, "When this row last changed"),
    _column("is_recalculated", sa.Boolean, "True if the row replaced or corrected an earlier one"),
    _key("data_pencatatan_id", "year_month"),
    sa.Index(None, "customer_id", "transaction_date"),
    by_month=True,
)

monthly_customer_balances = _table(
    "ledger",
    "monthly_customer_balances",
    "The balance of each customer month by month, without a gap from the first activity on",
    _customer_id(),
    _year_month("The month"),
    _column("opening_balance", Rupiah, "closing_balance of the month before; 0 before the first"),
    _column("total_deposits", Rupiah, "Signed deposits dated in the month"),
    _column("total_purchases", Rupiah, "Sum of total_harga of the month's transactions"),
    _column(
        "closing_balance",
        Rupiah,
        "opening_balance + total_deposits - total_purchases; negative: the customer owes",
    ),
    _column("total_volume_sm3", StandardVolume, "Sum of volume_sm3 of the month's transactions"),
    _column(
        "calculation_details",
        JSONB,
        "How many transactions and deposit entries the month's figures stand for",
    ),
    _column("last_calculated_at", Moment, "When this row last changed"),
    _key("customer_id", "year_month"),
    sa.Index(None, "year_month"),
)

stale_months = _table(
    "ledger",
    "stale_months",
    "Months of a ledger table whose inputs changed: to be recalculated. Empty when all is current",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the note"),
    _column("table_name", sa.Text, "The table to recalculate"),
    _column("year_month", MonthKey, "The month to recalculate"),
    _column("customer_id", sa.BigInteger, "The customer to recalculate; null: every customer", null=True),
    _column("noted_at", Moment, "When the change was noted", server_default=sa.func.now()),
    sa.UniqueConstraint("table_name", "year_month", "customer_id", postgresql_nulls_not_distinct=True),
)

balance_thresholds = _table(
    "ledger",
    "balance_thresholds",
    "When the balance of a customer is low, where it is not as for all others",
    _customer_id(),
    _column("threshold", Rupiah, "Low is a balance below this, in rupiah; null: as for all others", null=True),
    _column("days", sa.Integer, "Low is what lasts fewer days than this; 0: never; null: as for all others", null=True),
    _column("set_at", Moment, "When it was last set", server_default=sa.func.now()),
    _key("customer_id"),
    sa.CheckConstraint("days >= 0", name="days"),
    sa.CheckConstraint("threshold IS NOT NULL OR days IS NOT NULL", name="says_something"),
)

_OPEN, _UNDELIVERED = sa.text("cleared_at IS NULL"), sa.text("delivered_at IS NULL")

balance_alerts = _table(
    "ledger",
    "balance_alerts",
    "Low balances: one row for each time that a customer's current balance became low",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the alert"),
    _column(
        "event_id",
        sa.Uuid,
        "Names the alert to whom it is posted, however often",
        server_default=sa.text("gen_random_uuid()"),
    ),
    _customer_id(),
    _column("kind", sa.Text, "threshold: the balance fell below the threshold; days_left: it lasts too few days"),
    _column("raised_at", Moment, "When the balance that is low was written", server_default=sa.func.now()),
    _column("balance", Rupiah, "Closing balance of the current month, then"),
    _column("threshold", Rupiah, "The customer's threshold in rupiah, then"),
    _column(
        "days_left",
        Digits,
        "Days the balance lasted at the use of the 30 days before, cut to one decimal; null: no use",
        null=True,
    ),
    _column("days", sa.Integer, "How many days it should last, then; 0: not looked at"),
    _column("run_id", sa.Text, "The run that wrote the balance"),
    _column("cleared_at", Moment, "When the balance was written that is not low any more; null: low", null=True),
    _column("delivered_at", Moment, "When the webhook accepted it; null: not yet, or there is none", null=True),
    _column("attempts", sa.Integer, "How often it was posted", server_default=sa.text("0")),
    _column("next_attempt_at", Moment, "Not to be posted again before; null: not posted yet", null=True),
    _column("last_error", sa.Text, "Why the last attempt failed; null: it did not", null=True),
    sa.CheckConstraint("kind IN ('threshold', 'days_left')", name="kind"),
    # Whoever writes balances at the same time: a customer is low once.
    sa.Index("uq_balance_alerts_open", "customer_id", "kind", unique=True, postgresql_where=_OPEN),
    sa.Index("ix_balance_alerts_undelivered", "raised_at", postgresql_where=_UNDELIVERED),
)

#: Why a balance of ours and one of the application differ; each adds so much to the difference.
DIFFERENCE_REASONS = {
    "rounding": "cents of rounding in the application's bills and totals",
    "readings_without_price": "bills of readings that have no price or factor by any rule",
    "rejected_readings": "bills of readings that cannot be used (ops.rejected_rows)",
    "duplicate_readings": "readings that start together, of which the application counts one",
    "billed_otherwise": "other readings whose bill (harga_final) is not what the rules give",
    "rejected_deposits": "entries of deposit_history that cannot be used (ops.rejected_rows)",
    "deposits_outside_list": "the list of deposits does not add up to total_deposit",
    "unexplained": "none of these",
}

balance_comparison = _table(
    "ledger",
    "balance_comparison",
    "The latest balance of each customer against the billing application's own totals: one row a customer",
    _customer_id(),
    _column("last_month", MonthKey, "The month of the latest balance; null: the customer has none", null=True),
    _column("ledger_balance", Rupiah, "Closing balance of that month; 0 if the customer has none"),
    _column("application_balance", Digits, "total_deposit - total_purchases of the application; 0 for what is null"),
    _column("difference", Digits, "ledger_balance - application_balance: the sum of the reasons' amounts"),
    _column("matches", sa.Boolean, "True if the difference is below 0.01 rupiah either way"),
    _column("reasons", sa.ARRAY(sa.Text), "The reasons with an amount, if the balances do not match"),
    *(_column(name, Digits, f"Rupiah of the difference: {why}") for name, why in DIFFERENCE_REASONS.items()),
    _column("reason_rows", JSONB, "How many rows stand for each reason that comes from rows"),
    _column("compared_at", Moment, "When this row last changed"),
    _key("customer_id"),
    sa.CheckConstraint(f"difference = {' + '.join(DIFFERENCE_REASONS)}", name="reasons"),
    sa.Index("ix_balance_comparison_mismatches", "customer_id", postgresql_where=sa.text("NOT matches")),
)

customer_business_partners = _table(
    "ledger",
    "customer_business_partners",
    "Which business partners of the ERP a customer is invoiced as: one row a customer and partner",
    _customer_id(),
    _column("bp_code", sa.Text, "The business partner: so_invoice_line.bp_code of the ERP"),
    _column(
        "origin",
        sa.Text,
        "default: the contract number is the code; set: by a person; excluded: by a person",
    ),
    _column("since", Moment, "Since when it is so", server_default=sa.func.now()),
    _key("customer_id", "bp_code"),
    sa.CheckConstraint("origin IN ('default', 'set', 'excluded')", name="origin"),
    sa.Index(None, "bp_code"),
)

#: What came of a month of an account.
INVOICE_STATUSES = (
    "matched",
    "differs",
    "not_invoiced",
    "customer_without_partner",
    "partner_without_customer",
)

invoice_reconciliation = _table(
    "ledger",
    "invoice_reconciliation",
    "Purchases of the ledger against the ERP's invoices: one row a month and account",
    _year_month("The month of the readings, and of the deliveries that the invoices are about"),
    _column("account", sa.Text, "customer:N, the first of the customers; or partner:C for a partner without one"),
    _column("customer_id", sa.BigInteger, "The first of the customers; null: there is none", null=True),
    _column("customers", sa.ARRAY(sa.BigInteger), "The customers: several if they are invoiced as one partner"),
    _column("bp_codes", sa.ARRAY(sa.Text), "The business partners: several if one customer is invoiced as them"),
    _column("partner_name", sa.Text, "Name of a business partner, as an invoice has it", null=True),
    _column("purchases", Rupiah, "Purchases of the customers in the month, rupiah"),
    _column("invoiced", Digits, "Sum of amount_hc of the partners' invoiced lines of the month"),
    _column("invoice_lines", sa.BigInteger, "How many invoiced lines that are"),
    _column("difference", Digits, "purchases - invoiced"),
    _column("status", sa.Text, "What came of it: docs/rules.md, Invoice reconciliation"),
    _column("compared_at", Moment, "When this row last changed"),
    _key("year_month", "account"),
    sa.CheckConstraint("difference = purchases - invoiced", name="difference"),
    sa.CheckConstraint(f"status IN ({', '.join(map(repr, INVOICE_STATUSES))})", name="status"),
    sa.Index(None, "customer_id"),
)

rejected_rows = _table(
    "ops",
    "rejected_rows",
    "Source rows that cannot be used, each with its reason, until the source is corrected",
    _column("asset", sa.Text, "The asset that could not use the row"),
    _column("source_table", sa.Text, "The table of the source"),
    _column("source_id", sa.Text, "The row: its id, or id/column/position for an element of a list"),
    _column("customer_id", sa.BigInteger, "The customer the row names, where it names one", null=True),
    _column("year_month", MonthKey, "The month of the row, where it is known", null=True),
    _column("reason", sa.Text, "What is wrong with the row"),
    _column("raw_row", sa.Text, "The row as the source holds it"),
    _column("run_id", sa.Text, "The run that last rejected it"),
    _column("first_seen", Moment, "When it was first rejected"),
    _column("last_seen", Moment, "When it was last rejected"),
    _column(
        "reason_kind",
        sa.Text,
        "The reason up to its first colon, without its numbers: rows that are wrong in the same way have the same",
        sa.Computed(
            "regexp_replace(split_part(reason, ':'::text, 1), '[0-9]+'::text, '…'::text, 'g'::text)", persisted=True
        ),
    ),
    _key("asset", "source_table", "source_id"),
    sa.Index(None, "customer_id"),
    sa.Index(None, "asset", "reason_kind"),
)

loaded_months = _table(
    "ops",
    "loaded_months",
    "Months of a table that have been written for every customer at least once",
    _column("table_name", sa.Text, "The table"),
    _column("year_month", MonthKey, "The month; empty for a table that has none"),
    _column("run_id", sa.Text, "The run that last wrote the whole month"),
    _column("loaded_at", Moment, "When it was last written", server_default=sa.func.now()),
    _key("table_name", "year_month"),
)

pending_changes = _table(
    "ops",
    "pending_changes",
    "Changes noticed in the billing application and not taken up yet: one row a source row and customer",
    _column("source_table", sa.Text, "The table of the billing application"),
    _column("source_id", sa.BigInteger, "The row's id there"),
    _customer_id(),
    _column("first_month", MonthKey, "The earliest month that the change can touch"),
    _column("digest", sa.Text, "The row as it was when it was noticed; empty: it was gone"),
    _column("number", sa.BigInteger, "Grows with every change that is noticed", sa.Identity(always=True)),
    _column("changed_at", Moment, "When the row says that it changed; null where it did not say", null=True),
    _column("noticed_at", Moment, "When the oldest change that waits was noticed", server_default=_CLOCK),
    _column("held", sa.Boolean, "True while use_realtime_calculation is off", server_default=sa.false()),
    _column("attempts", sa.Integer, "How often taking it up has failed", server_default=sa.text("0")),
    _column("retry_at", Moment, "Not before this moment is it tried again", null=True),
    _column("error", sa.Text, "Why taking it up failed", null=True),
    _key("source_table", "source_id", "customer_id"),
    sa.Index(None, "customer_id"),
)

cursors = _table(
    "ops",
    "cursors",
    "How far whoever watches a source has come",
    _column("name", sa.Text, "Who watches what"),
    _column("position", sa.Text, "How far it has come"),
    _column("moved_at", Moment, "When it moved last", server_default=_CLOCK),
    _key("name"),
)

realtime_batches = _table(
    "ops",
    "realtime_batches",
    "Changes that were taken up together, in one transaction, and how long they had waited; kept 30 days",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the batch"),
    _column("run_id", sa.Text, "The Dagster run"),
    _column("committed_at", Moment, "When it was done", server_default=_CLOCK),
    _column("customers", sa.Integer, "How many customers were recalculated"),
    _column("changes", sa.Integer, "How many changes were taken up"),
    _column("first_month", MonthKey, "The earliest month that was recalculated"),
    _column("since_change_ms", sa.ARRAY(sa.BigInteger), "Milliseconds since each changed, by its own word"),
    _column("since_notice_ms", sa.ARRAY(sa.BigInteger), "Milliseconds since each was noticed"),
    sa.Index(None, "committed_at"),
)

_ERP_TYPES: dict[Kind, Any] = {
    Kind.TEXT: sa.Text,
    Kind.INTEGER: sa.BigInteger,
    Kind.DECIMAL: Digits,
    Kind.DATE: sa.Date,
    Kind.BOOLEAN: sa.Boolean,
}


def _erp_table(source: ErpTable) -> sa.Table:
    """The copy of an ERP table. It has no key: what identifies a row is its whole content, and equal rows may be."""
    classes = {name: "text_pattern_ops" for name in source.key[:2] if name in source.names_of(Kind.TEXT)}
    bytewise: dict[str, Any] = {"postgresql_ops": classes} if classes else {}
    of_month = "in which the row was read" if source.is_snapshot else f"of {', else '.join(source.month_columns)}"
    return _table(
        "erp",
        source.name,
        source.comment,
        _year_month(f"Month {of_month}, in WIB"),
        *(_column(column.name, _ERP_TYPES[column.kind], column.comment, null=True) for column in source.columns),
        _column("synced_at", Moment, "When this row came or last changed", server_default=sa.func.now()),
        # Bytewise order builds several times as fast as the locale's, and serves to find a key as well.
        sa.Index(f"ix_{source.name}_key", *source.key[:2], **bytewise),
        by_month=True,
    )


erp_tables = {source.name: _erp_table(source) for source in ERP_TABLES}

source_fingerprints = _table(
    "ops",
    "source_fingerprints",
    "What each day of an ERP table looked like when it was last read; a day that differs is read again",
    _column("table_name", sa.Text, "The ERP's table"),
    _column("day", sa.Text(collation="C"), "The day, as 2025-03-31; empty: rows without any date"),
    _column("year_month", MonthKey, "Month in which its rows were stored; empty: outside the partitions, so rejected"),
    _column("row_count", sa.BigInteger, "How many rows the source had"),
    _column("digest", sa.Text, "Sums and a hash of all its rows, as the source's server computes them"),
    _column("run_id", sa.Text, "The run that read them"),
    _column("taken_at", Moment, "When they were read", server_default=sa.func.now()),
    _key("table_name", "day"),
)

_RUNNING = sa.text("status = 'running'")

sync_logs = _table(
    "ops",
    "sync_logs",
    "Syncs of the ERP: one row a sync; at most one is running",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the sync"),
    _column("sync_type", sa.Text, "manual: started by a person or program; scheduled: by the hourly schedule"),
    _column("status", sa.Text, "running, completed, failed or cancelled"),
    _column("started_at", Moment, "When it started", server_default=sa.func.now()),
    _column("completed_at", Moment, "When it ended; null while it runs", null=True),
    _column("total_records", sa.BigInteger, "Rows read: success_records + failed_records", server_default=sa.text("0")),
    _column("success_records", sa.BigInteger, "Rows that the copy has as the source has", server_default=sa.text("0")),
    _column("failed_records", sa.BigInteger, "Rows that were rejected", server_default=sa.text("0")),
    _column("error_message", sa.Text, "Why it failed", null=True),
    _column(
        "duration",
        sa.Numeric(14, 3),
        "Seconds from start to end",
        sa.Computed("EXTRACT(epoch FROM completed_at - started_at)", persisted=True),
        null=True,
    ),
    _column(
        "success_rate",
        sa.Numeric(5, 2),
        "Per cent of the rows read that are not rejected; null if none was read",
        sa.Computed("round(100.0 * success_records / nullif(total_records, 0), 2)", persisted=True),
        null=True,
    ),
    _column("run_id", sa.Text, "The Dagster run; null until it is launched", null=True),
    sa.CheckConstraint("sync_type IN ('manual', 'scheduled')", name="sync_type"),
    sa.CheckConstraint("status IN ('running', 'completed', 'failed', 'cancelled')", name="status"),
    sa.CheckConstraint("(status = 'running') = (completed_at IS NULL)", name="completed_at"),
    sa.CheckConstraint("total_records = success_records + failed_records", name="total_records"),
    # The constraint that keeps syncs apart, whoever starts them.
    sa.Index("uq_sync_logs_running", "status", unique=True, postgresql_where=_RUNNING),
    sa.Index(None, "run_id"),
)

sync_log_tables = _table(
    "ops",
    "sync_log_tables",
    "What a sync did to each table: one row a sync and table",
    sa.Column("sync_log_id", sa.ForeignKey(sync_logs.c.id), nullable=False, comment="The sync"),
    _column("table_name", sa.Text, "The ERP's table"),
    _column("status", sa.Text, "running, completed, failed or cancelled"),
    _column("months", sa.ARRAY(MonthKey), "Months of which rows were read", server_default=sa.text("'{}'")),
    *(
        _column(name, sa.BigInteger, comment, server_default=sa.text("0"))
        for name, comment in {
            "rows_read": "Rows read: rows_loaded + rows_rejected",
            "rows_loaded": "Rows that the copy has as the source has",
            "rows_rejected": "Rows that cannot be used; see ops.rejected_rows",
            "rows_inserted": "Rows that came",
            "rows_updated": "Rows that changed",
            "rows_deleted": "Rows that went",
            "rows_unchanged": "Rows that were as they should be",
        }.items()
    ),
    _column("seconds", sa.Numeric(14, 3), "How long it took", null=True),
    _column("error_message", sa.Text, "Why it failed", null=True),
    _key("sync_log_id", "table_name"),
    sa.CheckConstraint("status IN ('running', 'completed', 'failed', 'cancelled')", name="status"),
)

_ROLES = "role IN ('viewer', 'admin')"

api_tokens = _table(
    "ops",
    "api_tokens",
    "Who may use the API: one row a token that was ever given out; the token itself is kept nowhere",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the token"),
    _column("name", sa.Text, "Whom or what it was given to"),
    _column("role", sa.Text, "viewer: may read; admin: may act, too"),
    _column("prefix", sa.Text, "The token's public part, by which it is found"),
    _column("digest", sa.LargeBinary, "SHA-256 of the token's secret part"),
    _column("created_at", Moment, "When it was created", server_default=sa.func.now()),
    _column("expires_at", Moment, "From when on it is refused; null: never", null=True),
    _column("revoked_at", Moment, "When it was revoked; null: it was not", null=True),
    _column("last_used_at", Moment, "When it was last used, to the minute; null: never", null=True),
    sa.UniqueConstraint("prefix"),
    sa.CheckConstraint(_ROLES, name="role"),
    # Whoever acts is named in the audit log: a name means one token at a time.
    sa.Index("uq_api_tokens_name", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")),
)

audit_log = _table(
    "ops",
    "audit_log",
    "What was done, or asked for in vain: one row an act, written before it begins",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the act"),
    _column("started_at", Moment, "When it was asked for", server_default=_CLOCK),
    _column("actor", sa.Text, "Who asked: the token's name, or a user of the command line; null: not known", null=True),
    sa.Column("token_id", sa.ForeignKey(api_tokens.c.id), comment="The token, where one was used; null: none"),
    _column("address", sa.Text, "From which address; null: on the machine itself", null=True),
    _column("action", sa.Text, "What was asked for"),
    _column("target", sa.Text, "Of what; null: of nothing in particular", null=True),
    _column(
        "outcome", sa.Text, "done, refused or failed; null: it has not ended, or nobody was left to say", null=True
    ),
    _column("message", sa.Text, "What was answered", null=True),
    _column("ended_at", Moment, "When it ended", null=True),
    sa.CheckConstraint("outcome IN ('done', 'refused', 'failed')", name="outcome"),
    sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended_at"),
    sa.Index(None, "started_at"),
)

sessions = _table(
    "ops",
    "sessions",
    "Who is logged in to the dashboard: one row a session; it ends with its token",
    _column("digest", sa.LargeBinary, "SHA-256 of the secret that the browser keeps"),
    _column("token_id", sa.BigInteger, "The token that opened it"),
    _column("opened_at", Moment, "When somebody logged in", server_default=sa.func.now()),
    _column("expires_at", Moment, "From when on it counts no more"),
    _key("digest"),
    sa.ForeignKeyConstraint(["token_id"], [api_tokens.c.id], ondelete="CASCADE"),
    sa.Index(None, "expires_at"),
)
