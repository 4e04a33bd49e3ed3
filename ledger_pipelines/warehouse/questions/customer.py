"""What is asked of one customer: who it is, its balances, and the transactions of a month. All by index.

Which customer a person means is found in ``customer_search``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import MonthKey, customers, monthly_customer_balances, transaction_calculations

_balance, _transaction = monthly_customer_balances.c, transaction_calculations.c


@dataclass(frozen=True)
class Customer:
    """A customer of the billing application, or one that was: then it has balances, and no name any more."""

    customer_id: int
    name: str | None


@dataclass(frozen=True)
class CustomerDetails:
    """A customer by the columns of `billing.customers`."""

    customer_id: int
    name: str | None
    role: str
    no_kontrak: str | None
    alamat: str | None
    nomor_tlpn: str | None
    email: str | None
    harga_per_meter_kubik: Decimal | None
    tekanan_keluar: Decimal | None
    suhu: Decimal | None
    koreksi_meter: Decimal | None
    use_realtime_calculation: bool


@dataclass(frozen=True)
class Balance:
    """A month of a customer by the columns of `ledger.monthly_customer_balances`."""

    year_month: str
    opening_balance: Decimal
    total_deposits: Decimal
    total_purchases: Decimal
    closing_balance: Decimal
    total_volume_sm3: Decimal
    last_calculated_at: datetime


@dataclass(frozen=True)
class Transaction:
    """What a reading cost."""

    data_pencatatan_id: int
    transaction_date: datetime
    volume_flow_meter: Decimal
    koreksi_meter: Decimal
    volume_sm3: Decimal
    harga_per_m3: Decimal
    total_harga: Decimal
    pricing_used: dict[str, Any]
    tekanan_keluar: Decimal | None
    suhu: Decimal | None
    calculated_at: datetime
    is_recalculated: bool


_ID, _MONTH = sa.bindparam("customer_id", type_=sa.BigInteger), sa.bindparam("month", type_=MonthKey)
# These are asked some hundred times a second, so they are composed once.

KNOWN = sa.select(customers.c.customer_id, customers.c.name).where(customers.c.customer_id == _ID)
"""One row: a customer of the billing application."""

DETAILS = sa.select(*(customers.c[item.name] for item in fields(CustomerDetails))).where(customers.c.customer_id == _ID)
"""One row: the same with all that is known of it."""

MONTHS = sa.select(sa.func.min(_balance.year_month), sa.func.max(_balance.year_month)).where(
    _balance.customer_id == _ID
)
"""One row: the first and the last month of which a customer has a balance; null if it has none."""

_BALANCES = sa.select(*(_balance[item.name] for item in fields(Balance))).where(_balance.customer_id == _ID)

BALANCES = _BALANCES.order_by(_balance.year_month)
"""One row: the balance of a customer and month, the earliest first."""

BALANCE = _BALANCES.where(_balance.year_month == _MONTH)
"""One row: the balance of a customer and month."""

TRANSACTIONS = (
    sa.select(*(_transaction[item.name] for item in fields(Transaction)))
    .where(_transaction.customer_id == _ID, _transaction.year_month == _MONTH)
    .order_by(_transaction.transaction_date, _transaction.data_pencatatan_id)
)
"""One row: a transaction of a customer and month, the earliest first."""


def customer_of(connection: sa.Connection, customer_id: int) -> Customer | None:
    """The customer of an id; None if it is neither the billing application's nor has a balance."""
    if (row := connection.execute(KNOWN, {"customer_id": customer_id}).one_or_none()) is not None:
        return Customer(*row)
    return None if months_of(connection, customer_id) is None else Customer(customer_id, None)


def details_of(connection: sa.Connection, customer_id: int) -> CustomerDetails | None:
    """What the billing application knows of a customer; None if it has none of this id."""
    row = connection.execute(DETAILS, {"customer_id": customer_id}).one_or_none()
    return None if row is None else CustomerDetails(*row)


def months_of(connection: sa.Connection, customer_id: int) -> tuple[str, str] | None:
    """The first and the last month of which a customer has a balance, none missing in between; None if it has none."""
    first, last = connection.execute(MONTHS, {"customer_id": customer_id}).one()
    return None if first is None else (first, last)


def balance_of(connection: sa.Connection, customer_id: int, month: str) -> Balance | None:
    """A customer's balance of a month; None if it has none."""
    row = connection.execute(BALANCE, {"customer_id": customer_id, "month": month}).one_or_none()
    return None if row is None else Balance(*row)


def balances_of(connection: sa.Connection, customer_id: int) -> Sequence[Balance]:
    """Every month of a customer, the earliest first."""
    return [Balance(*row) for row in connection.execute(BALANCES, {"customer_id": customer_id})]


def transactions_of(connection: sa.Connection, customer_id: int, month: str) -> Sequence[Transaction]:
    """A customer's transactions of a month, the earliest first."""
    rows = connection.execute(TRANSACTIONS, {"customer_id": customer_id, "month": month})
    return [Transaction(*row) for row in rows]
