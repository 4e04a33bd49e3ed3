"""The stored balances beside the billing application's own totals, customer by customer.

One row a customer of the billing application: its latest closing balance, and what the application has of it. A
customer without a balance has one of 0; a total that the application does not have counts as 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import Rupiah, customers, monthly_customer_balances

TOLERANCE = Decimal("0.01")
"""Balances that differ by less are the same."""

_balance, _customer = monthly_customer_balances.c, customers.c
_NONE = sa.cast(0, Rupiah)


@dataclass(frozen=True)
class Compared:
    """A customer's balance, ours and the application's.

    Attributes:
        customer_id: The customer.
        customer_name: Its name.
        year_month: The month of our latest balance; None: there is none.
        stored_balance: That balance.
        total_deposit: The application's running total.
        total_purchases: Likewise.
        application_balance: The one less the other.
        difference: Ours less the application's.
        matches: Whether they differ by less than a hundredth of a rupiah.
    """

    customer_id: int
    customer_name: str | None
    year_month: str | None
    stored_balance: Decimal
    total_deposit: Decimal
    total_purchases: Decimal
    application_balance: Decimal
    difference: Decimal
    matches: bool


@dataclass(frozen=True)
class Summary:
    """All customers compared."""

    total_customers: int
    matching: int
    mismatching: int
    stored_balance: Decimal
    application_balance: Decimal
    difference: Decimal
    largest_difference: Decimal
    generated_at: datetime


def compared(*, only_mismatches: bool = False) -> sa.Select[Any]:
    """One row: a customer's balance, ours and the application's."""
    latest = (
        sa.select(_balance.year_month, _balance.closing_balance)
        .where(_balance.customer_id == _customer.customer_id)
        .order_by(_balance.year_month.desc())
        .limit(1)
        .lateral("latest")
    )
    stored = sa.func.coalesce(latest.c.closing_balance, _NONE)
    deposit, purchases = (
        sa.func.coalesce(total, _NONE) for total in (_customer.total_deposit, _customer.total_purchases)
    )
    difference = stored - (deposit - purchases)
    matches = sa.func.abs(difference) < TOLERANCE
    statement = sa.select(
        _customer.customer_id,
        _customer.name.label("customer_name"),
        latest.c.year_month,
        stored.label("stored_balance"),
        deposit.label("total_deposit"),
        purchases.label("total_purchases"),
        (deposit - purchases).label("application_balance"),
        difference.label("difference"),
        matches.label("matches"),
    ).select_from(customers.outerjoin(latest, sa.true()))
    return statement.where(~matches) if only_mismatches else statement


def page(connection: sa.Connection, *, only_mismatches: bool, limit: int, offset: int) -> Sequence[Compared]:
    """Some customers compared, by id."""
    statement = compared(only_mismatches=only_mismatches).order_by(_customer.customer_id).limit(limit).offset(offset)
    return [Compared(*row) for row in connection.execute(statement)]


def summary(connection: sa.Connection) -> Summary:
    """All customers compared: it looks at every one."""
    of = compared().subquery().c
    largest = sa.func.max(sa.func.abs(of.difference))
    statement = sa.select(
        sa.func.count(),
        sa.func.count().filter(of.matches),
        sa.func.count().filter(~of.matches),
        *(
            sa.func.coalesce(sa.func.sum(value), _NONE)
            for value in (of.stored_balance, of.application_balance, of.difference)
        ),
        sa.func.coalesce(largest, _NONE),
        sa.func.now(),
    )
    return Summary(*connection.execute(statement).one())
