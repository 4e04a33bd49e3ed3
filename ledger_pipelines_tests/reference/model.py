"""What goes into the reference ledger and what comes out of it: frozen data, no behaviour."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class SourceState:
    """The billing application's two tables at one moment, as its database returns their rows.

    Decimals are `Decimal`, JSON columns are text or None, ids are int, timestamps are datetime or None.
    """

    users: tuple[dict[str, Any], ...] = ()
    readings: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Transaction:
    """One usable reading, priced: volumes in m³ and Sm³, bar gauge, °C, rupiah."""

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
class Balance:
    """One customer's month. Money in rupiah, volume in Sm³."""

    opening_balance: Decimal
    total_deposits: Decimal
    total_purchases: Decimal
    closing_balance: Decimal
    total_volume_sm3: Decimal


@dataclass(frozen=True)
class Ledger:
    """Everything the rules say about one `SourceState`.

    `transactions` is keyed by the reading's id, `balances` by customer id and month ('2025-03'), `rejected`
    by source table and source id as docs/rules.md names them; its values are the codes of `ledger.REASONS`.
    """

    transactions: dict[int, Transaction] = field(default_factory=dict)
    balances: dict[tuple[int, str], Balance] = field(default_factory=dict)
    rejected: dict[tuple[str, str], str] = field(default_factory=dict)
