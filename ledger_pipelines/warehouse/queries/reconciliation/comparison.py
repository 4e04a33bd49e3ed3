"""Stored comparison of the balances with the billing application's own totals, page by page.

``ledger/reconciliation`` computes the comparison. A row that did not change keeps its ``compared_at``; the time of the
last complete comparison is in the summary.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops.loaded_months import loaded_at
from ledger_pipelines.warehouse.queries.customers.customer import with_customer_name
from ledger_pipelines.warehouse.tables import DIFFERENCE_REASONS
from ledger_pipelines.warehouse.tables import balance_comparison as comparison_table
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal, YearMonthKey

_compared = comparison_table.c


@dataclass(frozen=True)
class Reason:
    """Reason of a difference; see docs/rules.md, Balance comparison."""

    name: str
    amount: ExactDecimal
    """Part of the difference with this reason, in rupiah"""
    rows: int | None
    """Number of rows with this reason; null if the reason is found in totals"""


@dataclass(frozen=True)
class ReasonTotal:
    """Reason of differences over all customers."""

    name: str
    amount: ExactDecimal
    """Part of the total difference with this reason, in rupiah"""
    customers: int
    """Number of customers with this reason"""


@dataclass(frozen=True)
class ComparedCustomer:
    """Comparison of a customer's balance with the billing application."""

    customer_id: int
    customer_name: str | None
    year_month: YearMonthKey | None
    """Month of the stored balance; null if the customer has none"""
    stored_balance: ExactDecimal
    application_balance: ExactDecimal
    """total_deposit - total_purchases of the billing application"""
    difference: ExactDecimal
    """stored_balance - application_balance"""
    matches: bool
    """Whether the balances differ by less than 0.01"""
    reasons: tuple[Reason, ...]
    """Reasons with a nonzero part of the difference"""
    compared_at: datetime
    """Time when this row last changed"""


@dataclass(frozen=True)
class ComparisonSummary:
    """Balance comparison of all customers."""

    total_customers: int
    matching: int
    mismatching: int
    stored_balance: ExactDecimal
    application_balance: ExactDecimal
    difference: ExactDecimal
    largest_difference: ExactDecimal
    reasons: tuple[ReasonTotal, ...]
    """All known reasons, also those that no customer has"""
    compared_at: datetime | None
    """Time of the last comparison of all customers; null: never"""


def balance_comparison(
    connection: sa.Connection,
    *,
    only_mismatches: bool = False,
    largest_first: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> list[ComparedCustomer]:
    """Return a page of the compared customers.

    Args:
        connection: To the warehouse.
        only_mismatches: Leave out the customers that match.
        largest_first: Order by the absolute difference, largest first, instead of by id.
        limit: Maximum number of customers.
        offset: Number of customers to skip.
    """
    statement = compared_customers(only_mismatches=only_mismatches, largest_first=largest_first)
    return [_compared_customer(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def compared_customers(*, only_mismatches: bool = False, largest_first: bool = False) -> sa.Select[Any]:
    """One row: a customer with both balances and the customer's name; an index finds those that do not match."""
    statement = with_customer_name(comparison_table)
    if only_mismatches:
        statement = statement.where(~_compared.matches)
    if largest_first:
        statement = statement.order_by(sa.func.abs(_compared.difference).desc())
    return statement.order_by(_compared.customer_id)


def _compared_customer(row: sa.Row[Any]) -> ComparedCustomer:
    reasons = (Reason(name, getattr(row, name), row.reason_rows.get(name)) for name in DIFFERENCE_REASONS)
    return ComparedCustomer(
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        year_month=row.last_month,
        stored_balance=row.ledger_balance,
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
        sa.func.count().filter(_compared.matches).label("matches"),
        sa.func.coalesce(sa.func.max(sa.func.abs(_compared.difference)), 0).label("largest_difference"),
        *(sa.func.coalesce(sa.func.sum(_compared[name]), 0).label(name) for name in (*sums, *DIFFERENCE_REASONS)),
        *(sa.func.count().filter(_compared[name] != 0).label(f"with_{name}") for name in DIFFERENCE_REASONS),
    )
    found = connection.execute(statement).one()
    return ComparisonSummary(
        total_customers=found.customers,
        matching=found.matches,
        mismatching=found.customers - found.matches,
        stored_balance=found.ledger_balance,
        application_balance=found.application_balance,
        difference=found.difference,
        largest_difference=found.largest_difference,
        reasons=tuple(
            ReasonTotal(name, getattr(found, name), getattr(found, f"with_{name}")) for name in DIFFERENCE_REASONS
        ),
        compared_at=balances_compared_at(connection),
    )


def balances_compared_at(connection: sa.Connection) -> datetime | None:
    """Return when all balances were last compared; None: never. The results change only with this time."""
    return loaded_at(connection, comparison_table, UNPARTITIONED)
