"""Stored comparison of purchases with the ERP's invoices: the accounts of a month, page by page.

``ledger/reconciliation`` computes the comparison. A row that did not change keeps its ``compared_at``; the time of the
month's last complete comparison is in the summary.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.loaded_months import loaded_at, months_loaded
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
"""Filters of the accounts by name, with their statuses; unmatched accounts have customers or partners only."""


@dataclass(frozen=True)
class ReconciledAccount:
    """A month of an account: the purchases of its customers, and the invoices to their business partners.

    Attributes:
        year_month: The month.
        account: customer:N or partner:C.
        customer_id: The first of the customers; None without a customer.
        customer_name: Name of the first customer.
        customers: All customers.
        bp_codes: The business partners.
        partner_name: Name of one of the business partners, from an invoice.
        purchases: Purchases of the customers, in rupiah.
        invoiced: Amount invoiced to the business partners, in rupiah.
        invoice_lines: Number of invoiced lines.
        difference: purchases - invoiced.
        status: One of `INVOICE_STATUSES`.
        compared_at: When this row last changed.
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
    """Number of accounts of a month with a status, and their sums in rupiah."""

    status: str
    accounts: int
    purchases: Decimal
    invoiced: Decimal
    difference: Decimal


@dataclass(frozen=True)
class InvoiceSummary:
    """Totals of a month.

    Attributes:
        year_month: The month.
        totals: One item for each of `INVOICE_STATUSES`, in that order.
        compared_at: When the month was last compared; None: never.
    """

    year_month: str
    totals: tuple[StatusTotals, ...]
    compared_at: datetime | None

    @property
    def accounts(self) -> int:
        """Number of accounts of the month."""
        return sum(total.accounts for total in self.totals)

    @property
    def mismatches(self) -> int:
        """Number of accounts that do not match."""
        return self.count_with_status(MISMATCHES)

    def count_with_status(self, statuses: Collection[str]) -> int:
        """Return the number of accounts with one of the statuses."""
        return sum(total.accounts for total in self.totals if total.status in statuses)


def invoice_reconciliation(
    connection: sa.Connection,
    month: str,
    *,
    statuses: Collection[str] = INVOICE_STATUSES,
    limit: int = 50,
    offset: int = 0,
) -> list[ReconciledAccount]:
    """Return a page of the accounts of a month with one of the statuses, largest absolute difference first."""
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
    """Return the totals of a month's accounts."""
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
    """Return the months that have been reconciled, in order."""
    return sorted(months_loaded(connection, invoices_table))
