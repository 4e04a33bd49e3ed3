"""The tables of schema ``billing``: the billing application's data, normalised."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.domain import ENTRY_RULES, DepositKind
from ledger_pipelines.warehouse.tables.common import (
    ExactNumber,
    Moment,
    Rupiah,
    column,
    customer_id,
    key,
    one_of,
    table,
    year_month,
)


def _price_fields(of: str) -> Sequence[sa.Column[Any]]:
    return (
        column("harga_per_meter_kubik", ExactNumber, f"Price of one Sm³ in rupiah, {of}", null=True),
        column("tekanan_keluar", ExactNumber, f"Outlet pressure in bar gauge, {of}", null=True),
        column("suhu", ExactNumber, f"Gas temperature in °C, {of}", null=True),
        column("koreksi_meter", ExactNumber, f"Correction factor from metered m³ to Sm³, {of}", null=True),
    )


customers = table(
    "billing",
    "customers",
    "The billing application's customers: its users with role customer or fob",
    customer_id(),
    column("name", sa.Text, "Name", null=True),
    column("email", sa.Text, "E-mail address", null=True),
    column("role", sa.Text, "customer: metered; fob: billed free on board, in Sm³"),
    column("no_kontrak", sa.Text, "Contract number", null=True),
    column("alamat", sa.Text, "Address", null=True),
    column("nomor_tlpn", sa.Text, "Telephone number", null=True),
    column("total_deposit", ExactNumber, "The application's own running total of deposits, in rupiah", null=True),
    column("total_purchases", ExactNumber, "The application's own running total of purchases, in rupiah", null=True),
    *_price_fields("the customer's default"),
    column("use_realtime_calculation", sa.Boolean, "False: automatic recalculation skips the customer"),
    column("balance_last_updated_at", Moment, "When the application last updated its own balance", null=True),
    column("created_at", Moment, "When the application created the row", null=True),
    column("updated_at", Moment, "When the application last changed the row", null=True),
    key("customer_id"),
)

prices = table(
    "billing",
    "prices",
    "Price entries of the customers (users.pricing_history): one row per usable entry",
    customer_id(),
    column(
        "position",
        sa.Integer,
        "Position of the entry in the customer's list, from 0; the first that applies is used",
    ),
    column("rule", sa.Text, " or ".join(ENTRY_RULES)),
    column("valid_from", Moment, "Start of the entry, inclusive"),
    column("valid_to", Moment, "End of the entry, exclusive (in the source the end is inclusive)"),
    *_price_fields("as the entry gives it"),
    column("entry", JSONB, "The entry as it is in the application"),
    key("customer_id", "position"),
    one_of("rule", ENTRY_RULES),
    sa.CheckConstraint("valid_from < valid_to", name="period"),
)

deposits = table(
    "billing",
    "deposits",
    "Deposit entries of the customers (users.deposit_history): one row per usable entry",
    customer_id(),
    year_month("Month of the deposit in WIB"),
    column("deposited_at", Moment, "The deposit's own date"),
    column(
        "ordinal",
        sa.Integer,
        "Number of the entry among the customer's entries at the same time, from 0, in list order",
    ),
    column("amount", Rupiah, "Signed amount in rupiah: added to the balance; negative: taken from it"),
    column("amount_given", ExactNumber, "The amount as the entry gives it"),
    column(
        "keterangan",
        sa.Text,
        f"{DepositKind.ADDITION}: adds to the balance; {DepositKind.REDUCTION}: takes from it",
    ),
    column("description", sa.Text, "Free text of the entry", null=True),
    key("customer_id", "deposited_at", "ordinal", "year_month"),
    by_month=True,
)

meter_readings = table(
    "billing",
    "meter_readings",
    "Usable meter readings (data_pencatatan): one row per reading",
    column("reading_id", sa.BigInteger, "data_pencatatan.id of the billing application"),
    customer_id(),
    year_month("Month of reading_at in WIB"),
    column("kind", sa.Text, "metered: volume in metered m³; fob: volume in Sm³"),
    column("reading_at", Moment, "Time of the reading: pembacaan_awal.waktu (metered) or waktu (fob)"),
    column("ended_at", Moment, "pembacaan_akhir.waktu of a metered reading", null=True),
    column("volume", ExactNumber, "volume_flow_meter (m³) or volume_sm3 (Sm³), every digit as given"),
    column("opening_volume", ExactNumber, "Meter state at the start, m³", null=True),
    column("closing_volume", ExactNumber, "Meter state at the end, m³", null=True),
    column("harga_final", ExactNumber, "The application's own amount for the reading, in rupiah", null=True),
    column("status_pembayaran", sa.Text, "belum_lunas: unpaid; lunas: paid", null=True),
    column("created_at", Moment, "When the application created the row", null=True),
    column("updated_at", Moment, "When the application last changed the row", null=True),
    key("reading_id", "year_month"),
    sa.Index(None, "customer_id", "reading_at"),
    by_month=True,
)
