"""Customers: found by what a person knows of them, and one of them with its months."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances

_customer, _balance = customers.c, monthly_customer_balances.c
#: A customer's number fits a BIGINT.
_LONGEST_ID = 18


@dataclass(frozen=True)
class FoundCustomer:
    """A customer that a search found, with the balance of its latest month; None without any."""

    customer_id: int
    name: str | None
    role: str
    no_kontrak: str | None
    year_month: str | None
    closing_balance: Decimal | None


@dataclass(frozen=True)
class Customer:
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
class MonthBalance:
    """A month of a customer by the columns of `ledger.monthly_customer_balances`."""

    year_month: str
    opening_balance: Decimal
    total_deposits: Decimal
    total_purchases: Decimal
    closing_balance: Decimal
    total_volume_sm3: Decimal
    last_calculated_at: datetime


def find_customers(connection: sa.Connection, text: str, limit: int) -> list[FoundCustomer]:
    """The customers whose number is the text, or whose contract number or name contains it, best first.

    Names begin alike (PT, CV), so a search from their beginning would find little. All names are looked through, which
    takes a tenth of a second for a hundred thousand; no index that every server offers would serve.
    """
    found = matching(text, limit).subquery("found")
    latest = (
        sa.select(_balance.year_month, _balance.closing_balance)
        .where(_balance.customer_id == found.c.customer_id)
        .order_by(_balance.year_month.desc())
        .limit(1)
        .lateral("latest")
    )
    wanted = [found.c[name] for name in ("customer_id", "name", "role", "no_kontrak")]
    statement: sa.Select[Any] = (
        sa.select(*wanted, latest.c.year_month, latest.c.closing_balance)
        .select_from(found.outerjoin(latest, sa.true()))
        .order_by(found.c.place, found.c.name, found.c.customer_id)
    )
    return [FoundCustomer(*row) for row in connection.execute(statement)]


def matching(text: str, limit: int) -> sa.Select[Any]:
    """One row: a customer that a text finds, and its place: 0 found by number, 1 by contract, 2 and 3 by name."""
    wanted = text.strip()
    contract, name = (sa.func.lower(column) for column in (_customer.no_kontrak, _customer.name))
    lowered = sa.func.lower(sa.literal(wanted))
    is_number: sa.ColumnElement[bool] = sa.false()
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= _LONGEST_ID:
        is_number = _customer.customer_id == int(wanted)
    by_text = [sa.func.strpos(column, lowered) for column in (contract, name)]
    place = sa.case((is_number, 0), (contract == lowered, 1), (by_text[1] == 1, 2), else_=3)
    return (
        sa.select(_customer.customer_id, _customer.name, _customer.role, _customer.no_kontrak, place.label("place"))
        .where(sa.or_(is_number, *(position > 0 for position in by_text)))
        .order_by(sa.text("place"), _customer.name, _customer.customer_id)
        .limit(limit)
    )


def customer_by_id(connection: sa.Connection, customer_id: int) -> Customer | None:
    """A customer by its number; None if there is none of this number."""
    columns = [_customer[name] for name in Customer.__dataclass_fields__]
    row = connection.execute(sa.select(*columns).where(_customer.customer_id == customer_id)).one_or_none()
    return None if row is None else Customer(*row)


def balances_of(connection: sa.Connection, customer_id: int) -> Sequence[MonthBalance]:
    """Every month of a customer, the earliest first."""
    columns = [_balance[name] for name in MonthBalance.__dataclass_fields__]
    statement = sa.select(*columns).where(_balance.customer_id == customer_id).order_by(_balance.year_month)
    return [MonthBalance(*row) for row in connection.execute(statement)]
