"""Billing and ledger.

Revision: 0001, after .
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Billing and ledger."""
    op.create_table(
        "customers",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column("name", sa.Text(), nullable=True, comment="Name"),
        sa.Column("email", sa.Text(), nullable=True, comment="E-mail address"),
        sa.Column("role", sa.Text(), nullable=False, comment="customer: metered; fob: billed free on board, in Sm³"),
        sa.Column("no_kontrak", sa.Text(), nullable=True, comment="Contract number"),
        sa.Column("alamat", sa.Text(), nullable=True, comment="Address"),
        sa.Column("nomor_tlpn", sa.Text(), nullable=True, comment="Telephone number"),
        sa.Column(
            "total_deposit",
            sa.Numeric(),
            nullable=True,
            comment="The application's own running total of deposits, in rupiah",
        ),
        sa.Column(
            "total_purchases",
            sa.Numeric(),
            nullable=True,
            comment="The application's own running total of purchases, in rupiah",
        ),
        sa.Column(
            "harga_per_meter_kubik",
            sa.Numeric(),
            nullable=True,
            comment="Price of one Sm³ in rupiah, the customer's default",
        ),
        sa.Column(
            "tekanan_keluar",
            sa.Numeric(),
            nullable=True,
            comment="Outlet pressure in bar gauge, the customer's default",
        ),
        sa.Column("suhu", sa.Numeric(), nullable=True, comment="Gas temperature in °C, the customer's default"),
        sa.Column(
            "koreksi_meter",
            sa.Numeric(),
            nullable=True,
            comment="Correction factor from metered m³ to Sm³, the customer's default",
        ),
        sa.Column(
            "use_realtime_calculation",
            sa.Boolean(),
            nullable=False,
            comment="False: automatic recalculation leaves the customer alone",
        ),
        sa.Column(
            "balance_last_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the application last updated its balance",
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=True, comment="When the application created the row"
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), nullable=True, comment="When the application last changed the row"
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customers")),
        schema="billing",
        comment="The billing application's customers: its users with role customer or fob",
    )
    op.create_table(
        "deposits",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "year_month", sa.String(length=7, collation="C"), nullable=False, comment="Month of the deposit in WIB"
        ),
        sa.Column("deposited_at", sa.DateTime(timezone=True), nullable=False, comment="The deposit's own date"),
        sa.Column(
            "ordinal",
            sa.Integer(),
            nullable=False,
            comment="0, or which of several entries of the customer at the same moment, in list order",
        ),
        sa.Column(
            "amount",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="Signed rupiah: what the entry adds to (or takes from) the balance",
        ),
        sa.Column("amount_given", sa.Numeric(), nullable=False, comment="The amount as the entry gives it"),
        sa.Column(
            "keterangan",
            sa.Text(),
            nullable=False,
            comment="penambahan: adds to the balance; pengurangan: takes from it",
        ),
        sa.Column("description", sa.Text(), nullable=True, comment="Free text of the entry"),
        sa.PrimaryKeyConstraint("customer_id", "deposited_at", "ordinal", "year_month", name=op.f("pk_deposits")),
        schema="billing",
        comment="Deposit entries of the customers (users.deposit_history), one row a usable entry",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_table(
        "meter_readings",
        sa.Column(
            "reading_id", sa.BigInteger(), nullable=False, comment="data_pencatatan.id of the billing application"
        ),
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "year_month", sa.String(length=7, collation="C"), nullable=False, comment="Month of reading_at in WIB"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="metered: volume in metered m³; fob: volume in Sm³"),
        sa.Column(
            "reading_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The reading's moment: pembacaan_awal.waktu (metered) or waktu (fob)",
        ),
        sa.Column(
            "ended_at", sa.DateTime(timezone=True), nullable=True, comment="pembacaan_akhir.waktu of a metered reading"
        ),
        sa.Column(
            "volume",
            sa.Numeric(),
            nullable=False,
            comment="volume_flow_meter (m³) or volume_sm3 (Sm³), every digit as given",
        ),
        sa.Column("opening_volume", sa.Numeric(), nullable=True, comment="State of the meter at the start, m³"),
        sa.Column("closing_volume", sa.Numeric(), nullable=True, comment="State of the meter at the end, m³"),
        sa.Column(
            "harga_final",
            sa.Numeric(),
            nullable=True,
            comment="The application's own amount for the reading, in rupiah",
        ),
        sa.Column("status_pembayaran", sa.Text(), nullable=True, comment="belum_lunas: unpaid; lunas: paid"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=True, comment="When the application created the row"
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), nullable=True, comment="When the application last changed the row"
        ),
        sa.PrimaryKeyConstraint("reading_id", "year_month", name=op.f("pk_meter_readings")),
        schema="billing",
        comment="Usable meter readings (data_pencatatan), one row a reading",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index(
        op.f("ix_meter_readings_customer_id_reading_at"),
        "meter_readings",
        ["customer_id", "reading_at"],
        unique=False,
        schema="billing",
    )
    op.create_table(
        "prices",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="Place of the entry in the customer's list, from 0; the first that applies wins",
        ),
        sa.Column("rule", sa.Text(), nullable=False, comment="custom_period or monthly"),
        sa.Column(
            "valid_from", sa.DateTime(timezone=True), nullable=False, comment="First moment at which the entry applies"
        ),
        sa.Column(
            "valid_to",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="First moment at which it applies no more (the end in the source is inclusive)",
        ),
        sa.Column(
            "harga_per_meter_kubik",
            sa.Numeric(),
            nullable=True,
            comment="Price of one Sm³ in rupiah, as the entry gives it",
        ),
        sa.Column(
            "tekanan_keluar", sa.Numeric(), nullable=True, comment="Outlet pressure in bar gauge, as the entry gives it"
        ),
        sa.Column("suhu", sa.Numeric(), nullable=True, comment="Gas temperature in °C, as the entry gives it"),
        sa.Column(
            "koreksi_meter",
            sa.Numeric(),
            nullable=True,
            comment="Correction factor from metered m³ to Sm³, as the entry gives it",
        ),
        sa.Column(
            "entry",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The entry as it stands in the application",
        ),
        sa.CheckConstraint("rule IN ('custom_period', 'monthly')", name=op.f("ck_prices_rule")),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_prices_period")),
        sa.PrimaryKeyConstraint("customer_id", "position", name=op.f("pk_prices")),
        schema="billing",
        comment="Price entries of the customers (users.pricing_history), one row a usable entry",
    )
    op.create_table(
        "monthly_customer_balances",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column("year_month", sa.String(length=7, collation="C"), nullable=False, comment="The month"),
        sa.Column(
            "opening_balance",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="closing_balance of the month before; 0 before the first",
        ),
        sa.Column(
            "total_deposits",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="Signed deposits dated in the month",
        ),
        sa.Column(
            "total_purchases",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="Sum of total_harga of the month's transactions",
        ),
        sa.Column(
            "closing_balance",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="opening_balance + total_deposits - total_purchases; negative: the customer owes",
        ),
        sa.Column(
            "total_volume_sm3",
            sa.Numeric(precision=60, scale=4),
            nullable=False,
            comment="Sum of volume_sm3 of the month's transactions",
        ),
        sa.Column(
            "calculation_details",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="How many transactions and deposit entries the month's figures stand for",
        ),
        sa.Column(
            "last_calculated_at", sa.DateTime(timezone=True), nullable=False, comment="When this row last changed"
        ),
        sa.PrimaryKeyConstraint("customer_id", "year_month", name=op.f("pk_monthly_customer_balances")),
        schema="ledger",
        comment="The balance of each customer month by month, without a gap from the first activity on",
    )
    op.create_index(
        op.f("ix_monthly_customer_balances_year_month"),
        "monthly_customer_balances",
        ["year_month"],
        unique=False,
        schema="ledger",
    )
    op.create_table(
        "stale_months",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the note"),
        sa.Column("table_name", sa.Text(), nullable=False, comment="The table to recalculate"),
        sa.Column("year_month", sa.String(length=7, collation="C"), nullable=False, comment="The month to recalculate"),
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=True, comment="The customer to recalculate; null: every customer"
        ),
        sa.Column(
            "noted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the change was noted",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stale_months")),
        sa.UniqueConstraint(
            "table_name",
            "year_month",
            "customer_id",
            name=op.f("uq_stale_months_table_name_year_month_customer_id"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="ledger",
        comment="Months of a ledger table whose inputs changed: to be recalculated. Empty when all is current",
    )
    op.create_table(
        "transaction_calculations",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "data_pencatatan_id",
            sa.BigInteger(),
            nullable=False,
            comment="The reading: data_pencatatan.id; unique over all months",
        ),
        sa.Column(
            "year_month", sa.String(length=7, collation="C"), nullable=False, comment="Month of the reading in WIB"
        ),
        sa.Column("transaction_date", sa.DateTime(timezone=True), nullable=False, comment="The reading's moment"),
        sa.Column(
            "volume_flow_meter", sa.Numeric(), nullable=False, comment="Volume as given: metered m³, or Sm³ for fob"
        ),
        sa.Column("koreksi_meter", sa.Numeric(), nullable=False, comment="Correction factor applied; 1 for fob"),
        sa.Column(
            "volume_sm3",
            sa.Numeric(precision=60, scale=4),
            nullable=False,
            comment="volume_flow_meter × koreksi_meter, rounded to 4 decimals",
        ),
        sa.Column(
            "harga_per_m3",
            sa.Numeric(),
            nullable=False,
            comment="Price of one Sm³ in rupiah in force at the reading's moment",
        ),
        sa.Column(
            "total_harga",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="volume_flow_meter × koreksi_meter × harga_per_m3, rounded once to 2 decimals",
        ),
        sa.Column(
            "pricing_used",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Which rule gave the price, the entry as used, its dates, where the factor is from",
        ),
        sa.Column("tekanan_keluar", sa.Numeric(), nullable=True, comment="Outlet pressure in force, bar gauge"),
        sa.Column("suhu", sa.Numeric(), nullable=True, comment="Gas temperature in force, °C"),
        sa.Column("calculated_at", sa.DateTime(timezone=True), nullable=False, comment="When this row last changed"),
        sa.Column(
            "is_recalculated",
            sa.Boolean(),
            nullable=False,
            comment="True if the row replaced or corrected an earlier one",
        ),
        sa.PrimaryKeyConstraint("data_pencatatan_id", "year_month", name=op.f("pk_transaction_calculations")),
        schema="ledger",
        comment="What each usable reading cost: one row a reading",
        postgresql_partition_by="LIST (year_month)",
    )
    op.create_index(
        op.f("ix_transaction_calculations_customer_id_transaction_date"),
        "transaction_calculations",
        ["customer_id", "transaction_date"],
        unique=False,
        schema="ledger",
    )
    op.create_table(
        "loaded_months",
        sa.Column("table_name", sa.Text(), nullable=False, comment="The table"),
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="The month; empty for a table that has none",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="The run that last wrote the whole month"),
        sa.Column(
            "loaded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was last written",
        ),
        sa.PrimaryKeyConstraint("table_name", "year_month", name=op.f("pk_loaded_months")),
        schema="ops",
        comment="Months of a table that have been written for every customer at least once",
    )
    op.create_table(
        "rejected_rows",
        sa.Column("asset", sa.Text(), nullable=False, comment="The asset that could not use the row"),
        sa.Column("source_table", sa.Text(), nullable=False, comment="The table of the source"),
        sa.Column(
            "source_id",
            sa.Text(),
            nullable=False,
            comment="The row: its id, or id/column/position for an element of a list",
        ),
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=True, comment="The customer the row names, where it names one"
        ),
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=True,
            comment="The month of the row, where it has one within the partitions",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="What is wrong with the row"),
        sa.Column("raw_row", sa.Text(), nullable=False, comment="The row as the source holds it"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="The run that last rejected it"),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False, comment="When it was first rejected"),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False, comment="When it was last rejected"),
        sa.PrimaryKeyConstraint("asset", "source_table", "source_id", name=op.f("pk_rejected_rows")),
        schema="ops",
        comment="Source rows that cannot be used, each with its reason, until the source is corrected",
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("rejected_rows", schema="ops")
    op.drop_table("loaded_months", schema="ops")
    op.drop_index(
        op.f("ix_transaction_calculations_customer_id_transaction_date"),
        table_name="transaction_calculations",
        schema="ledger",
    )
    op.drop_table("transaction_calculations", schema="ledger")
    op.drop_table("stale_months", schema="ledger")
    op.drop_index(
        op.f("ix_monthly_customer_balances_year_month"), table_name="monthly_customer_balances", schema="ledger"
    )
    op.drop_table("monthly_customer_balances", schema="ledger")
    op.drop_table("prices", schema="billing")
    op.drop_index(op.f("ix_meter_readings_customer_id_reading_at"), table_name="meter_readings", schema="billing")
    op.drop_table("meter_readings", schema="billing")
    op.drop_table("deposits", schema="billing")
    op.drop_table("customers", schema="billing")
