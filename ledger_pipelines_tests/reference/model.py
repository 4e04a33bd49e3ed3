"""Input and output of the reference ledger: frozen data without behaviour."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class SourceState:
    """State of the billing application's two tables, with rows as its database returns them.

    Decimals are `Decimal`, JSON columns are text or None, ids are int, timestamps are datetime or None.
    """

    users: tuple[dict[str, Any], ...] = ()
    readings: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Transaction:
    """Transaction of a usable reading: volumes in m³ and Sm³, pressure in bar gauge, °C, rupiah."""

    customer_id: int
    data_pencatatan_id: int
    year_month: str
    transaction_date: datetime
    volume_flow_meter: Decimal
    koreksi_meter: Decimal
    volume_sm3: Decimal
    harga_per_m3: Decimal
    total_harga: Decimal
    rule: str
    tekanan_keluar: Decimal | None
    suhu: Decimal | None


@dataclass(frozen=True)
class MonthlyBalance:
    """Monthly balance of a customer; money in rupiah, volume in Sm³."""

    opening_balance: Decimal
    total_deposits: Decimal
    total_purchases: Decimal
    closing_balance: Decimal
    total_volume_sm3: Decimal


@dataclass(frozen=True)
class Ledger:
    """Ledger of one `SourceState`.

    `transactions` is keyed by the reading's id, `balances` by customer id and month ('2025-03'), `rejected`
    by source table and source id as in docs/rules.md; its values are the codes of `ledger.REASONS`.
    """

    transactions: dict[int, Transaction] = field(default_factory=dict)
    balances: dict[tuple[int, str], MonthlyBalance] = field(default_factory=dict)
    rejected: dict[tuple[str, str], str] = field(default_factory=dict)
