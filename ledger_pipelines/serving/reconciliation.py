"""Which reconciliations can be made, for whoever asks for them now."""

from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.tables import balance_comparison, invoice_reconciliation

COMPARISON, INVOICES = balance_comparison.name, invoice_reconciliation.name


def possible(settings: Settings) -> tuple[str, ...]:
    """The reconciliations that these settings allow: without an ERP there are no invoices."""
    return (COMPARISON, INVOICES) if servers.has_erp(settings) else (COMPARISON,)


def demand_possible(settings: Settings, name: str) -> None:
    """See that a reconciliation can be made.

    Raises:
        ServingError: it cannot.
    """
    if name not in possible(settings):
        raise ServingError("There is no ERP whose invoices could be compared: LEDGER_ERP_URL is not set.")
