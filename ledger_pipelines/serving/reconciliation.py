"""Reconciliations that the settings allow."""

from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.tables import balance_comparison, invoice_reconciliation

COMPARISON, INVOICES = balance_comparison.name, invoice_reconciliation.name


def possible_reconciliations(settings: Settings) -> tuple[str, ...]:
    """Return the names of the possible reconciliations; those of invoices need an ERP."""
    return (COMPARISON, INVOICES) if database_urls.has_erp(settings) else (COMPARISON,)


def check_possible(settings: Settings, name: str) -> None:
    """Check that a reconciliation is possible.

    Raises:
        ServingError: the reconciliation needs an ERP and none is configured.
    """
    if name not in possible_reconciliations(settings):
        raise ServingError("Invoices cannot be compared because no ERP is configured: LEDGER_ERP_URL is not set.")
