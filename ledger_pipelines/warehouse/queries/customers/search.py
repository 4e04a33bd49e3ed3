"""Search of customers by id, contract number or name."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.queries.customers.latest_balances import latest_balances
from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances

_customer, _balance = customers.c, monthly_customer_balances.c
#: A number of this many digits fits a BIGINT.
_LONGEST_ID = 18


@dataclass(frozen=True)
class FoundCustomer:
    """A customer that a search found, with its latest balance; None without a balance."""

    customer_id: int
    name: str | None
    role: str
    no_kontrak: str | None
    year_month: str | None
    closing_balance: Decimal | None


def find_customers(connection: sa.Connection, text: str, limit: int) -> list[FoundCustomer]:
    """Return the customers whose id is the text, or whose contract number or name contains it, best match first.

    Many names start with the same letters (PT, CV), so a prefix search would not help. The search scans all names,
    which takes a tenth of a second for a hundred thousand. No index type that every server offers supports it.
    """
    found = matching(text, limit).subquery("found")
    latest = (
        latest_balances(_balance.year_month, _balance.closing_balance)
        .where(_balance.customer_id == found.c.customer_id)
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
    """One row: a matching customer and its rank: 0 id, 1 contract number, 2 start of the name, 3 any other match."""
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
