"""Records parsed from rows of the billing application; their fields have the names of the warehouse's columns."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

CUSTOMER_ROLES = ("customer", "fob")
PRICE_FIELDS = ("harga_per_meter_kubik", "tekanan_keluar", "suhu", "koreksi_meter")
CUSTOMER_NUMBERS = ("total_deposit", "total_purchases", *PRICE_FIELDS)


class Customer(NamedTuple):
    """Metered or fob customer."""

    customer_id: int
    name: str | None
    email: str | None
    role: str
    no_kontrak: str | None
    alamat: str | None
    nomor_tlpn: str | None
    total_deposit: Decimal | None
    total_purchases: Decimal | None
    harga_per_meter_kubik: Decimal | None
    tekanan_keluar: Decimal | None
    suhu: Decimal | None
    koreksi_meter: Decimal | None
    use_realtime_calculation: bool
    balance_last_updated_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


class Price(NamedTuple):
    """Usable price entry; `valid_to` is exclusive."""

    customer_id: int
    position: int
    rule: str
    valid_from: datetime
    valid_to: datetime
    harga_per_meter_kubik: Decimal | None
    tekanan_keluar: Decimal | None
    suhu: Decimal | None
    koreksi_meter: Decimal | None
    entry: str


class Deposit(NamedTuple):
    """Usable deposit entry; `amount` is signed."""

    customer_id: int
    year_month: str
    deposited_at: datetime
    ordinal: int
    amount: Decimal
    amount_given: Decimal
    keterangan: str
    description: str | None


class MeterReading(NamedTuple):
    """Usable meter reading, priced or not; the sign of `volume` is not checked yet."""

    reading_id: int
    customer_id: int
    year_month: str
    kind: str
    reading_at: datetime
    ended_at: datetime | None
    volume: Decimal
    opening_volume: Decimal | None
    closing_volume: Decimal | None
    harga_final: Decimal | None
    status_pembayaran: str | None
    created_at: datetime | None
    updated_at: datetime | None
