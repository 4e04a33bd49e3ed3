"""Stored comparison of purchases with the ERP's invoices: the accounts of a month, page by page.

``ledger/reconciliation`` computes the comparison. A row that did not change keeps its ``compared_at``; the time of the
month's last complete comparison is in the summary.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.loaded_months import loaded_at, months_loaded
from ledger_pipelines.warehouse.queries.customers.customer import with_customer_name
from ledger_pipelines.warehouse.tables import INVOICE_STATUSES, InvoiceStatus
from ledger_pipelines.warehouse.tables import invoice_reconciliation as invoices_table
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal

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
    """Account: linked customers and business partners; see docs/rules.md, Invoice reconciliation."""

    account: str
    """Account key: customer:N or partner:C"""
    customer_id: int | None
    """First of the customers; null if the account has none"""
    customer_name: str | None
    customers: tuple[int, ...]
    bp_codes: tuple[str, ...]
    partner_name: str | None
    purchases: ExactDecimal
    """Purchases of the customers in the month, in rupiah"""
    invoiced: ExactDecimal
    """Amount invoiced to the business partners for the month, in rupiah"""
    invoice_lines: int
    difference: ExactDecimal
    """purchases - invoiced"""
    status: InvoiceStatus
    compared_at: datetime
    """Time when this row last changed"""


@dataclass(frozen=True)
class StatusTotals:
    """Sums of a month's accounts with one status."""

    status: InvoiceStatus
    accounts: int
    purchases: ExactDecimal
    invoiced: ExactDecimal
    difference: ExactDecimal


@dataclass(frozen=True)
class InvoiceSummary:
    """Sums of a month."""

    accounts: int
    mismatches: int
    """Number of accounts that do not match"""
    totals: tuple[StatusTotals, ...]
    """One entry per status"""
    compared_at: datetime | None
    """Time of the last comparison of this month; null: never"""

    def count_with_status(self, statuses: Collection[str]) -> int:
        """Return the number of accounts with one of the statuses."""
        return _count_with_status(self.totals, statuses)


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
        with_customer_name(invoices_table)
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
    accounts, mismatches = (_count_with_status(totals, statuses) for statuses in (INVOICE_STATUSES, MISMATCHES))
    return InvoiceSummary(accounts, mismatches, totals, loaded_at(connection, invoices_table, month))


def _count_with_status(totals: Iterable[StatusTotals], statuses: Collection[str]) -> int:
    return sum(total.accounts for total in totals if total.status in statuses)


def invoice_months(connection: sa.Connection) -> list[str]:
    """Return the months that have been reconciled, in order."""
    return sorted(months_loaded(connection, invoices_table))
