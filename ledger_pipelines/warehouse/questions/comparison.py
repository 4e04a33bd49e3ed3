"""The balances beside the billing application's own totals, as they were last compared: plain rows, page by page.

How they are compared is in ``ledger/reconciliation``. A row that did not change keeps its ``compared_at``; when all of
it was last looked at is in the summary.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.loaded import loaded_at
from ledger_pipelines.warehouse.months import NO_MONTH
from ledger_pipelines.warehouse.tables import DIFFERENCE_REASONS, customers
from ledger_pipelines.warehouse.tables import balance_comparison as comparison_table

_compared = comparison_table.c


@dataclass(frozen=True)
class Reason:
    """Why two balances differ.

    Attributes:
        name: One of `DIFFERENCE_REASONS`.
        amount: What it adds to the difference, in rupiah.
        rows: How many rows it comes from; None where it comes from totals.
    """

    name: str
    amount: Decimal
    rows: int | None


@dataclass(frozen=True)
class ComparedBalance:
    """A customer's latest balance against the application's own.

    Attributes:
        customer_id: The customer.
        customer_name: As in the application.
        last_month: The month of the latest balance; None if there is none.
        ledger_balance: Its closing balance.
        application_balance: total_deposit - total_purchases.
        difference: The one less the other.
        matches: Whether that is below 0.01 either way.
        reasons: Those that add something to the difference, in the order of `DIFFERENCE_REASONS`.
        compared_at: When this last changed.
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
    """The comparison as a whole.

    Attributes:
        customers: How many were compared.
        mismatches: How many of them do not match.
        ledger_balance: The sum of our balances.
        application_balance: The sum of the application's.
        difference: The one less the other.
        largest_difference: The difference of the customer who has the largest, without its sign.
        reasons: What each reason adds to the sum of the differences, and the number of customers with it; all reasons.
        compared_at: When all was last compared; None: never.
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
        """How many customers match."""
        return self.customers - self.mismatches


def balance_comparison(
    connection: sa.Connection,
    *,
    only_mismatches: bool = False,
    largest_first: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> list[ComparedBalance]:
    """Customers with their balances compared, by their id or (``largest_first``) by the size of the difference.

    With ``only_mismatches`` those that do not match.
    """
    statement = compared_customers(only_mismatches=only_mismatches, largest_first=largest_first)
    return [_compared_balance(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def compared_customers(*, only_mismatches: bool = False, largest_first: bool = False) -> sa.Select[Any]:
    """One row: a customer with both balances and the customer's name; those that do not match are found by index."""
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
    """The comparison of all customers in figures."""
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
    """When all balances were last compared; None: never. What was found changes with this moment, and at no other."""
    return loaded_at(connection, comparison_table, NO_MONTH)
