"""Queries of one customer: details, balances, and the transactions of a month. All use an index.

``search`` finds customers by a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.warehouse.queries.descriptions import described_by
from ledger_pipelines.warehouse.tables import MonthKey, customers, monthly_customer_balances, transaction_calculations
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal

_balance, _transaction = monthly_customer_balances.c, transaction_calculations.c


class UnknownCustomerError(LedgerError):
    """There is no customer with an id, in the warehouse or also in the billing application."""

    http_status = 404

    def __init__(self, *ids: int, in_billing_too: bool = False) -> None:
        numbers = ", ".join(map(str, ids))
        place = ", neither in the billing application nor in the warehouse" if in_billing_too else " in the warehouse"
        loading = "" if in_billing_too else f" To load a new customer: ledger balance sync --customer-id {numbers}"
        super().__init__(
            f"There is no customer {numbers}{place}. Use the id of a user of the billing application whose role is "
            f"customer or fob.{loading}"
        )


@dataclass(frozen=True)
class CustomerName:
    """A customer of the billing application, or a former customer, which has balances but no name."""

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
@described_by(monthly_customer_balances)
class BalanceFigures:
    """Balance figures of a month, in rupiah and Sm³."""

    opening_balance: ExactDecimal
    total_deposits: ExactDecimal
    total_purchases: ExactDecimal
    closing_balance: ExactDecimal
    total_volume_sm3: ExactDecimal
    last_calculated_at: datetime


@dataclass(frozen=True)
class MonthBalance(BalanceFigures):
    """Balance figures of a month, with the month."""

    year_month: str


@dataclass(frozen=True)
@described_by(transaction_calculations)
class Transaction:
    """Transaction: the cost of one reading."""

    data_pencatatan_id: int
    transaction_date: datetime
    volume_flow_meter: ExactDecimal
    koreksi_meter: ExactDecimal
    volume_sm3: ExactDecimal
    harga_per_m3: ExactDecimal
    total_harga: ExactDecimal
    pricing_used: dict[str, Any]
    tekanan_keluar: ExactDecimal | None
    suhu: ExactDecimal | None
    calculated_at: datetime
    is_recalculated: bool


_ID, _MONTH = sa.bindparam("customer_id", type_=sa.BigInteger), sa.bindparam("month", type_=MonthKey)
# Composed once: the API may execute these statements several hundred times a second.

CUSTOMER = sa.select(customers.c.customer_id, customers.c.name).where(customers.c.customer_id == _ID)
"""One row: a customer of the billing application."""

DETAILS = sa.select(*(customers.c[item.name] for item in fields(CustomerDetails))).where(customers.c.customer_id == _ID)
"""One row: a customer of the billing application with all details."""

MONTHS = sa.select(sa.func.min(_balance.year_month), sa.func.max(_balance.year_month)).where(
    _balance.customer_id == _ID
)
"""One row: the first and the last month with a balance of a customer; null without a balance."""

_BALANCES = sa.select(*(_balance[item.name] for item in fields(MonthBalance))).where(_balance.customer_id == _ID)

BALANCES = _BALANCES.order_by(_balance.year_month)
"""One row: the balance of a customer and month, earliest first."""

BALANCE = _BALANCES.where(_balance.year_month == _MONTH)
"""One row: the balance of a customer and month."""

TRANSACTIONS = (
    sa.select(*(_transaction[item.name] for item in fields(Transaction)))
    .where(_transaction.customer_id == _ID, _transaction.year_month == _MONTH)
    .order_by(_transaction.transaction_date, _transaction.data_pencatatan_id)
)
"""One row: a transaction of a customer and month, earliest first."""


def with_customer_name(table: sa.Table) -> sa.Select[Any]:
    """One row: a row of a table, and the name of its customer; null if the row or the customer has none."""
    name = customers.c.name.label("customer_name")
    return sa.select(table, name).outerjoin(customers, customers.c.customer_id == table.c.customer_id)


def customer_of(connection: sa.Connection, customer_id: int) -> CustomerName | None:
    """Return the customer with an id; None if the billing application does not have it and it has no balance."""
    if (row := connection.execute(CUSTOMER, {"customer_id": customer_id}).one_or_none()) is not None:
        return CustomerName(*row)
    return None if months_of(connection, customer_id) is None else CustomerName(customer_id, None)


def details_of(connection: sa.Connection, customer_id: int) -> CustomerDetails | None:
    """Return the billing application's data of a customer; None for an unknown id."""
    row = connection.execute(DETAILS, {"customer_id": customer_id}).one_or_none()
    return None if row is None else CustomerDetails(*row)


def require_customer(connection: sa.Connection, customer_id: int) -> CustomerDetails:
    """Return the billing application's data of a customer.

    Raises:
        UnknownCustomerError: the warehouse has no such customer.
    """
    if (details := details_of(connection, customer_id)) is None:
        raise UnknownCustomerError(customer_id)
    return details


def months_of(connection: sa.Connection, customer_id: int) -> tuple[str, str] | None:
    """Return the first and last month with a balance of a customer, which has no gap in between; None without one."""
    first, last = connection.execute(MONTHS, {"customer_id": customer_id}).one()
    return None if first is None else (first, last)


def balance_of(connection: sa.Connection, customer_id: int, month: str) -> MonthBalance | None:
    """Return a customer's balance of a month, or None."""
    row = connection.execute(BALANCE, {"customer_id": customer_id, "month": month}).one_or_none()
    return None if row is None else MonthBalance(*row)


def balances_of(connection: sa.Connection, customer_id: int) -> Sequence[MonthBalance]:
    """Return all balances of a customer, earliest first."""
    return [MonthBalance(*row) for row in connection.execute(BALANCES, {"customer_id": customer_id})]


def transactions_of(connection: sa.Connection, customer_id: int, month: str) -> Sequence[Transaction]:
    """Return a customer's transactions of a month, earliest first."""
    rows = connection.execute(TRANSACTIONS, {"customer_id": customer_id, "month": month})
    return [Transaction(*row) for row in rows]
