"""Error of the services."""

from ledger_pipelines.errors import LedgerError


class ServingError(LedgerError):
    """Failure of a command or request."""
