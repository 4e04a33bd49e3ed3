"""Audit log of commands: each command is logged before it runs, and its outcome afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines.warehouse.ops.audit import AuditOutcome, Command
from ledger_pipelines.warehouse.schema import WarehouseError

_logger = logging.getLogger(__name__)


@dataclass
class CommandResult:
    """Outcome and message of a running command; its code may set both."""

    outcome: AuditOutcome = "done"
    message: str | None = None


@contextmanager
def audited(warehouse: sa.Engine, act: Command) -> Iterator[CommandResult]:
    """Log a command before the body runs, and its outcome afterwards.

    A `LedgerError` counts as refused, any other as failed, unless the body has set another outcome.

    Raises:
        WarehouseError: the log entry cannot be written; the body does not run.
    """
    with translate_connection_errors(warehouse), warehouse.begin() as connection:
        entry_id = audit.begin_entry(connection, act)
    result = CommandResult()
    try:
        yield result
    except Exception as error:
        if result.outcome == "done":
            explained = isinstance(error, LedgerError)
            result.outcome, result.message = ("refused", str(error)) if explained else ("failed", type(error).__name__)
        _close(warehouse, entry_id, result)
        raise
    _close(warehouse, entry_id, result)


def _close(warehouse: sa.Engine, entry_id: int, result: CommandResult) -> None:
    try:
        with translate_connection_errors(warehouse), warehouse.begin() as connection:
            audit.end_entry(connection, entry_id, result.outcome, result.message)
    except (WarehouseError, sa.exc.SQLAlchemyError):
        # The command has run, so its caller must get the result; the entry stays without an outcome.
        _logger.exception("Audit log entry %s cannot be closed; its outcome would be: %s", entry_id, result)
