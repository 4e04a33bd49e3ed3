"""Checks of the stored results of the reconciliations, with the amount in rupiah. A mismatch is a warning."""

from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger.checks.check import Check, CheckScope, Severity
from ledger_pipelines.warehouse.tables import balance_comparison, invoice_reconciliation

_compared, _account = balance_comparison.c, invoice_reconciliation.c


def _check(name: str, description: str, mismatch: sa.ColumnElement[bool], amount: sa.Column[Any]) -> Check:
    """Return a check that finds the mismatches of completed months, those with the largest amount first.

    It covers all customers: an account may belong to several, and an invoiced partner to none.
    """
    table = amount.table

    def rows(scope: CheckScope) -> sa.Select[Any]:
        # The current month is invoiced after its end.
        completed = table.c.year_month < scope.horizon.current if "year_month" in table.c else sa.true()
        return (
            sa.select(*(column for column in table.c if column.name != "compared_at"))
            .where(mismatch, completed)
            .order_by(sa.func.abs(amount).desc(), *table.primary_key)
        )

    return Check(name, table, Severity.WARN, description, rows, amount=amount.name)


RECONCILIATION_CHECKS = (
    _check(
        "balances_match",
        "Every customer's balance equals the application's own totals.",
        ~_compared.matches,
        _compared.difference,
    ),
    _check(
        "every_difference_is_explained",
        "Every difference from the application's totals is explained to the cent.",
        _compared.unexplained != 0,
        _compared.unexplained,
    ),
    _check(
        "invoices_match",
        "In completed months, customers with a business partner are invoiced for their purchases.",
        _account.status.in_(["differs", "not_invoiced"]),
        _account.difference,
    ),
    _check(
        "every_customer_has_a_partner",
        "In completed months, every customer with purchases has a business partner.",
        _account.status == "customer_without_partner",
        _account.purchases,
    ),
    _check(
        "every_partner_has_a_customer",
        "In completed months, every invoiced business partner is a customer of the ledger.",
        _account.status == "partner_without_customer",
        _account.invoiced,
    ),
)
