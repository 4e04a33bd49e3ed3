"""Every table of the warehouse, declared once: columns, types, keys and comments.

What belongs here: declarations. How a month of a table is written is in ``months.py``; how the schema changes over
time is in ``migrations/`` (a test holds the two together).
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem

SCHEMAS = ("billing", "ledger", "ops")

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


def _column(name: str, type_: Any, comment: str, *, null: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=null, comment=comment, **options)


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

rejected_rows = _table(
    "ops",
    "rejected_rows",
    "Source rows that cannot be used, each with its reason, until the source is corrected",
    _column("asset", sa.Text, "The asset that could not use the row"),
    _column("source_table", sa.Text, "The table of the source"),
    _column("source_id", sa.Text, "The row: its id, or id/column/position for an element of a list"),
    _column("customer_id", sa.BigInteger, "The customer the row names, where it names one", null=True),
    _column("year_month", MonthKey, "The month of the row, where it has one within the partitions", null=True),
    _column("reason", sa.Text, "What is wrong with the row"),
    _column("raw_row", sa.Text, "The row as the source holds it"),
    _column("run_id", sa.Text, "The run that last rejected it"),
    _column("first_seen", Moment, "When it was first rejected"),
    _column("last_seen", Moment, "When it was last rejected"),
    _key("asset", "source_table", "source_id"),
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
