"""Stored comparison of the balances with the billing application's own totals, page by page.

``ledger/reconciliation`` computes the comparison. A row that did not change keeps its ``compared_at``; the time of the
last complete comparison is in the summary.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops.loaded_months import loaded_at
from ledger_pipelines.warehouse.tables import DIFFERENCE_REASONS, customers
from ledger_pipelines.warehouse.tables import balance_comparison as comparison_table

_compared = comparison_table.c


@dataclass(frozen=True)
class Reason:
    """A reason why two balances differ.

    Attributes:
        name: One of `DIFFERENCE_REASONS`.
        amount: Its part of the difference, in rupiah.
        rows: Number of rows that cause it; None if the reason is derived from totals.
    """

    name: str
    amount: Decimal
    rows: int | None


@dataclass(frozen=True)
class ComparedBalance:
    """A customer's latest balance against the application's own.

    Attributes:
        customer_id: The customer.
        customer_name: The name in the application.
        last_month: The month of the latest balance; None without a balance.
        ledger_balance: Closing balance of that month.
        application_balance: total_deposit - total_purchases.
        difference: ledger_balance - application_balance.
        matches: Whether the absolute difference is below 0.01.
        reasons: The reasons with an amount, in the order of `DIFFERENCE_REASONS`.
        compared_at: When this row last changed.
    """

    customer_id: int
    customer_name: str | None
    last_month: str | None
    ledger_balance: Decimal
    application_balance: Decimal
    difference: Decimal
    matches: bool
    reasons: tuple[Reason, ...]
    compared_at: datetime


@dataclass(frozen=True)
class ComparisonSummary:
    """Totals of the comparison.

    Attributes:
        customers: Number of compared customers.
        mismatches: Number of customers that do not match.
        ledger_balance: Sum of the ledger's balances.
        application_balance: Sum of the application's balances.
        difference: ledger_balance - application_balance.
        largest_difference: The largest absolute difference of a customer.
        reasons: Every reason, with its part of the sum of the differences and the number of customers that have it.
        compared_at: When all customers were last compared; None: never.
    """

    customers: int
    mismatches: int
    ledger_balance: Decimal
    application_balance: Decimal
    difference: Decimal
    largest_difference: Decimal
    reasons: tuple[Reason, ...]
    compared_at: datetime | None

    @property
    def matches(self) -> int:
        """Number of customers that match."""
        return self.customers - self.mismatches


def balance_comparison(
    connection: sa.Connection,
    *,
    only_mismatches: bool = False,
    largest_first: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> list[ComparedBalance]:
    """Return a page of the compared customers.

    Args:
        connection: To the warehouse.
        only_mismatches: Leave out the customers that match.
        largest_first: Order by the absolute difference, largest first, instead of by id.
        limit: Maximum number of customers.
        offset: Number of customers to skip.
    """
    statement = compared_customers(only_mismatches=only_mismatches, largest_first=largest_first)
    return [_compared_balance(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def compared_customers(*, only_mismatches: bool = False, largest_first: bool = False) -> sa.Select[Any]:
    """One row: a customer with both balances and the customer's name; an index finds those that do not match."""
    statement = sa.select(comparison_table, customers.c.name.label("customer_name")).outerjoin(
        customers, customers.c.customer_id == _compared.customer_id
    )
    if only_mismatches:
        statement = statement.where(~_compared.matches)
    if largest_first:
        statement = statement.order_by(sa.func.abs(_compared.difference).desc())
    return statement.order_by(_compared.customer_id)


def _compared_balance(row: sa.Row[Any]) -> ComparedBalance:
    reasons = (Reason(name, getattr(row, name), row.reason_rows.get(name)) for name in DIFFERENCE_REASONS)
    return ComparedBalance(
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        last_month=row.last_month,
        ledger_balance=row.ledger_balance,
        application_balance=row.application_balance,
        difference=row.difference,
        matches=row.matches,
        reasons=tuple(reason for reason in reasons if reason.amount),
        compared_at=row.compared_at,
    )


def comparison_summary(connection: sa.Connection) -> ComparisonSummary:
    """Return the totals over all customers."""
    sums = ("ledger_balance", "application_balance", "difference")
    statement = sa.select(
        sa.func.count().label("customers"),
        sa.func.count().filter(~_compared.matches).label("mismatches"),
        sa.func.coalesce(sa.func.max(sa.func.abs(_compared.difference)), 0).label("largest_difference"),
        *(sa.func.coalesce(sa.func.sum(_compared[name]), 0).label(name) for name in (*sums, *DIFFERENCE_REASONS)),
        *(sa.func.count().filter(_compared[name] != 0).label(f"with_{name}") for name in DIFFERENCE_REASONS),
    )
    found = connection.execute(statement).one()
    return ComparisonSummary(
        customers=found.customers,
        mismatches=found.mismatches,
        ledger_balance=found.ledger_balance,
        application_balance=found.application_balance,
        difference=found.difference,
        largest_difference=found.largest_difference,
        reasons=tuple(
            Reason(name, getattr(found, name), getattr(found, f"with_{name}")) for name in DIFFERENCE_REASONS
        ),
        compared_at=balances_compared_at(connection),
    )


def balances_compared_at(connection: sa.Connection) -> datetime | None:
    """Return when all balances were last compared; None: never. The results change only with this time."""
    return loaded_at(connection, comparison_table, UNPARTITIONED)
