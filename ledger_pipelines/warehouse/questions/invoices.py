"""Purchases beside what the ERP invoiced, as they were last compared: a month's accounts, page by page.

How they are compared is in ``ledger/reconciliation``. A row that did not change keeps its ``compared_at``; when all of
the month was last looked at is in the summary.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.loaded import loaded_at, months_loaded
from ledger_pipelines.warehouse.tables import INVOICE_STATUSES, customers
from ledger_pipelines.warehouse.tables import invoice_reconciliation as invoices_table

_invoiced = invoices_table.c
_NOTHING = Decimal(0)


MISMATCHES = tuple(status for status in INVOICE_STATUSES if status != "matched")
"""The statuses of accounts that do not match."""

SELECTIONS: Mapping[str, tuple[str, ...]] = {
    "all": INVOICE_STATUSES,
    "mismatches": MISMATCHES,
    "unmatched": ("customer_without_partner", "partner_without_customer"),
}
"""Which accounts somebody wants to see, by their statuses; those that are unmatched have one side only."""


@dataclass(frozen=True)
class ReconciledAccount:
    """A month of an account: what customers bought, and what their business partners were invoiced.

    Attributes:
        year_month: The month.
        account: customer:N or partner:C.
        customer_id: The first of the customers; None if there is none.
        customer_name: That customer's name.
        customers: All of them.
        bp_codes: The business partners.
        partner_name: Name of one of them, as an invoice has it.
        purchases: Of the customers, in rupiah.
        invoiced: To the business partners, in rupiah.
        invoice_lines: How many invoiced lines that are.
        difference: purchases - invoiced.
        status: One of `INVOICE_STATUSES`.
        compared_at: When this last changed.
    """

    year_month: str
    account: str
    customer_id: int | None
    customer_name: str | None
    customers: tuple[int, ...]
    bp_codes: tuple[str, ...]
    partner_name: str | None
    purchases: Decimal
    invoiced: Decimal
    invoice_lines: int
    difference: Decimal
    status: str
    compared_at: datetime


@dataclass(frozen=True)
class StatusTotals:
    """How many accounts of a month have a status, and their sums in rupiah."""

    status: str
    accounts: int
    purchases: Decimal
    invoiced: Decimal
    difference: Decimal


@dataclass(frozen=True)
class InvoiceSummary:
    """A month as a whole.

    Attributes:
        year_month: The month.
        totals: One for each of `INVOICE_STATUSES`, in that order.
        compared_at: When the month was last compared; None: never.
    """

    year_month: str
    totals: tuple[StatusTotals, ...]
    compared_at: datetime | None

    @property
    def accounts(self) -> int:
        """How many accounts the month has."""
        return sum(total.accounts for total in self.totals)

    @property
    def mismatches(self) -> int:
        """How many of them do not match."""
        return self.having(MISMATCHES)

    def having(self, statuses: Collection[str]) -> int:
        """How many accounts have one of some statuses."""
        return sum(total.accounts for total in self.totals if total.status in statuses)


def invoice_reconciliation(
    connection: sa.Connection,
    month: str,
    *,
    statuses: Collection[str] = INVOICE_STATUSES,
    limit: int = 50,
    offset: int = 0,
) -> list[ReconciledAccount]:
    """Accounts of a month that have one of some statuses, the largest difference first."""
    statement = (
        sa.select(invoices_table, customers.c.name.label("customer_name"))
        .outerjoin(customers, customers.c.customer_id == _invoiced.customer_id)
        .where(_invoiced.year_month == month, _invoiced.status.in_(statuses))
        .order_by(sa.func.abs(_invoiced.difference).desc(), _invoiced.account)
    )
    return [_reconciled_account(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def _reconciled_account(row: sa.Row[Any]) -> ReconciledAccount:
    fields = {name: getattr(row, name) for name in ReconciledAccount.__dataclass_fields__}
    return ReconciledAccount(**fields | {"customers": tuple(row.customers), "bp_codes": tuple(row.bp_codes)})


def invoice_summary(connection: sa.Connection, month: str) -> InvoiceSummary:
    """A month's accounts in figures."""
    sums = ("purchases", "invoiced", "difference")
    statement = (
        sa.select(_invoiced.status, sa.func.count(), *(sa.func.sum(_invoiced[name]) for name in sums))
        .where(_invoiced.year_month == month)
        .group_by(_invoiced.status)
    )
    found = {row[0]: StatusTotals(*row) for row in connection.execute(statement)}
    nothing = (0, _NOTHING, _NOTHING, _NOTHING)
    totals = tuple(found.get(status, StatusTotals(status, *nothing)) for status in INVOICE_STATUSES)
    return InvoiceSummary(month, totals, loaded_at(connection, invoices_table, month))


def invoice_months(connection: sa.Connection) -> list[str]:
    """The months that have been reconciled, in order."""
    return sorted(months_loaded(connection, invoices_table))
